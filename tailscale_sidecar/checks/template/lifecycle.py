"""Checks of probes, of what is done when a pod stops, and of how many start at once."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...inspection.workload import Workload
from ...pod.contract import BURST_REPLICAS
from ...pod.objects import Json
from ...pod.probes import asked_of_the_tailnet
from ...report.findings import CODE, GUIDE, GUIDE_TABLE, UPSTREAM, Defect, Severity
from ..registry import Seen, check_template
from .login import keeps_its_device

BOOT_SECONDS = 60
"""What containerboot waits for the tailnet unless TS_BOOT_TIMEOUT says otherwise (cmd/containerboot/settings.go)."""

LIVENESS_PROBE = Defect(
    name="liveness-probe-on-tailnet",
    severity=Severity.ERROR,
    why="Whenever the tailnet is away for a moment the probe restarts the container. That makes an outage worse.",
    do="Remove the probe from container {container}, or let it ask the app itself.",
    source=GUIDE_TABLE,
)


@check_template(LIVENESS_PROBE)
def liveness_probe(workload: Workload) -> Iterator[Seen]:
    for container in workload.containers:
        name = container.get("name", "")
        for kind in ("livenessProbe", "startupProbe"):
            if kind == "startupProbe" and container is workload.sidecar:
                continue  # it may ask the tailnet, if it is patient
            target = asked_of_the_tailnet(container, kind, workload.health_ports)
            if target:
                yield Seen(f"The {kind} of {name} asks {target}.", {"container": name})


SIDECAR_LIVENESS_PROBE = Defect(
    name="liveness-probe-on-sidecar",
    severity=Severity.WARNING,
    why="containerboot restarts tailscaled where that helps; a probe adds restarts where it does not.",
    do="Remove the livenessProbe of container {container}, as Tailscale's operator does.",
    source=f"{GUIDE}#step-7-optional-configure-health-checks-and-observability",
)


@check_template(SIDECAR_LIVENESS_PROBE)
def sidecar_liveness_probe(workload: Workload) -> Iterator[Seen]:
    probed = workload.sidecar.get("livenessProbe")
    if probed and not asked_of_the_tailnet(workload.sidecar, "livenessProbe", workload.health_ports):
        name = workload.sidecar.get("name", "")
        yield Seen(f"{name} has a livenessProbe.", {"container": name})


LOGS_OUT = Defect(
    name="logs-out-at-stop",
    severity=Severity.ERROR,
    why="`tailscale logout` ends the device's key, so that the state is worth nothing: each new pod has to log in anew.",
    do="Remove the preStop hook of container {container}.",
    source=f"{CODE}/cmd/tailscale/cli/logout.go#L25",
)


@check_template(LOGS_OUT)
def logs_out(workload: Workload) -> Iterator[Seen]:
    for container in workload.containers:
        hook = (container.get("lifecycle") or {}).get("preStop") or {}
        command = " ".join(map(str, (hook.get("exec") or {}).get("command") or ()))
        if re.search(r"\btailscale\b.*\blogout\b", command) and keeps_its_device(workload):
            name = container.get("name", "")
            yield Seen(f"The preStop hook of {name} runs `tailscale logout`.", {"container": name})


IMPATIENT_START = Defect(
    name="startup-probe-too-short",
    severity=Severity.WARNING,
    why=f"containerboot alone waits {BOOT_SECONDS} s for the tailnet; the probe restarts it before, again and again.",
    do="Give the startupProbe of container {container} a failureThreshold that outlasts any outage.",
    source=f"{UPSTREAM}/13620",
)


@check_template(IMPATIENT_START)
def impatient_start(workload: Workload) -> Iterator[Seen]:
    probe = workload.sidecar.get("startupProbe") or {}
    if probe and patience(probe) < BOOT_SECONDS:
        name = workload.sidecar.get("name", "")
        if asked_of_the_tailnet(workload.sidecar, "startupProbe", workload.health_ports):
            yield Seen(f"The startupProbe of {name} waits {patience(probe)} s.", {"container": name})


def patience(probe: Json) -> int:
    """Seconds until a failing start-up probe restarts its container."""
    return int(probe.get("initialDelaySeconds", 0) + probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3))


PARALLEL = Defect(
    name="parallel-at-scale",
    severity=Severity.WARNING,
    why="All pods start at once and flood the control plane with registrations.",
    do="Set registration_rate, or scale in steps. OrderedReady is the other way: a change to it replaces the StatefulSet.",
    source=GUIDE_TABLE,
)


@check_template(PARALLEL)
def parallel(workload: Workload) -> Iterator[Seen]:
    policy = workload.manifest["spec"].get("podManagementPolicy")
    if policy == "Parallel" and workload.replicas > BURST_REPLICAS and "REGISTRATION_RATE" not in workload.env:
        yield Seen(f"podManagementPolicy is Parallel, with {workload.replicas} replicas.")


JOB_NEVER_ENDS = Defect(
    name="job-never-completes",
    severity=Severity.ERROR,
    why="A Job completes when its containers have ended. The sidecar never ends.",
    do="Make {container} a native sidecar: an init container with restartPolicy Always.",
    source="https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#jobs-with-sidecar-containers",
)


@check_template(JOB_NEVER_ENDS)
def job_never_ends(workload: Workload) -> Iterator[Seen]:
    own = workload.pod_spec.get("containers") or ()
    if workload.kind in ("CronJob", "Job") and len(own) > 1 and workload.sidecar in own:
        name = workload.sidecar.get("name", "")
        yield Seen(f"{name} is one of the {workload.kind}'s containers.", {"container": name})
