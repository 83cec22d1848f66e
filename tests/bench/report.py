"""docs/benchmarks.md, from what a run found."""

from __future__ import annotations

import datetime
import os
import platform
import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from tests.lab.settings import KUBERNETES_VERSION, TAILSCALE_VERSION
from tests.support.build_before import BEFORE
from tests.support.subjects import DEFAULT, EVERY_MODE

from . import command_start, doctor, injected, monitoring, node, program, typescript
from .api_server import GROWTH, REPLICAS
from .before import ROLLED, ROLLS, RUNS
from .recovery import PATIENCE
from .registration import IN_ORDER, LIMIT, REAL
from .registration import PATIENCE as GIVEN_UP
from .registration import REPLICAS as REGISTERED
from .starts import DEPLOYMENTS, LATER_STARTS
from .table import Row
from .use import IDLE_SECONDS, LOAD_SECONDS, REQUESTS, ROUNDS, SETTLING_SECONDS, SPARE

HEAD = """\
# Benchmarks

The guide's manifest as it is, and the component, each section on one lab in one run; all accept routes, and the tailnet
has the guide's split DNS route and a global nameserver. `make bench` wrote this, and fails where the component does not do
what it promises (**✗**); `make bench PARTS="Starts Commands"` measures these sections anew. Seconds and CPU are of the
machine: compare columns.
"""
WHEN = "{date}, {minutes:.0f} minutes; {machine}; one node of Kubernetes {kubernetes}; Tailscale {tailscale}."
ABOUT = {
    "Starts": f"""\
Seconds from the moment that a pod is scheduled. *Ready*: the app has looked up a cluster name and, but with `ClusterDns`,
a tailnet name. Medians of {DEPLOYMENTS} first starts and {DEPLOYMENTS * LATER_STARTS} later ones of each, in turn. The app
[waits for containers that the guide's does not wait for](how-it-works.md). *Empty* is the component's pod with nothing to do:
as many containers before the app (tailscale, and for 2 tailscale-dns too), in the same order and with the same probe,
that are done or healthy as soon as they run. That is what Kubernetes itself takes.
""",
    "The build before": f"""\
The component beside itself as of {BEFORE}, whose pod had an init container, with the same image of Tailscale: medians of {RUNS} first and {RUNS} later
starts of each in turn, and of {ROLLS} roll-outs of {ROLLED} replicas; the ratio is that of each two turns that follow one another.
An app starts when the kubelet's probe, which comes once a second, finds its sidecar on the tailnet, and each container before it
takes a turn of the kubelet's loop, up to a second: the init container's turn is what a start saves. In a roll-out most of the rest
is the end of the old pod.
""",
    "Cost": f"""\
Memory is what the processes have resident, at most, and CPU the mean, of {IDLE_SECONDS} s idle and {LOAD_SECONDS} s under load: {REQUESTS} requests a
second of a peer over the tailnet, each answered with 1 MiB, and {ROUNDS} rounds a second in which musl, glibc and Go each look up a
cluster name and a tailnet name, with a dot at their end. Idle is {SETTLING_SECONDS} s after the start. `SplitDns` and `ClusterDns` may use
no more memory than the guide's, and {SPARE} MiB more while idle: for the [shell that notices a deleted device](how-it-works.md), and
what tailscaled keeps of a start that asks it more. The resolver is beside Unbound with an equal configuration, in the network of
one pod.
""",
    "Node": f"""\
On one node with 1, 10 and 50 replicas that are idle, {node.SETTLING_SECONDS} s after their start; *before* is {BEFORE} with `InPodSplitDns`. *Its pod*:
of the pods' control group, what processes and the kernel hold that is no file of a disk: the text of programs, which replicas
share, is such a file. *The node*: what MemAvailable is less by, whatever else runs on the machine.
Of one replica alone, 150 s after its start, tailscaled holds 11 MiB (the guide's 9.4), containerboot 5.2, CoreDNS 8, the sidecar's
shells 0.3, and the kernel 2.0 for both containers (the guide's 1.2 for its one): less takes a containerboot that ends when its
work is done, or a smaller resolver. Go collects garbage when it likes, so figures of one build differ by some MiB.
""",
    "Monitoring": f"""\
A replica with [`monitoring`](monitoring.md) and one without. Memory is what the sidecar runs beside containerboot and tailscaled, what
several processes share divided among them (Pss). CPU is the container's, of {monitoring.SCRAPES} scrapes one after the other, less what it uses
idle. The scrape of many is one replica's, times {monitoring.REPLICAS:,}.
""",
    "Many replicas": f"""\
*A replica*: on simulated kubelets (KWOK), from the first object to the last ready pod, divided by {" / ".join(map(str, REPLICAS))}
replicas; it is missed where a replica of more costs over {GROWTH} times one of fewer. The Endpoints object is apart: Kubernetes
writes that of any Service anew for each few addresses that come, up to 1,000, and the guide's manifest has no Service. KWOK
runs no containers: what real sidecars and their kubelet ask for is beside it, from the API server's audit log. Then {REGISTERED:,}
replicas register with a control plane that lets through {LIMIT} requests a second for tokens, for keys and to register each; where
they start together, {REAL} are real sidecars
(tailscaled, containerboot, the component's scripts) and the others play what a start asks for. OrderedReady is {IN_ORDER} real pods, the
time times {REGISTERED // IN_ORDER}. In steps, the time that a pod takes to start is added for each step. What is not registered after {GIVEN_UP} s is given up.
""",
    "Program": f"""\
What the component costs the one who runs Pulumi, beside [the same objects by hand](../tests/bench/programs). CPU is user and
system time of the whole process tree: Pulumi, its language host, the program and the provider. New stacks of each, in turn:
{program.RUNS_OF_ONE} of 1 component, {program.RUNS_OF_MANY} of more, {program.PREVIEWS} of 1,000 replicas; medians, also of the ratio, which is that of each two turns that follow one another. No pod runs
(`replicas=0`), and each component has one state Secret. Most of an `up` of many is Pulumi's: it writes the whole state before and
after each step, so that a component adds three to the 14 writes of its objects, and a longer name to each. So `up` is measured
twice: with the state written at the end only (`PULUMI_SKIP_CHECKPOINTS`), and as it is, there beside a ComponentResource by hand
of the same type. Growth is beside that by hand, too: Pulumi itself takes more for each component of a preview the more there are.
""",
    "Workloads of others": f"""\
The same of {injected.WORKLOADS} StatefulSets into which [the transform](any-workload.md) puts the sidecar, beside
[the StatefulSets without it](../tests/bench/programs/injected) and the other objects of the component by hand. New stacks of each,
in turn: {injected.RUNS}; medians, also of the ratio.
""",
    "Other languages": f"""\
The same from TypeScript: previews of the [package](languages.md), beside [the same objects by hand](../tests/bench/programs/typescript)
in TypeScript. New stacks of each, in turn: {typescript.RUNS_OF_ONE} of 1 component, {typescript.RUNS_OF_MANY} of {typescript.MANY}; medians, also of the ratio.
""",
    "Commands": f"""\
Of {doctor.PODS:,} replicas whose pods no node takes, and `kubectl get --output=json` of the same objects, the shortest of {doctor.RUNS} runs each.
Then what the command takes to start, beside the build in which every command loaded Pulumi: medians of {command_start.RUNS} new processes of
each in turn, also of the ratio, on the same packages.
""",
    "Faults": f"""\
Each comes upon all columns at the same time. *Back*: tailscaled and the control plane agree that the replica is on the
tailnet; what is not back after {PATIENCE} s is given up, unless the row says otherwise. With the guide's manifest, what is
changed is the manifest, and it is applied again.
""",
}


def section(title: str, rows: Sequence[Row], seconds: float) -> str:
    """What was found in one run."""
    when = WHEN.format(
        date=datetime.datetime.now(tz=datetime.UTC).date(),
        minutes=seconds / 60,
        machine=f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release().partition('-')[0]}",
        kubernetes=KUBERNETES_VERSION,
        tailscale=TAILSCALE_VERSION,
    )
    return f"{when}\n\n{ABOUT[title]}\n{tables(rows)}"


def report(sections: Mapping[str, str]) -> str:
    """The whole page."""
    return "\n".join([HEAD, *(f"## {title}\n\n{sections[title]}" for title in ABOUT if title in sections)])


def sections_of(page: str) -> dict[str, str]:
    """What an earlier run has written, by its title."""
    parts = re.split(r"^## (.*)\n\n", page, flags=re.MULTILINE)[1:]
    return {title: text.rstrip("\n") + "\n" for title, text in zip(parts[::2], parts[1::2], strict=True)}


def tables(rows: Sequence[Row]) -> str:
    """A Markdown table for each run of rows with the same columns."""
    return "\n".join(table(columns, list(of_them)) for columns, of_them in groupby(rows, columns_of))


def columns_of(row: Row) -> tuple[str, ...]:
    """All subjects that the row is about; one of the usual may have no cell."""
    for subjects in (EVERY_MODE, DEFAULT):
        labels = tuple(subject.label for subject in subjects)
        if row.cells.keys() <= set(labels):
            return labels
    return tuple(row.cells)


def table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """A Markdown table."""
    lines = [("", *columns), ("---",) * (1 + len(columns)), *((row.title, *cells(row, columns)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cells(row: Row, columns: Sequence[str]) -> list[str]:
    """A row's cells in order, what the component missed marked."""
    found = [(label, row.cells.get(label)) for label in columns]
    return [
        "" if cell is None else ("**✗** " if row.misses(label) else "") + cell.text.replace("|", "\\|")
        for label, cell in found
    ]
