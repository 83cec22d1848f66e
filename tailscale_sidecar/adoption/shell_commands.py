"""Shell commands for the person who adopts: none shows a secret, on the screen or in the list of processes."""

from __future__ import annotations

import json
from shlex import quote

from ..inspection.workload import Workload

WAIT_SECONDS = 600
"""How long a pod may take to end."""


def template_value(workload: Workload, path: str) -> str:
    """Prints a value of the pods' spec."""
    spec = ".spec" if workload.kind == "Pod" else ".spec.template.spec"
    return f"kubectl get {workload.kind.lower()} {workload.name} {within(workload)} {at(f'{spec}.{path}')}"


def sidecar_value(workload: Workload, variable: str) -> str:
    """Prints the value of one of the sidecar's variables."""
    field = next(
        field for field in ("initContainers", "containers") if workload.sidecar in (workload.pod_spec.get(field) or ())
    )
    container, name = workload.sidecar["name"], json.dumps(variable)
    return template_value(workload, f'{field}[?(@.name=="{container}")].env[?(@.name=={name})].value')


def secret_value(workload: Workload, name: str, key: str) -> str:
    """Prints a key of a Secret."""
    path = at(".data." + key.replace(".", "\\."))
    return f"kubectl get secret {quote(name)} {within(workload)} {path} | base64 --decode"


def copy_secret(workload: Workload, old: str, new: str) -> str:
    """Puts a Secret's data under another name."""
    return made_secret(workload, new, f"kubectl get secret {quote(old)} {within(workload)} {at('.data')}")


def copy_file(workload: Workload, pod: str, file: str, folder: str) -> str:
    """Copies a file of the sidecar's to another of its folders."""
    script = f"mkdir -p -m 700 {quote(folder)} && cp -p {quote(file)} {quote(folder)}/tailscaled.state"
    return in_sidecar(workload, pod, f"sh -c {quote(script)}")


def file_to_secret(workload: Workload, pod: str, file: str, new: str) -> str:
    """Makes a Secret of a file with a JSON object of base64 values."""
    return made_secret(workload, new, in_sidecar(workload, pod, f"cat {quote(file)}"))


def made_secret(workload: Workload, name: str, data: str) -> str:
    """Makes a Secret of what a command prints. The shell itself does `printf`: no process has the data as argument."""
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": name}}
    text = quote(json.dumps(secret)[:-1] + ', "data": %s}')
    return f'printf {text} "$({data})" | kubectl create {within(workload)} --filename -'


def in_sidecar(workload: Workload, pod: str, command: str) -> str:
    """Runs a command in a replica's sidecar."""
    return f"kubectl exec {pod} {within(workload)} --container {quote(workload.sidecar['name'])} -- {command}"


def stop(workload: Workload) -> list[str]:
    """Ends the one pod of a Deployment, or a Pod, and waits until it is gone."""
    if workload.kind == "Pod":
        return [f"kubectl delete pod {workload.name} {within(workload)} --wait"]
    labels = quote(",".join(f"{key}={value}" for key, value in workload.selector.items()))
    return [
        f"kubectl scale deployment {workload.name} {within(workload)} --replicas=0",
        f"kubectl wait pod {within(workload)} --selector={labels} --for=delete --timeout={WAIT_SECONDS}s",
    ]


def remove(workload: Workload) -> list[str]:
    """Deletes a Deployment that has been replaced; of a Pod nothing is left."""
    return [f"kubectl delete deployment {workload.name} {within(workload)}"] if workload.kind == "Deployment" else []


def within(workload: Workload) -> str:
    """The workload's namespace."""
    return f"--namespace {workload.namespace}"


def at(path: str) -> str:
    """One value of an object."""
    return f"--output jsonpath={quote('{' + path + '}')}"
