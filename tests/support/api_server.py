"""A small API server: lists in pages, single objects, logs and reviews of what a test gives it, and Tailscale's API."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml
from typing_extensions import override

Json = dict[str, Any]
PLURALS = {
    "clusterrolebindings": "ClusterRoleBinding",
    "clusterroles": "ClusterRole",
    "configmaps": "ConfigMap",
    "cronjobs": "CronJob",
    "daemonsets": "DaemonSet",
    "deployments": "Deployment",
    "events": "Event",
    "jobs": "Job",
    "namespaces": "Namespace",
    "nodes": "Node",
    "pods": "Pod",
    "resourcequotas": "ResourceQuota",
    "rolebindings": "RoleBinding",
    "roles": "Role",
    "secrets": "Secret",
    "serviceaccounts": "ServiceAccount",
    "servicecidrs": "ServiceCIDR",
    "services": "Service",
    "statefulsets": "StatefulSet",
}
PATH = re.compile(
    r"/(?:api/v1|apis/[a-z0-9.-]+/v1)(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?(?P<log>/log)?"
)
ALL_RULES = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]


@dataclass
class ApiServer:
    """What is in the cluster, and what it refuses."""

    objects: list[Json] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    """By `pod/container`, with `/previous` for the one before the last restart."""
    forbidden: set[str] = field(default_factory=set)
    """Kinds that may not be read."""
    version: tuple[str, str] = ("1", "35")
    my_rules: list[Json] = field(default_factory=lambda: list(ALL_RULES))
    rules_incomplete: bool = False
    tailscale: dict[str, Any] = field(default_factory=dict)
    """Answers of Tailscale's API, by the path after the tailnet."""
    accounts: set[str] = field(default_factory=lambda: {"default"})
    """ServiceAccounts that every namespace has."""
    judge: Callable[[Json], tuple[int, Any]] = field(default=lambda pod: (201, pod))
    """What a dry run of a pod is answered."""
    requests: Counter[str] = field(default_factory=Counter)
    """What was asked, by method and path without the query."""
    url: str = ""

    @contextmanager
    def serve(self) -> Iterator[ApiServer]:
        """Answers on a free port of localhost."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"site": self}))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def kubeconfig(self, folder: Path, namespace: str = "default") -> Path:
        """A kubeconfig for it."""
        path = folder / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": namespace}}],
            "clusters": [{"name": "test", "cluster": {"server": self.url}}],
            "users": [{"name": "test", "user": {}}],
        }
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        return path

    def answer(self, method: str, url: str, body: Json) -> tuple[int, Any]:
        """Status and JSON, or text."""
        parts = urlsplit(url)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.requests[f"{method} {parts.path}"] += 1
        if parts.path == "/version/":
            major, minor = self.version
            return 200, {"major": major, "minor": minor, "gitVersion": f"v{major}.{minor}.0"}
        if parts.path.startswith("/api/v2/tailnet/-/"):
            found = self.tailscale.get(parts.path.removeprefix("/api/v2/tailnet/-/"))
            return (200, found) if found is not None else (403, {"message": "no scope for that"})
        if parts.path.endswith("/selfsubjectrulesreviews"):
            return 201, {"status": {"resourceRules": self.my_rules, "incomplete": self.rules_incomplete}}
        if parts.path.endswith("/selfsubjectaccessreviews"):
            return 201, {"status": {"allowed": self._allows(body["spec"]["resourceAttributes"])}}
        match = PATH.fullmatch(parts.path)
        if method == "POST":
            is_dry = match is not None and match["plural"] == "pods" and query.get("dryRun") == "All"
            return self._judged(match["namespace"], body) if match and is_dry else missing(parts.path)
        return self._objects(match, query) if match and match["plural"] in PLURALS else missing(parts.path)

    def _judged(self, namespace: str, pod: Json) -> tuple[int, Any]:
        there = {(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in self.objects}
        if ("Namespace", None, namespace) not in there:
            return 404, {"message": f'namespaces "{namespace}" not found'}
        account = pod["spec"].get("serviceAccountName", "default")
        if ("ServiceAccount", namespace, account) not in there and account not in self.accounts:
            what = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
            return 403, {"message": f'pods "{pod["metadata"]["generateName"]}" is forbidden: {what}'}
        return self.judge(pod)

    def _allows(self, wanted: Json) -> bool:
        return any(
            {wanted["verb"], "*"} & set(rule["verbs"])
            and {wanted["group"], "*"} & set(rule["apiGroups"])
            and {wanted["resource"], "*"} & set(rule["resources"])
            for rule in self.my_rules
        )

    def _objects(self, match: re.Match[str], query: dict[str, str]) -> tuple[int, Any]:
        kind = PLURALS[match["plural"]]
        if kind in self.forbidden:
            return 403, {"message": f"{match['plural']} is forbidden: User cannot read resource {match['plural']}"}
        found = [o for o in self.objects if o["kind"] == kind]
        if match["namespace"]:
            found = [o for o in found if o["metadata"].get("namespace", "default") == match["namespace"]]
        if match["log"]:
            previous = "/previous" if query.get("previous", "").lower() == "true" else ""
            log = self.logs.get(f"{match['name']}/{query['container']}{previous}")
            return (200, log) if log is not None else (400, {"message": "no such log"})
        if match["name"]:
            one = next((o for o in found if o["metadata"]["name"] == match["name"]), None)
            return (200, one) if one is not None else missing(match["name"])
        return 200, page([o for o in found if selected(o, query.get("labelSelector", ""))], query)


class Handler(BaseHTTPRequestHandler):
    """Speaks HTTP."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else the body waits for the client's word on the headers: 40 ms
    site: ApiServer

    def do_GET(self) -> None:
        self.reply("GET")

    def do_POST(self) -> None:
        self.reply("POST")

    def reply(self, method: str) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else {}
        status, found = self.site.answer(method, self.path, body)
        data = (found if isinstance(found, str) else json.dumps(found)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(found, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        pass


def page(found: list[Json], query: dict[str, str]) -> Json:
    """One page of a list."""
    start, limit = int(query.get("continue", 0)), int(query.get("limit", len(found) or 1))
    more = {"continue": str(start + limit)} if start + limit < len(found) else {}
    return {"kind": "List", "metadata": more, "items": found[start : start + limit]}


def selected(found: Json, selector: str) -> bool:
    """Whether a label selector finds an object; `a=b` and `a in (b, c)` are known."""
    labels = found["metadata"].get("labels") or {}
    listed = re.fullmatch(r"(\S+) in \(([^)]*)\)", selector)
    if listed:
        return labels.get(listed[1]) in [value.strip() for value in listed[2].split(",")]
    wanted = dict(word.split("=", 1) for word in selector.split(",") if word)
    return bool(wanted.items() <= labels.items())


def missing(what: str) -> tuple[int, Json]:
    """404."""
    return 404, {"message": f"{what} not found"}
