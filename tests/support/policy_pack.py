"""The policy pack, started as Pulumi's CLI starts it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc  # type: ignore[import-untyped] # it has no types
from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped] # it has no types
from pulumi.runtime.proto.analyzer_pb2 import EnforcementLevel
from pulumi.runtime.proto.analyzer_pb2_grpc import AnalyzerStub

from tests.support.examples import ROOT

FOLDER = ROOT / "policy"


@contextmanager
def started(python: Path = Path(sys.executable)) -> Iterator[AnalyzerStub]:
    """The pack, with the packages that a Python has."""
    command = [str(python), "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(FOLDER)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
            yield AnalyzerStub(channel)
        process.terminate()


def levels(pack: AnalyzerStub) -> dict[str, str]:
    """Its policies, each with what comes of a violation."""
    return {
        policy.name: EnforcementLevel.Name(policy.enforcementLevel) for policy in pack.GetAnalyzerInfo(Empty()).policies
    }
