"""Runs Pulumi programs in Python and Go for a CLI that was built here: no registry has Pulumi's own hosts of these.

It is the server with which Pulumi's SDK runs inline programs, but each program has a process of its own, as Pulumi's host
gives it one. Pulumi starts this file as `pulumi-language-python ADDRESS`, which starts it again for each program. As
`pulumi-language-go --go ADDRESS`, it starts programs that are compiled: those whose project names a `binary`.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc  # type: ignore[import-untyped] # it has no types
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2_grpc
from pulumi.runtime.proto.language_pb2 import ProgramInfo, RunPluginRequest, RunPluginResponse, RunRequest, RunResponse
from typing_extensions import override


class Host(LanguageServer):
    """What the engine asks to run programs, policy packs and packages of components."""

    def __init__(self, engine: str) -> None:
        self.engine = engine

    @override
    def Run(self, request: RunRequest, context: grpc.ServicerContext) -> RunResponse:
        """Runs a program in a process of its own, which tells the engine itself what went wrong."""
        del context
        request.args[:] = [self.engine]
        command = [python(request.info), __file__, "--program"]
        done = subprocess.run(command, input=request.SerializeToString(), cwd=request.pwd, check=False)
        return RunResponse(bail=done.returncode != 0)

    @override
    def RunPlugin(self, request: RunPluginRequest, context: grpc.ServicerContext) -> Iterator[RunPluginResponse]:
        """Runs a policy pack or a package of components until the engine has had enough of it."""
        folder = request.info.program_directory
        # A policy pack is told the engine's address before its own folder, anything else after it.
        words = (
            ["-m", "pulumi.policy", *request.args, folder] if request.kind == "analyzer" else [folder, *request.args]
        )
        command = [python(request.info), "-u", *words]
        environment = dict(variable.split("=", 1) for variable in request.env)
        with subprocess.Popen(command, cwd=request.pwd, env=environment, stdout=subprocess.PIPE) as running:
            context.add_callback(running.kill)
            for line in running.stdout or ():
                yield RunPluginResponse(stdout=line)
        yield RunPluginResponse(exitcode=running.returncode)


class GoHost(Host):
    """What the engine asks to run programs in Go."""

    @override
    def Run(self, request: RunRequest, context: grpc.ServicerContext) -> RunResponse:
        """Runs a program, which Pulumi's SDK tells by variables what it would else be told by arguments."""
        del context
        variables = {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
            "PULUMI_DRY_RUN": str(request.dryRun).lower(),
            "PULUMI_ENGINE": self.engine,
            "PULUMI_MONITOR": request.monitor_address,
            "PULUMI_ORGANIZATION": request.organization,
            "PULUMI_PARALLEL": str(request.parallel),
            "PULUMI_PROJECT": request.project,
            "PULUMI_STACK": request.stack,
        }
        binary = Path(request.info.root_directory, dict(request.info.options)["binary"])
        done = subprocess.run([binary], env={**os.environ, **variables}, cwd=request.pwd, check=False)
        return RunResponse(bail=done.returncode != 0)


def python(info: ProgramInfo) -> str:
    """The program's own Python, if it has one."""
    virtualenv = dict(info.options).get("virtualenv")
    return str(Path(info.root_directory, virtualenv, "bin", "python")) if virtualenv else sys.executable


def serve(host: Host) -> None:
    """Answers the engine until it ends this process, or is no more; the first line printed is the port."""
    started_by = os.getppid()
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))  # how the engine does so
    server = grpc.server(ThreadPoolExecutor(), options=[("grpc.max_receive_message_length", -1)])
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    while os.getppid() == started_by:
        server.wait_for_termination(timeout=1)
    os._exit(0)


def run() -> int:
    """Runs the program of the request that is read; returns the exit status."""
    request = RunRequest.FromString(sys.stdin.buffer.read())
    program = os.path.normpath(Path(request.info.program_directory, request.info.entry_point))
    sys.argv[:] = [program]

    def main() -> None:
        runpy.run_path(program, run_name="__main__")

    done = LanguageServer(main).Run(request, None)  # type: ignore[no-untyped-call] # the SDK does not type it
    return int(bool(done.error))


if __name__ == "__main__":
    if sys.argv[1:] == ["--program"]:
        sys.exit(run())
    serve(GoHost(sys.argv[-1]) if "--go" in sys.argv else Host(sys.argv[-1]))
