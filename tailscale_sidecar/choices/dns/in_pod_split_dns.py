from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field, field_validator
from typing_extensions import override

from ...pod.additions import Additions, Surroundings
from ...pod.contract import COREFILE_ANNOTATION, COREFILE_VOLUME, RESOLVER
from ...pod.model import Items
from ...pod.objects import Json, env_field, env_value, startup_probe
from ._dns import Dns, resolvers

# The first server is the app's, the second a store of last answers, for a tailscaled that is down. Each question of the app
# goes to the store, whatever that answers (`next`), so that it asks tailscaled itself and has the newest answer of each
# name, for an hour; then to tailscaled; and what tailscaled does not answer within half a second, or at once while its
# address is unreachable, the store answers. So nothing is older than a second while tailscaled answers. One server with
# `serve_stale ... verify` would do it if, in CoreDNS 1.15.0, a second question during the first one's verification did not
# get the old answer, or, without a time-out, an old NXDOMAIN did not win over a newer address.
#
# Without stored answers glibc, told half of an answer by a tailscaled that is killed before the other half, says that the
# name does not exist (getaddrinfo: EAI_NODATA). The brackets are for IPv6; Go takes them around IPv4 too.
COREFILE = """\
{domains} {{
  bind 127.0.0.1
  errors
  cache {{
    success 1000 1 0
    denial 1000 1 0
    servfail 0
  }}
  forward . 127.0.0.2 {{
    max_fails 0
    next NOERROR NXDOMAIN SERVFAIL
  }}
  forward . 100.100.100.100 127.0.0.2 {{
    policy sequential
    max_fails 0
    read_timeout 500ms
  }}
}}
{domains} {{
  bind 127.0.0.2
  cache {{
    success 1000 1 0
    denial 1000 1 0
    servfail 0
    serve_stale 1h
  }}
  forward . 100.100.100.100 {{
    max_fails 0
    prefer_udp
  }}
}}
. {{
  bind 127.0.0.1
  errors
  ready [{{$POD_IP}}]:{ready_port}
  forward . /etc/resolv.conf
}}
"""
RESOURCES: Json = {"requests": {"cpu": "5m", "memory": "24Mi"}}
"""As pod_template.DEFAULT_RESOURCES."""


class InPodSplitDns(Dns):
    """A resolver in each pod: the tailnet's domains go to Tailscale, all else to the cluster's DNS.

    It needs nothing from the tailnet, is the same for any number of clusters, and while tailscaled is down goes on
    answering the cluster's names, and the tailnet's that were asked for in the hour before. It is CoreDNS, a native
    sidecar on 127.0.0.1:53.
    """

    needs_tun: ClassVar[bool] = True

    tailnet_domains: Items[str] = Field(default=("ts.net",), min_length=1)
    """Domains that the tailnet resolves, each with all below it. Headscale: its base domain."""
    ready_port: int = Field(default=9003, ge=1, le=65535)
    """Port on the pod's address where the resolver says that it is ready."""

    @field_validator("tailnet_domains")
    @classmethod
    def _check_domains(cls, domains: tuple[str, ...]) -> tuple[str, ...]:
        for domain in domains:
            if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", domain):
                raise ValueError(f"{domain!r} is not a domain name in lower case, such as ts.net")
            if domain == "local" or f".{domain}".endswith(".cluster.local"):
                raise ValueError(f"{domain!r} belongs to the cluster; list the tailnet's domains only")
            if domains.count(domain) > 1:
                raise ValueError(f"{domain!r} is listed twice")
        return domains

    @override
    def additions(self, pod: Surroundings) -> Additions:
        corefile = COREFILE.format(domains=" ".join(self.tailnet_domains), ready_port=self.ready_port)
        file = {"path": "Corefile", "fieldRef": {"fieldPath": f"metadata.annotations['{COREFILE_ANNOTATION}']"}}
        app = resolvers(accept_dns=True, app_nameserver="127.0.0.1") + Additions(
            annotations=((COREFILE_ANNOTATION, corefile),),
            volumes=({"name": COREFILE_VOLUME, "downwardAPI": {"items": [file]}},),
        )
        coredns = self._coredns(pod)
        if pod.waits_for_tailnet:
            # The app waits for the tailnet, and the sidecar that goes there for the resolver: scripts/start.sh.
            return app + Additions(env=(env_value("RESOLVER_READY_PORT", str(self.ready_port)),), sidecars=(coredns,))
        coredns["startupProbe"] = startup_probe("/ready", self.ready_port)
        return app + Additions(sidecars=(coredns,))

    @property
    @override
    def takes_tailscales_domain(self) -> bool:
        return "tailnet_domains" not in self.model_fields_set

    @override
    def ports(self) -> dict[int, str]:
        return {53: "dns=InPodSplitDns()", self.ready_port: "dns=InPodSplitDns(ready_port=...)"}

    def _coredns(self, pod: Surroundings) -> Json:
        return {
            "name": RESOLVER,
            "image": pod.dns_image,
            **({"imagePullPolicy": pod.image_pull_policy} if pod.image_pull_policy else {}),
            "restartPolicy": "Always",
            "args": ["-conf", "/etc/coredns/Corefile"],
            "env": [env_field("POD_IP", "status.podIP")],
            "volumeMounts": [{"name": COREFILE_VOLUME, "mountPath": "/etc/coredns", "readOnly": True}],
            "resources": RESOURCES if pod.dns_resources is None else pod.dns_resources,
            # Root with the one capability for port 53: the image's binary carries it as a file capability, and could
            # not even be executed without it in the bounding set.
            "securityContext": {
                "runAsUser": 0,
                "runAsGroup": 0,
                "runAsNonRoot": False,
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
            },
        }
