"""The Pulumi program, as text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence

import tailscale_sidecar

from ..component.args import TailscaleSidecarStatefulSetArgs
from .python_source import INDENT, WIDEST, literal
from .translation import Translation

# Of the two kinds of transforms that Pulumi has, this one also works without an engine, as in `render`.
KEEP = '''\
KEPT = {kept}


def keep(args):
    """Leaves as it is what Kubernetes cannot change, and what no argument covers."""
    kept = pulumi.ResourceOptions(ignore_changes=KEPT.get(args.type_))
    return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, kept))


'''
PROGRAM = """\
{config}{keep}{notes}TailscaleSidecarStatefulSet(
    {name},
    TailscaleSidecarStatefulSetArgs(
{arguments}    ),
{options})
"""


def program(name: str, title: str, translated: Translation, kept: Mapping[str, Sequence[str]]) -> str:
    """The program for a component.

    Args:
        name: Of the StatefulSet, and of the component.
        title: What the program's first line says.
        translated: The arguments, and what has to be known of them.
        kept: By type of resource, the properties that stay as they are in the cluster.
    """
    order = list(TailscaleSidecarStatefulSetArgs.model_fields)
    arguments = sorted(translated.arguments.items(), key=lambda item: order.index(item[0]))
    inner = " " * 2 * INDENT
    lines = [
        f"{inner}{key}={literal(value, indent=2 * INDENT, room=WIDEST - 2 * INDENT - len(key) - 2)},\n"
        for key, value in arguments
    ]
    body = PROGRAM.format(
        config="config = pulumi.Config()\n\n" if translated.secrets else "",
        keep=KEEP.format(kept=literal(kept)) if kept else "",
        notes=comment(translated.notes),
        name=literal(name),
        arguments="".join(lines),
        options="    pulumi.ResourceOptions(transformations=[keep]),\n" if kept else "",
    )
    return f'"""{title}"""\n\n{imports("".join(lines), uses_pulumi=bool(translated.secrets or kept))}\n{body}'


def imports(arguments: str, *, uses_pulumi: bool) -> str:
    """What is used, imported."""
    always = ("TailscaleSidecarStatefulSet", "TailscaleSidecarStatefulSetArgs")
    names = sorted({*always, *(name for name in tailscale_sidecar.__all__ if re.search(rf"\b{name}\(", arguments))})
    line = f"from tailscale_sidecar import {', '.join(names)}\n"
    if len(line) > WIDEST:
        line = "from tailscale_sidecar import (\n" + "".join(f"    {name},\n" for name in names) + ")\n"
    return f"import pulumi\n\n{line}" if uses_pulumi else line


def comment(notes: Iterable[str]) -> str:
    """Notes, as comments."""
    lines = [
        line
        for note in notes
        for line in textwrap.wrap(note, WIDEST, initial_indent="# - ", subsequent_indent="#   ", break_long_words=False)
    ]
    return "\n".join(["# What changes with this program:", *lines, ""]) if lines else ""
