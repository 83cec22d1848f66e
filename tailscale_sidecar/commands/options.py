"""What several commands can be told, each read in one way."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from ..pod import rules

KINDS = {
    "StatefulSet": ("statefulset", "statefulsets", "sts"),
    "Deployment": ("deployment", "deployments", "deploy"),
    "DaemonSet": ("daemonset", "daemonsets", "ds"),
    "Job": ("job", "jobs"),
    "CronJob": ("cronjob", "cronjobs", "cj"),
    "Pod": ("pod", "pods", "po"),
}
"""What kubectl calls each kind."""


class Target(NamedTuple):
    """A workload, as far as the command line says which; None is any."""

    namespace: str | None
    kind: str | None
    name: str | None


class UsageError(Exception):
    """What was asked for contradicts itself."""


def add_cluster_arguments(parser: argparse.ArgumentParser) -> None:
    """Which cluster, and what cannot be found out about it."""
    parser.add_argument(
        "--cluster-cidr",
        action="append",
        default=[],
        type=cidr,
        metavar="CIDR",
        help="of the cluster, where it cannot be found; repeatable",
    )
    parser.add_argument("--kubeconfig", help="default: $KUBECONFIG, or ~/.kube/config")
    parser.add_argument("--context", help="of the kubeconfig")


def add_target_arguments(parser: argparse.ArgumentParser, what: str, default: str) -> None:
    """Which workload, and `default`: where it is, if nothing says it."""
    parser.add_argument("target", nargs="?", metavar="[NAMESPACE/][KIND/]NAME", help=f"{what}, such as deployment/web")
    parser.add_argument("-n", "--namespace", help=f"default: {default}")


def target(options: argparse.Namespace) -> Target:
    """The workload that was asked for.

    Raises:
        UsageError: It has a namespace, and --namespace is another; or it is none.
    """
    place, _, name = (options.target or "").rpartition("/")
    namespace, _, word = place.rpartition("/")
    kind = next((kind for kind, words in KINDS.items() if word.lower() in words), None)
    if namespace and kind is None:
        raise UsageError(
            f"{options.target}: {word} is no kind; there are {', '.join(words[0] for words in KINDS.values())}"
        )
    namespace = namespace if kind else word
    if namespace and options.namespace and namespace != options.namespace:
        raise UsageError(f"{options.target} is not in namespace {options.namespace}")
    return Target(namespace or options.namespace, kind, name or None)


def add_program_arguments(parser: argparse.ArgumentParser, *, optional: str = "") -> None:
    """Which Pulumi program, with its configuration; `optional` says what happens without one, if that may be."""
    what = "folder with __main__.py, or a Python file" + (f"; {optional}" if optional else "")
    parser.add_argument("program", nargs="?" if optional else None, type=Path, help=what)
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        type=setting,
        metavar="KEY=VALUE",
        help="stack configuration; repeatable",
    )
    add_traceback_argument(parser)


def add_traceback_argument(parser: argparse.ArgumentParser) -> None:
    """How much is told of a program that is wrong."""
    parser.add_argument("--traceback", action="store_true", help="show all of a program's error, its source too")


def setting(text: str) -> tuple[str, str]:
    """A key of the stack's configuration, and its value. What else was given is not shown: it may be a secret."""
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError("write KEY=VALUE")
    return key, value


def cidr(text: str) -> str:
    """A CIDR of the cluster."""
    try:
        rules.cidr(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
