"""What stays as it is: what Kubernetes cannot change, what no argument covers, and what is not the sidecar's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..pod.objects import Json
from ..render.render import Registered
from .component_arguments import FORCE, TOOLS
from .found import CannotAdoptError, Found
from .rights import is_sidecars_role

STATEFUL_SET = "kubernetes:apps/v1:StatefulSet"
SERVICE = "kubernetes:core/v1:Service"
ROLE = "kubernetes:rbac.authorization.k8s.io/v1:Role"
ROLE_BINDING = "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding"
ASSIGNED = ("clusterIPs", "internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy", "sessionAffinity", "type")
"""What Kubernetes gives to a Service that does not say it."""
SUFFIX = "-tailscale"
"""Of the component's own objects where others have their names."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What the program has to leave as it is."""

    ignored: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By type of resource, the properties that an `up` may not change."""
    names: Mapping[str, str] = field(default_factory=dict)
    """By type of resource, the name that the component's own has, because somebody else's has the usual one."""
    selector: Json = field(default_factory=dict)
    """Of the StatefulSet, where it is not the component's."""
    selects: Json = field(default_factory=dict)
    """What the component's Service selects its pods by then."""
    app: str | None = None
    """The pods' label app then; None where they have none."""
    metadata: Json = field(default_factory=dict)
    """Labels and annotations that the StatefulSet has beside those of its pods."""

    def __bool__(self) -> bool:
        return bool(self.ignored or self.names or self.selector or self.metadata)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of it."""
        others = ", ".join(kind.rpartition(":")[2] for kind in self.names)
        return tuple(
            f"names: the {others} of that name are not the sidecar's alone, and are left as they are. The component's own "
            f"are called {name}."
            for name in set(self.names.values())
        )


def kept(found: Found, planned: Iterable[Registered]) -> Kept:
    """What a program has to leave as it is.

    Raises:
        CannotAdoptError: An object of somebody else's has a name that the component's needs.
    """
    by_type = {resource.type: resource.object for resource in planned}
    is_now, will = found.workload.manifest, by_type[STATEFUL_SET]
    refuse_credential_of_others(found, planned)
    selector = selector_of(found, will)
    labels = labels_of_pods(found)
    is_there = found.workload.kind == "StatefulSet"
    ignored = ignored_of(is_now["spec"], will["spec"]) if is_there else []
    return Kept(
        ignored={STATEFUL_SET: ignored} if ignored else {},
        names=names(found, by_type, (selector or will["spec"]["selector"]).get("matchLabels") or labels),
        selector=selector,
        selects=selector and (selector.get("matchLabels") or labels),
        app=labels.get("app"),
        metadata=metadata_of(is_now["metadata"], will["metadata"]) if is_there else {},
    )


def ignored_of(is_now: Json, will: Json) -> list[str]:
    """The properties of a StatefulSet that Kubernetes cannot change, or that no argument covers."""
    differs = {
        "serviceName": is_now.get("serviceName", "") != will["serviceName"],
        "volumeClaimTemplates": bool(is_now.get("volumeClaimTemplates")),  # with what Kubernetes has filled in
    }
    return [f"spec.{name}" for name, is_kept in differs.items() if is_kept]


def labels_of_pods(found: Found) -> Json:
    """The labels that the pods have."""
    labels: Json = (found.workload.pod_template.get("metadata") or {}).get("labels") or {}
    return labels


def selector_of(found: Found, will: Json) -> Json:
    """The selector as it is, unless that and the pods' label app are as the component has them."""
    labels = labels_of_pods(found)
    selector = found.workload.manifest["spec"].get("selector") or {}
    selector = {"matchLabels": labels} if found.workload.kind == "Pod" else selector
    if not labels or (selector == will["spec"]["selector"] and labels.get("app") == found.name):
        return {}
    return dict(selector)


def metadata_of(is_now: Json, will: Json) -> Json:
    """The labels and annotations of a StatefulSet, where it has some that the component does not give it."""
    found = {}
    for name in ("labels", "annotations"):
        own = {key: value for key, value in (is_now.get(name) or {}).items() if not key.startswith(TOOLS)}
        if not own.items() <= (will.get(name) or {}).items():
            found[name] = {**(will.get(name) or {}), **own}
    return found


def names(found: Found, planned: Mapping[str, Json], selector: Json) -> dict[str, str]:
    """Other names for those of the component's objects that somebody else's have the usual name of."""
    taken: list[str] = []
    service = found.find("Service", found.name)
    if service is not None and is_otherwise(service, planned[SERVICE], selector):
        taken.append(SERVICE)
    if ROLE in planned and not is_sidecars_role(found):
        taken += [ROLE, ROLE_BINDING]
    own = f"{found.name}{SUFFIX}"
    for kind in taken:
        if found.find(kind.rpartition(":")[2], own) is not None:
            raise CannotAdoptError(
                f"{kind.rpartition(':')[2]} {found.workload.namespace}/{found.name} is not the sidecar's, and {own}, "
                "which the component's own could be called, is there too: rename or delete one"
            )
    return dict.fromkeys(taken, own)


def refuse_credential_of_others(found: Found, planned: Iterable[Registered]) -> None:
    """Raises CannotAdoptError for a Secret that the component would write a credential into."""
    name = f"{found.name}-auth"
    made = [one.object for one in planned if one.object["kind"] == "Secret" and one.object["metadata"]["name"] == name]
    if made and found.find("Secret", name) is not None:
        key = next(iter(made[0].get("stringData") or made[0].get("data") or {"TS_AUTHKEY": ""}))
        raise CannotAdoptError(
            f"Secret {found.workload.namespace}/{name} is there already, and the component would replace what it has: "
            f"put the credential under the key {key} into a Secret, and let the sidecar's variable refer to it"
        )


def is_otherwise(service: Json, will: Json, selector: Json) -> bool:
    """Whether a Service says more than the component's, or something else: then others use it too, or may."""
    said = {k: v for k, v in service.get("spec", {}).items() if k not in ASSIGNED and v not in (False, [], {})}
    wanted = {k: v for k, v in will["spec"].items() if v is not False} | {"selector": selector}
    metadata = service["metadata"]
    annotations = [key for key in metadata.get("annotations") or {} if not key.startswith((*TOOLS, *FORCE))]
    labels = (metadata.get("labels") or {}).items()
    return bool(said != wanted or annotations or not labels <= will["metadata"]["labels"].items())
