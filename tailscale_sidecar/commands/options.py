"""What the commands that look at a cluster have in common."""

from __future__ import annotations

import argparse


def add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    """Which cluster, and what cannot be found out about it."""
    parser.add_argument(
        "--cluster-cidr",
        action="append",
        default=[],
        help="a CIDR of the cluster, where it cannot be found; repeatable",
    )
    parser.add_argument("--kubeconfig", help="default: $KUBECONFIG, or ~/.kube/config")
    parser.add_argument("--context", help="of the kubeconfig")
