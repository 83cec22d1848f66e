"""What `pulumi preview` costs from TypeScript with the package, beside the same objects by hand (programs/typescript)."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from tailscale_sidecar.render.render import render
from tests import sdks
from tests.lab.shell import run, step
from tests.support import package, pulumi_cli
from tests.support.languages import node_host, on_the_lab, with_host
from tests.support.subjects import Bench

from .program import PROGRAMS, SECRET, in_turn, measured, stack_of
from .table import BY_HAND, COMPONENT, Cell, Row, Rows, beside_by_hand

FOLDER = Path(__file__).parent / "programs" / "typescript"
RUNS_OF_ONE, RUNS_OF_MANY, MANY = 5, 3, 100
AT_MOST = 1.3


def typescript(bench: Bench) -> Rows:
    """New stacks of each program, in turn."""
    sdk = sdks.node(on_the_lab)
    with TemporaryDirectory() as folder:
        with step("compiling the programs in TypeScript"):
            programs = {name: compiled(name, sdk, Path(folder)) for name in PROGRAMS}
        seen: dict[int, dict[str, list[float]]] = {}
        for count, runs in ((1, RUNS_OF_ONE), (MANY, RUNS_OF_MANY)):
            preview = partial(previewed, bench, sdk, programs, count)
            seen[count] = in_turn(f"previews of {count} from TypeScript", runs, PROGRAMS, preview)
            title = f"CPU of `preview` from TypeScript, {count} component{'s' if count > 1 else ''}"
            yield beside_by_hand(title, seen[count][BY_HAND], seen[count][COMPONENT], "s", AT_MOST)
    one, many = ({name: statistics.median(found) for name, found in seen[count].items()} for count in (1, MANY))
    each = {name: (many[name] - one[name]) / (MANY - 1) for name in PROGRAMS}
    cells = {name: Cell(f"{1000 * each[name]:.0f} ms; {one[name] - each[name]:.2f} s without any") for name in PROGRAMS}
    yield Row("each of them from TypeScript: CPU of `preview`", cells)


def compiled(name: str, sdk: Path, folder: Path) -> Path:
    """The folder of a program, compiled, with what it reads."""
    project = folder / name.replace(" ", "_")
    project.mkdir()
    (project / "index.ts").write_bytes((FOLDER / project.name / "index.ts").read_bytes())
    (project / "node_modules").symlink_to(sdk / "node_modules")
    settings = {"compilerOptions": sdks.TYPESCRIPT, "files": ["index.ts"]}
    (project / "tsconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    run(["npx", "--no-install", "tsc", "--project", "."], cwd=project)
    if name == BY_HAND:
        rendered = yaml.safe_load_all(render(PROGRAMS[COMPONENT], config={"clientSecret": SECRET}))
        (project / "objects.json").write_text(json.dumps(list(rendered)), encoding="utf-8")
    return project


def previewed(bench: Bench, sdk: Path, programs: Mapping[str, Path], components: int, name: str) -> float:
    """CPU of a program's first preview."""
    program = programs[name]
    with TemporaryDirectory() as folder:
        plugins = package.installed(Path(folder))
        environment = with_host(pulumi_cli.ensure(), "nodejs", bench.lab.environment(), node_host(sdk), program.parent)
        text = f"name: {program.name}\nruntime: nodejs\n{plugins}"
        with stack_of(bench, program, text, environment, components=components) as stack:
            seconds, printed = measured(stack, "preview")
    assert int(re.findall(r"\+ (\d+) to create", printed)[0]) > 7 * components
    return seconds
