"""What a container of Tailscale's image starts: containerboot, or tailscaled by a command of the author's own."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ..pod.objects import Json

STATE_DIR = "/var/lib/tailscale"
"""Where tailscaled has its state unless told otherwise (tailscale.com@v1.102.5 paths/paths_unix.go)."""
CONTAINERBOOT = ("containerboot", "run.sh")
SHELLS = ("sh", "bash", "ash", "dash")
SEPARATORS = ";&|()\n"
PREFIXES = ("exec", "nohup", "command", "if", "then", "else", "elif", "while", "until", "do", "!", "{", "env", "export")
"""Words of a shell that a command may stand behind."""
SILENT = (
    "",
    "sleep",
    "wait",
    "echo",
    "true",
    ":",
    "set",
    "cd",
    "trap",
    "fi",
    "done",
    "}",
    "[",
    "test",
    "sysctl",
    "mkdir",
)
"""Commands that nobody misses where the component starts tailscaled."""
POD_NAME_IN_SHELL = re.compile(r"\$\((?:/bin/)?(?:hostname|uname -n)\)|`hostname`|\$\{?HOSTNAME\}?")
REDIRECTION = r"\s\d*>>?\s*(&\d|[^\s;&|]+)"
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})")
DECISIVE = ("state", "statedir", "tun")
"""Flags of tailscaled that say where the identity is, and how packets come to it."""


@dataclass(frozen=True)
class Start:
    """What is started."""

    variables: Mapping[str, str] | None = None
    """What containerboot would have to be told for the same; None where it is what is started."""
    others: tuple[str, ...] = ()
    """Further commands that are run beside it."""


@dataclass
class Script:
    """What a script does with Tailscale's programs."""

    daemons: list[list[str]] = field(default_factory=list)
    ups: list[list[str]] = field(default_factory=list)
    runs_containerboot: bool = False
    others: list[str] = field(default_factory=list)


def start_of(container: Json, env: Mapping[str, str], pod_name: str) -> Start | None:
    """What a container starts; None where that cannot be read from its command.

    `env` are its variables as far as they are known, and `pod_name` what stands for the pod's name: Kubernetes and the
    shell fill them in.
    """
    words = [expanded(str(word), env) for word in (*(container.get("command") or ()), *(container.get("args") or ()))]
    if not words or is_program(words[0], CONTAINERBOOT):  # containerboot is the image's CMD, and takes no arguments
        return Start()
    try:
        script = read(list(commands_of(words, pod_name)), env)
    except ValueError:  # a quotation mark without its second
        return None
    if script.runs_containerboot and not script.daemons:
        sets_variables = any(re.search(r"\b(TS_|POD_)\w+=", word) for word in words)
        return None if sets_variables else Start(others=tuple(script.others))
    if len(script.daemons) != 1 or not script.ups:
        return None
    (daemon,) = script.daemons
    flags = parsed_flags(" ".join(daemon))
    if "config" in flags or any(re.search(r"[$`]", flags.get(name, "")) for name in DECISIVE):
        return None
    return Start(as_variables(daemon, script.ups), tuple(dict.fromkeys(script.others)))


def as_variables(daemon: Sequence[str], ups: Sequence[Sequence[str]]) -> Mapping[str, str]:
    """Flags of tailscaled, and of each `tailscale up`, as variables of containerboot's."""
    flags = " ".join(daemon)
    return {
        "TS_KUBE_SECRET": "",
        "TS_STATE_DIR": STATE_DIR,
        "TS_USERSPACE": str("userspace-networking" in flags).lower(),
        "TS_ACCEPT_DNS": "true",  # what `tailscale up` does by itself, and containerboot's does not
        "TS_TAILSCALED_EXTRA_ARGS": flags,
        "TS_EXTRA_ARGS": " ".join(flag for up in ups for flag in up),
    }


def commands_of(words: Sequence[str], pod_name: str) -> Iterator[list[str]]:
    """The commands of a shell's script, or the one that the words are."""
    if not is_program(words[0], SHELLS):
        yield list(words)
        return
    script = next((after for flag, after in pairwise(words) if re.match(r"-\w*c", flag)), "")
    script = POD_NAME_IN_SHELL.sub(pod_name, script).replace("\\\n", " ")
    script = re.sub(rf"(?m)(^|\s)#.*$|{REDIRECTION}", "", script)
    reader = shlex.shlex(script, posix=True, punctuation_chars=SEPARATORS)
    reader.whitespace, reader.whitespace_split, reader.commenters = " \t\r", True, ""
    command: list[str] = []
    for word in (*reader, "\n"):
        if set(word) <= set(SEPARATORS):
            yield command
            command = []
        else:
            command.append(word)


def read(commands: Sequence[Sequence[str]], env: Mapping[str, str]) -> Script:
    """What commands do with Tailscale's programs."""
    found = Script()
    for command in commands:
        words = [filled_in(word, env) for word in command]
        while words and (words[0] in PREFIXES or re.fullmatch(r"\w+=.*", words[0], re.DOTALL)):
            words.pop(0)
        program, rest = (words[0].rpartition("/")[2], words[1:]) if words else ("", [])
        action = next((word for word in rest if not word.startswith("-")), "")
        if program == "tailscaled":
            found.daemons.append(rest)
        elif program == "tailscale" and action in ("up", "login", "set"):
            found.ups.append(rest[rest.index(action) + 1 :])
        elif program in CONTAINERBOOT:
            found.runs_containerboot = True
        elif program == "tailscale" and action not in ("status", "ip", "version", "wait", "down"):
            found.others.append(f"tailscale {action}".strip())
        elif program not in (*SILENT, "tailscale"):
            found.others.append(program)
    return found


def parsed_flags(text: str) -> dict[str, str]:
    """Flags in one string, as Go's flag package reads them: `--flag`, `--flag=value` or `--flag value`."""
    flags: dict[str, str] = {}
    name = ""
    for word in text.split():
        if word.startswith("-"):
            name, _, value = word.lstrip("-").partition("=")
            flags[name] = value if "=" in word else "true"
        elif name:
            flags[name] = word
    return flags


def expanded(text: str, env: Mapping[str, str]) -> str:
    """A text with Kubernetes' `$(NAME)` filled in, and `$$` as one `$`."""
    return re.sub(r"\$\$|\$\((\w+)\)", lambda match: "$" if match[0] == "$$" else env.get(match[1]) or match[0], text)


def filled_in(word: str, env: Mapping[str, str]) -> str:
    """A word of a script with the shell's `$NAME`, `${NAME}` and `${NAME:-default}` filled in, where they are known."""
    return VARIABLE.sub(lambda match: env.get(match[1] or match[2]) or match[0], word)


def is_program(word: str, names: Sequence[str]) -> bool:
    """Whether a word is one of some programs, with or without its folder."""
    return word.rpartition("/")[2] in names
