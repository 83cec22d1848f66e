"""What users install: a wheel that works by itself, and a public face with a description of everything in it."""

from __future__ import annotations

import ast
import email
import inspect
import re
import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import BaseModel

import tailscale_sidecar
from tests.support.examples import ROOT

PUBLIC = {
    "TailscaleSidecarStatefulSet", "TailscaleSidecarStatefulSetArgs",
    "TailscaleSidecar", "TailscaleSidecarArgs", "TailscaleSidecarInjection", "TailscaleSidecarInjectionArgs", "Device", "DeviceCleanup",
    "OAuthClient", "AuthKey", "WorkloadIdentity",
    "InPodSplitDns", "SplitDns", "ClusterDns", "SplitDnsRoute",
    "SecretState", "PersistentVolumeState", "EmptyDirState",
    "KernelNetworking", "UserspaceNetworking", "Monitoring", "EgressPolicy",
}  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built without network."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", f"--outdir={folder}", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_all_of_the_package_and_nothing_else(wheel: Path) -> None:
    in_wheel = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = ROOT / "tailscale_sidecar"
    in_tree = {str(path.relative_to(ROOT)) for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert in_wheel == in_tree
    assert {"tailscale_sidecar/py.typed", "tailscale_sidecar/scripts/connect.sh"} <= in_wheel


def test_the_wheel_says_what_it_is_and_what_it_needs(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Name"] == "tailscale-sidecar"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert not re.search(r"\]\((?!https://)", str(metadata.get_payload()))  # a relative link leads nowhere on PyPI
    needs = {line.split(">")[0] for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line}
    assert {line.partition("<")[0] for line in needs} == {
        *("pulumi", "pulumi-kubernetes", "pydantic", "pyyaml", "typing-extensions")
    }


def test_the_wheel_brings_the_command(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
    assert "tailscale-sidecar = tailscale_sidecar.__main__:main" in archive.read(name).decode().splitlines()


def test_the_wheel_works_outside_of_the_source_tree(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    zipfile.ZipFile(wheel).extractall(target)
    program = tmp_path / "infra.py"
    program.write_text((ROOT / "examples/existing_secret/__main__.py").read_text(encoding="utf-8"), encoding="utf-8")
    code = "import tailscale_sidecar, sys; from tailscale_sidecar.__main__ import main; print(tailscale_sidecar.__file__); sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "render", str(program)],
        env={"PYTHONPATH": str(target)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    where, _, shown = done.stdout.partition("\n")
    assert where.startswith(str(target))
    assert "kind: StatefulSet" in shown
    assert "containerboot" in shown


def test_the_public_names_are_these() -> None:
    assert set(tailscale_sidecar.__all__) == PUBLIC
    assert all(inspect.isclass(getattr(tailscale_sidecar, name)) for name in PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_class_says_what_it_is_and_so_does_every_argument(name: str) -> None:
    found = getattr(tailscale_sidecar, name)
    assert (found.__doc__ or "").strip()
    if issubclass(found, BaseModel):
        assert found.model_fields.keys() - described(found) == set()


def described(model: type[BaseModel]) -> set[str]:
    """The fields with a docstring, inherited ones too."""
    found = set()
    for kind in model.__mro__[: model.__mro__.index(BaseModel)]:
        (definition,) = ast.parse(inspect.getsource(kind)).body
        assert isinstance(definition, ast.ClassDef)
        for field, text in pairwise(definition.body):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str())):
                    found.add(name)
    return found


def test_importing_the_package_says_nothing_and_warns_of_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import tailscale_sidecar"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("module", ["tailscale_sidecar", "tailscale_sidecar.__main__"])
def test_importing_the_package_imports_nothing_of_the_extras(module: str) -> None:
    packages = {"cryptography", "kubernetes", "pulumi_policy", "pulumi_tailscale", "urllib3"}
    code = f"import sys, {module}; print({packages} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("command", ["doctor", "preflight"])
def test_a_command_without_its_extra_says_what_to_install(command: str) -> None:
    code = "import sys; sys.modules['kubernetes'] = None; from tailscale_sidecar.__main__ import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code, command], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'tailscale-sidecar[doctor]'" in done.stderr
