"""What the API server fills in, taken out again, so that the program says what its author said."""

from __future__ import annotations

from typing import Any

from ..pod.objects import Json

# Kubernetes' own: pkg/apis/core/v1/defaults.go and pkg/apis/apps/v1/defaults.go.
POD: Json = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
}
CONTAINER: Json = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
TOKEN_VOLUME = "kube-api-access-"
"""How the volume begins that admission adds for the ServiceAccount's token."""
ASSIGNED = ("enableServiceLinks", "nodeName", "preemptionPolicy", "priority")
TOLERATIONS: tuple[Json, ...] = tuple(
    {"key": f"node.kubernetes.io/{state}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for state in ("not-ready", "unreachable")
)
PORT: Json = {"protocol": "TCP"}
PROBE: Json = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
HTTP: Json = {"scheme": "HTTP"}
FIELD: Json = {"apiVersion": "v1"}
VOLUME: Json = {"defaultMode": 0o644}
CLAIM: Json = {"volumeMode": "Filesystem"}
RETENTION: Json = {"whenDeleted": "Retain", "whenScaled": "Retain"}
HISTORY = 10
"""ControllerRevisions that a StatefulSet keeps."""
STATEFUL_SET: Json = {
    "podManagementPolicy": "OrderedReady",
    "minReadySeconds": 0,
    "revisionHistoryLimit": HISTORY,
    "replicas": 1,
    "persistentVolumeClaimRetentionPolicy": RETENTION,
}
STRATEGIES: tuple[Json, ...] = (
    {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
    {"type": "RollingUpdate"},
)
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def without(value: Json, defaults: Json) -> Json:
    """The fields that do not have the default value."""
    return {key: item for key, item in value.items() if key not in defaults or defaults[key] != item}


def pod(spec: Json) -> Json:
    """A PodSpec."""
    kept = without(spec, POD)
    for field in ("initContainers", "containers"):
        if kept.get(field):
            kept[field] = [container(one) for one in kept[field]]
    if kept.get("volumes"):
        kept["volumes"] = [
            {key: without(source, VOLUME) if isinstance(source, dict) else source for key, source in volume.items()}
            for volume in kept["volumes"]
        ]
    return {key: value for key, value in kept.items() if value not in ([], None)}


def of_a_pod(spec: Json) -> Json:
    """The PodSpec of a Pod, without what the scheduler and admission have added to it."""
    token = {v["name"] for v in spec.get("volumes") or () if v["name"].startswith(TOKEN_VOLUME)}
    kept = {key: value for key, value in spec.items() if key not in ASSIGNED}
    kept["volumes"] = [volume for volume in spec.get("volumes") or () if volume["name"] not in token]
    kept["tolerations"] = [one for one in spec.get("tolerations") or () if one not in TOLERATIONS]
    for field in ("initContainers", "containers"):
        kept[field] = [
            {**one, "volumeMounts": [mount for mount in one.get("volumeMounts") or () if mount["name"] not in token]}
            for one in spec.get(field) or ()
        ]
    return pod(kept)


def container(spec: Json) -> Json:
    """A container."""
    kept = without(spec, CONTAINER)
    if kept.get("imagePullPolicy") == pull_policy(str(kept.get("image", ""))):
        del kept["imagePullPolicy"]
    if kept.get("volumeMounts") == []:
        del kept["volumeMounts"]
    if "ports" in kept:
        kept["ports"] = [without(port, PORT) for port in kept["ports"]]
    if "env" in kept:
        kept["env"] = [variable(one) for one in kept["env"]]
    for name in PROBES:
        if name in kept:
            kept[name] = probe(kept[name])
    return kept


def probe(spec: Json) -> Json:
    """A probe."""
    kept = without(spec, PROBE)
    if "httpGet" in kept:
        kept["httpGet"] = without(kept["httpGet"], HTTP)
    return kept


def variable(spec: Json) -> Json:
    """A variable of the environment."""
    source: Any = spec.get("valueFrom")
    if not source or "fieldRef" not in source:
        return spec
    return {**spec, "valueFrom": {**source, "fieldRef": without(source["fieldRef"], FIELD)}}


def claim(template: Json) -> Json:
    """A volume claim template."""
    metadata = {key: value for key, value in (template.get("metadata") or {}).items() if key != "creationTimestamp"}
    return {"metadata": metadata, "spec": without(template.get("spec") or {}, CLAIM)}


def pull_policy(image: str) -> str:
    """The imagePullPolicy of an image that has none of its own."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if not digest and tag in ("", "latest") else "IfNotPresent"


def unless(value: Json | None, *default: Json) -> Json | None:
    """A value, or None if it is the default in one of its forms."""
    return None if not value or value in default else value
