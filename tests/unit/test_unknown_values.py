"""What is not known hides the findings that depend on it, and no other."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from typing import Any, SupportsIndex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pulumi.runtime.rpc import UNKNOWN as PULUMIS
from typing_extensions import override

from tailscale_sidecar.checks.registry import Check
from tailscale_sidecar.checks.template import KINDS, check_template
from tailscale_sidecar.inspection.known_workload import KnownWorkload
from tailscale_sidecar.inspection.unknown_values import UNKNOWN, known
from tailscale_sidecar.inspection.workload import Workload, environment, sidecar_of, workloads
from tailscale_sidecar.report.findings import Finding
from tests.support.api_server import Json
from tests.support.planted import PLANTED_FOR_POLICIES, Maker
from tests.support.site import Site
from tests.support.unknown import Path, paths, with_unknown

Read = set[Path]


def test_it_is_pulumis_own_mark() -> None:
    assert UNKNOWN == PULUMIS


# -- a manifest that writes down what of it is read --------------------------------------------


class WatchedObject(dict[str, Any]):
    def __init__(self, value: Json, path: Path, read: Read) -> None:
        super().__init__({key: watched(item, (*path, key), read) for key, item in value.items()})
        self.path, self.read = path, read

    @override
    def __getitem__(self, key: str) -> Any:
        self.read.add((*self.path, key))
        return super().__getitem__(key)

    @override
    def get(self, key: str, default: Any = None, /) -> Any:
        self.read.add((*self.path, key))
        return super().get(key, default)

    @override
    def items(self) -> Any:
        return [(key, self[key]) for key in self]

    @override
    def __repr__(self) -> str:
        return repr(dict(self.items()))


class WatchedList(list[Any]):
    def __init__(self, value: list[Any], path: Path, read: Read) -> None:
        super().__init__(watched(item, (*path, index), read) for index, item in enumerate(value))
        self.path, self.read = path, read

    @override
    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        assert isinstance(index, int)
        self.read.add((*self.path, index))
        return super().__getitem__(index)

    @override
    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    @override
    def __repr__(self) -> str:
        return repr([*self])


def watched(value: Any, path: Path, read: Read) -> Any:
    if isinstance(value, dict):
        return WatchedObject(value, path, read)
    return WatchedList(value, path, read) if isinstance(value, list) else value


class WatchedVariables(dict[str, str]):
    """The sidecar's variables: one that is read is read with those that it refers to."""

    def __init__(self, listed: list[Json], path: Path, workload: WatchedWorkload) -> None:
        super().__init__(environment({"env": listed}))
        self.listed, self.path, self.workload, self.read = listed, path, workload, workload.read

    @override
    def __getitem__(self, name: str) -> str:
        for index, variable in enumerate(self.listed):
            if variable["name"] == name:
                item = (*self.path, index)
                self.read |= {item, *((*item, *path) for path in paths(variable))}
                for other in re.findall(r"\$\((\w+)\)", variable.get("value", "")):
                    self.get(other)
                    if other not in [earlier["name"] for earlier in self.listed[:index]]:
                        self.get("one that comes earlier")
        return self.workload._of_template(super().__getitem__(name))  # noqa: SLF001 - it reads fields of the manifest

    @override
    def __contains__(self, name: object) -> bool:
        own = [index for index, variable in enumerate(self.listed) if variable["name"] == name]
        looked_at = own or range(len(self.listed))  # that it is none of these is known if all names are
        self.read |= {self.path, *((*self.path, index, *of) for index in looked_at for of in [(), ("name",)])}
        return bool(own)

    @override
    def __iter__(self) -> Iterator[str]:
        return (variable["name"] for variable in self.listed if variable["name"] in self)

    @override
    def get(self, name: str, default: Any = None, /) -> Any:
        if name not in self:
            return default
        return self[name]

    @override
    def items(self) -> Any:
        return [(name, self[name]) for name in self]


class WatchedWorkload(Workload):
    ref = "the workload"

    def __init__(self, manifest: Json) -> None:
        self.read: Read = set()
        super().__init__(watched(manifest, (), self.read))
        object.__setattr__(self, "plain", copy.deepcopy(manifest))

    __setattr__ = object.__setattr__
    plain: Json

    @cached_property
    def sidecar_path(self) -> Path:
        spec = self.plain["spec"]["template"]["spec"]
        own = sidecar_of(spec)
        ((kind, index),) = [
            (kind, index)
            for kind in ("initContainers", "containers")
            for index, container in enumerate(spec.get(kind, ()))
            if container is own
        ]
        return ("spec", "template", "spec", kind, index)

    @property
    @override
    def sidecar(self) -> Json:  # read anew by each check
        self.read.add((*self.sidecar_path, "restartPolicy"))  # without it, an init container is no sidecar
        found: Any = self.manifest
        for key in self.sidecar_path:
            found = found[key]
        return found  # type: ignore[no-any-return]

    @property
    @override
    def _own_env(self) -> dict[str, str]:
        return self.env

    @property
    @override
    def env(self) -> dict[str, str]:
        plain: Any = self.plain
        for key in self.sidecar_path:
            plain = plain[key]
        self.read |= {self.sidecar_path[: length + 1] for length in range(len(self.sidecar_path))}
        self.read |= {(*self.sidecar_path, field) for field in ("envFrom", "command", "args")}
        self.read |= {(*self.sidecar_path, f, *p) for f in ("command", "args") for p in paths(plain.get(f))}
        return WatchedVariables(plain.get("env", []), (*self.sidecar_path, "env"), self)


class NamedWorkload(KnownWorkload):
    ref = "the workload"


def planted(maker: Maker, plant: Callable[[Site], object]) -> Json:
    with maker() as site:
        plant(site)
        return next(iter(site.workloads))


@cache
def manifest(name: str) -> Json:
    return next(planted(maker, plant) for _, maker, plant in PLANTED_FOR_POLICIES if plant.__name__ == name)


@cache
def looked_at(name: str) -> list[tuple[Check[[Workload]], Read, list[Finding]]]:
    """Each check with what it reads of a manifest, and what it finds."""
    there = {check: WatchedWorkload(manifest(name)) for check in check_template}
    found = {check: list(check(workload)) for check, workload in there.items()}
    return [(check, there[check].read, found[check]) for check in check_template]


@settings(deadline=None)
@given(data=st.data())
def test_whatever_is_unknown_what_is_found_by_checks_that_do_not_read_it_stays(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([plant.__name__ for _, _, plant in PLANTED_FOR_POLICIES]))
    path = data.draw(st.sampled_from([p for p in paths(manifest(name)) if p[0] in ("metadata", "spec")]))
    changed = known(with_unknown(manifest(name), path))
    (*seen,) = [NamedWorkload(workload.manifest) for workload in workloads([changed], KINDS)]
    for check, read, expected in looked_at(name):
        if path not in read:
            assert [finding for workload in seen for finding in check(workload)] == expected, check.defect.name


@pytest.mark.parametrize(
    ("path", "hidden"),
    [
        (("spec", "template", "spec", "hostNetwork"), {"host-network"}),
        (("metadata", "labels"), set()),
        (("spec", "template", "spec", "containers", 1, "env"), set()),
        (("spec", "template", "spec", "containers", 1), {"liveness-probe-on-tailnet"}),
    ],
    ids=str,
)
def test_one_unknown_field_hides_the_findings_that_depend_on_it_alone(path: Path, hidden: set[str]) -> None:
    found = copy.deepcopy(manifest("the_nodes_network"))
    found["metadata"]["labels"] = {"app": "my-app"}
    container: Json = found["spec"]["template"]["spec"]["containers"][1]
    container.update(env=[], livenessProbe={"exec": {"command": ["nslookup", "x", "100.100.100.100"]}})
    assert names(found) - names(with_unknown(found, path)) == hidden


def names(found: Json) -> set[str]:
    return {
        f.name for w in workloads([known(found)], KINDS) for f in check_template.findings(KnownWorkload(w.manifest))
    }


def test_what_a_check_found_before_it_met_something_unknown_stays() -> None:
    found = copy.deepcopy(manifest("the_app_asks_the_sidecar"))
    spec = found["spec"]["template"]["spec"]
    spec["containers"].append({"name": "later", "image": "nginx", "livenessProbe": UNKNOWN})
    assert "liveness-probe-on-tailnet" in names(found)
