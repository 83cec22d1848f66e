"""Runs one of the sidecar's scripts in a folder of its own, with programs that only note how they were called."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

SCRIPTS = {
    name: files("tailscale_sidecar").joinpath("scripts", name).read_text(encoding="utf-8")
    for name in (
        "connect.sh",
        "count.sh",
        "ended.sh",
        "keep.sh",
        "logins.sh",
        "look.sh",
        "metrics.sh",
        "prepare.sh",
        "serve.sh",
        "start.sh",
        "tailscaled.sh",
        "turn.sh",
        "users.sh",
        "watch.sh",
    )
}
DASH, BUSYBOX = shutil.which("dash"), shutil.which("busybox")
SHELLS = {**({"dash": [DASH]} if DASH else {}), **({"busybox": [BUSYBOX, "sh"]} if BUSYBOX else {})}
"""Debian's shell, and that of the Tailscale image."""
TOOLS = (
    "awk",
    "cat",
    "chmod",
    "cp",
    "cut",
    "date",
    "grep",
    "head",
    "ls",
    "mkdir",
    "mkfifo",
    "mv",
    "od",
    "rm",
    "sed",
    "sleep",
    "tee",
    "touch",
    "tr",
)

# Calls are noted one a line.
PROGRAM = """\
#!/bin/sh
echo "{name} $*" >>"$SANDBOX/calls"
"""
TAILSCALE = (
    PROGRAM
    + """
shift
case $1 in
status) cat "$SANDBOX/status" ;;
down) echo '{{"BackendState": "Stopped", "HaveNodeKey": true, "x": 1}}' >"$SANDBOX/status" ;;
debug) cat "$SANDBOX/prefs" ;;
up)
  for flag; do case $flag in
    --client-secret=file:* | --auth-key=file:*)
      file=${{flag#*file:}}
      ls -l "$file" | cut -c1-10 >>"$SANDBOX/modes"
      cat "$file" >>"$SANDBOX/credentials"
      echo >>"$SANDBOX/credentials" ;;
  esac; done
  case $* in
  *--force-reauth*)
    if [ -e "$SANDBOX/outruns" ]; then # tailscaled was quicker than this command
      cp "$SANDBOX/status-after-up" "$SANDBOX/status"
      exit "$(cat "$SANDBOX/outruns")"
    fi
    if [ -s "$SANDBOX/failures" ]; then
      sed -i 1d "$SANDBOX/failures"
      if [ -e "$SANDBOX/next-credential" ]; then mv "$SANDBOX/next-credential" "$SANDBOX/auth/TS_CLIENT_SECRET"; fi
      exit 1
    fi
    echo '{{"BackendState": "Running", "HaveNodeKey": true, "x": 1}}' >"$SANDBOX/status" ;;
  *)
    cp "$SANDBOX/status-after-up" "$SANDBOX/status"
    until grep -q Running "$SANDBOX/status"; do /bin/sleep 0.05; done ;; # as the real one waits for a login
  esac ;;
esac
"""
)


# Reads tailscaled's log as tailscaled.sh does, only late.
LATE_READER = """\
rm -f "$SANDBOX/run/log"
mkfifo "$SANDBOX/run/log"
while read -r line; do
  /bin/sleep 0.05
  if [ -e "$SANDBOX/outruns" ]; then touch "$SANDBOX/run/outrun"; fi
  touch "$SANDBOX/run/read"
done <>"$SANDBOX/run/log" &
"$@"
code=$?
kill $!
exit $code
"""

# Notes that it was told to end, as tailscaled.sh tells it.
CONTAINERBOOT = """\
trap 'echo told to end >>"$SANDBOX/calls"' TERM
"$@"
code=$?
for _ in 1 2 3 4 5 6 7 8 9 10; do
  if grep -q '^told' "$SANDBOX/calls"; then break; fi
  /bin/sleep 0.2
done
exit $code
"""


@dataclass(frozen=True)
class Sandbox:
    """A folder that stands for the sidecar's file system."""

    folder: Path
    shell: list[str]

    def program(self, name: str, text: str = PROGRAM) -> None:
        """Puts a program on the PATH."""
        file = self.folder / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.format(name=name), encoding="utf-8")
        file.chmod(0o755)

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def read(self, name: str) -> str:
        file = self.folder / name
        return file.read_text(encoding="utf-8") if file.exists() else ""

    @property
    def calls(self) -> list[list[str]]:
        """The words of each call of a program, in order."""
        return [line.split(" ") for line in self.read("calls").splitlines()]

    def text(self, name: str) -> str:
        """A script, or several that make one file (`a.sh+b.sh`), with the folders that it uses moved into the sandbox."""
        (self.folder / "run").mkdir(exist_ok=True)
        moved = {
            "/run/tailscale-sidecar": "run",
            "/etc/resolv.conf": "resolv.conf",
            "/usr/local/bin/containerboot": "bin/containerboot",
            "/proc/net/if_inet6": "if_inet6",
            "/proc/self/uid_map": "uid_map",
            "/proc/uptime": "uptime",
        }
        pattern = "|".join(map(re.escape, moved))
        script = "".join(SCRIPTS[part] for part in name.split("+"))
        return re.sub(pattern, lambda match: str(self.folder / moved[match[0]]), script)

    def run(
        self,
        name: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        parent: str | None = None,
        stdin: str = "",
        then: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Runs a script to its end. It finds our programs and harmless ones, and nothing that changes this machine.

        `parent` is the text of a script that runs it, `then` one that follows in the same file.
        """
        tools = self.folder / "tools"
        tools.mkdir(exist_ok=True)
        for tool in TOOLS:
            link = tools / tool
            if not link.is_symlink():
                link.symlink_to(shutil.which(tool) or "/nonexistent")
        # busybox prefers programs of its own to those on the PATH, but not to functions.
        ours = [
            path.name
            for path in (self.folder / "bin").iterdir()
            if path.name not in ("tailscale", "tailscaled", "containerboot")
        ]
        functions = "".join(f'{program}() {{ "$SANDBOX/bin/{program}" "$@"; }}\n' for program in ours)
        path = f"{self.folder}/first-on-path:{self.folder}/bin:{tools}"
        above = ["/bin/sh", "-c", parent, "parent"] if parent else []
        return subprocess.run(
            [*above, *self.shell, "-c", functions + self.text(name) + then, name, *arguments],
            env={"PATH": path, "SANDBOX": str(self.folder), **(env or {})},
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
