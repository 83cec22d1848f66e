"""Quantities of CPU and memory, and pod-level resources with the sidecar's share."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailscale_sidecar import ClusterDns
from tailscale_sidecar.pod.asked_resources import of_pod
from tailscale_sidecar.pod.quantities import amount, total
from tests.support.arguments import APP
from tests.support.pod import Pod, pod


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        ("500m", "0.5"),
        ("1", "1"),
        (2, "2"),
        (0.5, "0.5"),
        (".5", "0.5"),
        ("1Gi", "1073741824"),
        ("1.5Ki", "1536"),
        ("1e3", "1000"),
        ("2k", "2000"),
    ],
)
def test_a_quantity_is_read_as_kubernetes_does(quantity: Any, number: str) -> None:
    assert amount(quantity) == Decimal(number)


@pytest.mark.parametrize("wrong", ["", "1 Gi", "Gi", "1GiB", "one", "1mi"])
def test_what_is_no_quantity_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity such as 500m or 512Mi"):
        amount(wrong)


@given(st.lists(st.sampled_from(["15m", "500m", "1", "96Mi", "1Gi", "0", "1.5Gi", "100k"]), min_size=1))
def test_a_sum_is_a_quantity_of_the_same_amount(quantities: list[str]) -> None:
    assert amount(total(quantities)) == sum(map(amount, quantities))


@pytest.mark.parametrize(
    ("quantities", "shown"), [(["500m", "15m"], "515m"), (["512Mi", "96Mi"], "608Mi"), (["1", "1"], "2")]
)
def test_a_sum_reads_as_a_person_would_write_it(quantities: list[str], shown: str) -> None:
    assert total(quantities) == shown


def asked_of_containers(made: Pod, kind: str, name: str) -> Decimal:
    """What the pod's lasting containers ask for together."""
    lasting = [c for c in made.spec["initContainers"] if c.get("restartPolicy") == "Always"] + made.spec["containers"]
    return sum((amount(c.get("resources", {}).get(kind, {}).get(name, 0)) for c in lasting), Decimal(0))


@pytest.mark.parametrize("changes", [{}, {"dns": ClusterDns()}])
def test_pod_level_requests_cover_the_sidecars_too(changes: dict[str, Any]) -> None:
    own = {"requests": {"cpu": "500m", "memory": "512Mi"}}
    made = pod(pod_spec={"resources": own, "containers": [{**APP, "resources": own}]}, **changes)
    for name, quantity in made.spec["resources"]["requests"].items():
        assert amount(quantity) == asked_of_containers(made, "requests", name)


def test_a_pod_whose_own_requests_are_its_limits_stays_so() -> None:
    same = {"cpu": "1", "memory": "1Gi"}
    made = pod(pod_spec={"resources": {"requests": same, "limits": same}, "containers": [APP]}).spec["resources"]
    assert made["requests"] == made["limits"]
    assert amount(made["limits"]["memory"]) > amount("1Gi")


def test_every_added_container_can_be_given_limits() -> None:
    own = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "100m", "memory": "128Mi"}}
    made = pod(resources=own, dns_resources=own)
    assert {name: c["resources"] for name, c in made.containers.items() if name != "app"} == dict.fromkeys(
        [name for name in made.containers if name != "app"], own
    )


def asking(cpu: str, *, sidecar: bool = False, limit: str = "") -> dict[str, Any]:
    resources = {"requests": {"cpu": cpu} if cpu else {}, "limits": {"cpu": limit} if limit else {}}
    return {"resources": resources, **({"restartPolicy": "Always"} if sidecar else {})}


@pytest.mark.parametrize(
    ("spec", "kind", "cpu"),
    [
        ({"containers": [asking("1"), asking("500m")]}, "requests", "1.5"),
        ({"containers": [asking("", limit="2")]}, "requests", "2"),
        ({"containers": [asking("1")]}, "limits", None),
        ({"containers": [asking("1")], "initContainers": [asking("100m", sidecar=True)]}, "requests", "1.1"),
        ({"containers": [asking("1")], "initContainers": [asking("3")]}, "requests", "3"),
        (
            {"containers": [asking("1")], "initContainers": [asking("1", sidecar=True), asking("2")]},
            "requests",
            "3",
        ),
        (
            {"containers": [asking("1")], "initContainers": [asking("2"), asking("1", sidecar=True)]},
            "requests",
            "2",
        ),
        ({"containers": [asking("1")], "resources": {"requests": {"cpu": "4"}}}, "requests", "4"),
        ({"containers": [asking("1")], "overhead": {"cpu": "250m"}}, "requests", "1.25"),
    ],
    ids=[
        "together",
        "a limit alone",
        "no limit",
        "a native sidecar",
        "a large init container",
        "an init container beside a sidecar",
        "an init container before a sidecar",
        "of the pod itself",
        "overhead",
    ],
)
def test_a_pod_asks_for_what_kubernetes_counts(spec: dict[str, Any], kind: str, cpu: str | None) -> None:
    assert of_pod(spec, kind).get("cpu") == (None if cpu is None else Decimal(cpu))
