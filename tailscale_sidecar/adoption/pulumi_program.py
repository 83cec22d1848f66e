"""The Pulumi program, as text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

import tailscale_sidecar

from ..component.stateful_set_args import TailscaleSidecarStatefulSetArgs
from .kept import ROLE_BINDING, Kept
from .python_source import INDENT, WIDEST, literal
from .translation import Translation

# Of the two kinds of transforms that Pulumi has, this one also works without an engine, as in `render`.
KEEP = '''\
{constants}

def keep(args):
    """Leaves as it is what Kubernetes cannot change, what no argument covers, and what is not the sidecar's."""
{body}

'''
RENAME = """\
    if args.type_ in NAMES:
        args.props["metadata"]["name"] = NAMES[args.type_]
"""
RENAME_REFERENCE = """\
    if "role_ref" in args.props:
        args.props["role_ref"]["name"] = NAMES[args.type_]
"""
SELECT = """\
    if args.type_ == "kubernetes:apps/v1:StatefulSet":
        args.props["spec"]["selector"] = SELECTOR
        labels = args.props["spec"]["template"]["metadata"]["labels"]
        {label}
    if args.type_ == "kubernetes:core/v1:Service":
        args.props["spec"]["selector"] = {selects}
"""
METADATA = """\
    if args.type_ == "kubernetes:apps/v1:StatefulSet":
        args.props["metadata"].update(METADATA)
"""
IGNORE = """\
    kept = pulumi.ResourceOptions(ignore_changes=KEPT.get(args.type_))
    return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, kept))
"""
RETURN = "    return pulumi.ResourceTransformationResult(args.props, args.opts)\n"
PROGRAM = """\
{config}{keep}{notes}TailscaleSidecarStatefulSet(
    {name},
    TailscaleSidecarStatefulSetArgs(
{arguments}    ),
{options})
"""


def program(name: str, title: str, translated: Translation, kept: Kept) -> str:
    """The program for a component.

    Args:
        name: Of the StatefulSet, and of the component.
        title: What the program's first line says.
        translated: The arguments, and what has to be known of them.
        kept: What stays as it is in the cluster.
    """
    order = ["pod_spec", *TailscaleSidecarStatefulSetArgs.model_fields]
    arguments = sorted(translated.arguments.items(), key=lambda item: order.index(item[0]))
    inner = " " * 2 * INDENT
    lines = [
        f"{inner}{key}={literal(value, indent=2 * INDENT, room=WIDEST - 2 * INDENT - len(key) - 2)},\n"
        for key, value in arguments
    ]
    body = PROGRAM.format(
        config="config = pulumi.Config()\n\n" if translated.secrets else "",
        keep=keep(kept) if kept else "",
        notes=comment((*translated.notes, *kept.notes)),
        name=literal(name),
        arguments="".join(lines),
        options="    pulumi.ResourceOptions(transformations=[keep]),\n" if kept else "",
    )
    return f'"""{title}"""\n\n{imports("".join(lines), uses_pulumi=bool(translated.secrets or kept))}\n{body}'


def keep(kept: Kept) -> str:
    """The function that leaves things as they are, with its constants."""
    constants = {"NAMES": kept.names, "SELECTOR": kept.selector, "METADATA": kept.metadata, "KEPT": kept.ignored}
    label = f'labels["app"] = {literal(kept.app)}' if kept.app is not None else 'labels.pop("app")'
    body = [
        RENAME if kept.names else "",
        RENAME_REFERENCE if ROLE_BINDING in kept.names else "",
        SELECT.format(label=label, selects=literal(kept.selects)) if kept.selector else "",
        METADATA if kept.metadata else "",
        IGNORE if kept.ignored else RETURN,
    ]
    written = [f"{name} = {literal(value)}\n" for name, value in constants.items() if value]
    return KEEP.format(constants="".join(written), body="".join(body))


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
