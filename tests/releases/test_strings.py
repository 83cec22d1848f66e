"""Scripts and `doctor` read tailscaled's log and answers. Each release that the component takes must still say the same."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tailscale_sidecar.checks.logs import CAUSES
from tailscale_sidecar.checks.pods import LAST_BEFORE_API_SERVER
from tailscale_sidecar.pod import rules
from tests.lab import binaries, settings
from tests.support.sandbox import SCRIPTS

RELEASES = ("1.96.5", "1.98.10", "1.100.0", "1.102.5", settings.TAILSCALE_VERSION)
"""The last of each minor version, from the floor of all choices on."""


@dataclass(frozen=True)
class Said:
    """A text that something here relies on, and what of Tailscale's source says it."""

    here: str
    source: str
    file: str
    since: tuple[int, int] = (0, 0)


DIRECT = "control/controlclient/direct.go"
STATUS = "ipn/ipnstate/ipnstate.go"
STATES = "ipn/backend.go"
SET = "cmd/tailscale/cli/set.go"
UP = "cmd/tailscale/cli/up.go"
BOOT = "cmd/containerboot/settings.go"
CLIENT = "kube/kubeclient/client.go"
ADMISSION = "tailcfg/derpmap.go"

BY_SCRIPTS = {
    "tailscaled.sh": (
        Said("client.Login(0)", '"client.Login(%v)"', "control/controlclient/auto.go"),
        Said(
            "RegisterReq: got response; ",
            '"RegisterReq: got response; nodeKeyExpired=%v, machineAuthorized=%v;',
            DIRECT,
        ),
        Said("machineAuthorized=true", "machineAuthorized=%v", DIRECT),
        Said(" 404: node not found", '"initial fetch failed %d: %.200s"', DIRECT),
        Said(
            "store.New failed: ", '"store.New failed: %v; starting with in-memory store', "cmd/tailscaled/tailscaled.go"
        ),
    ),
    "connect.sh": (
        Said("HaveNodeKey:true", "HaveNodeKey bool", STATUS),
        Said("BackendState:Running", "BackendState string", STATUS),
        Said("BackendState:Running", '"Running"', STATES),
        Said("BackendState:NeedsLogin", '"NeedsLogin"', STATES),
        Said("AdvertiseTags:$tags,", "AdvertiseTags []string", "ipn/prefs.go"),
        Said("ControlURL:$server,", "ControlURL string", "ipn/prefs.go"),
        Said("NodeID:", "NodeID ", "types/persist/persist.go"),
        *(Said(f"--{flag}", f'"{flag}"', UP) for flag in ("force-reauth", "client-id", "id-token", "audience")),
        *(Said(f"--{flag}", f'"{flag}"', SET) for flag in (*rules.FREE_FLAGS, "webclient")),
    ),
    "turn.sh": (Said('"HaveNodeKey": *true', "HaveNodeKey bool", STATUS),),
    "watch.sh": (
        Said('"BackendState": "Running"', "BackendState string", STATUS),
        Said('"PublicKey"', "PublicKey key.NodePublic", STATUS),
        Said("NodePublic", "NodePublic key.NodePublic", ADMISSION),
        Said('"Allow"', "Allow bool", ADMISSION),
    ),
    "metrics.sh": (
        Said("BackendState", "BackendState string", STATUS),
        Said("Online", "Online         bool", STATUS),
        Said("KeyExpiry", "KeyExpiry *time.Time", STATUS),
        Said("MagicDNSEnabled", "MagicDNSEnabled bool", STATUS),
        Said("controlclient_map_response_message", '"controlclient_map_response_message"', DIRECT),
        Said("local-tailscaled.sock", '"local-tailscaled.sock"', "client/tailscale/apitype/apitype.go"),
        Said("usermetrics", '"usermetrics"', "ipn/localapi/localapi.go"),
    ),
    "start.sh": (
        Said('"version": "alpha0"', '"alpha0"', "ipn/conffile/conffile.go"),
        Said(
            "TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV",
            '"TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV"',
            "ipn/store/kubestore/store_kube.go",
        ),
    ),
}
BY_DOCTOR = (
    Said("Kubernetes permissions are missing", "Kubernetes permissions are missing", BOOT),
    Said("don't have permissions to create it", "don't have permissions to create it", BOOT),
    Said("getting Tailscale state Secret x: context deadline exceeded", "getting Tailscale state Secret", BOOT),
    Said("checking get permission on secret x: Post y: dial tcp z", "checking %s permission on secret %s: %v", CLIENT),
    Said(LAST_BEFORE_API_SERVER, f"{LAST_BEFORE_API_SERVER}`)", CLIENT),
    Said("requires mentioning all", "requires mentioning all", UP),
    Said("node registration rate limited", "node registration rate limited; will retry after", DIRECT, since=(1, 98)),
    Said('tstun.New("tailscale0"): x', '"tstun.New(%q): %w"', "cmd/tailscaled/tailscaled.go"),
    Said("/dev/net/tun does not exist", "but %s does not exist", "net/tstun/tun_linux.go"),
    Said("failed to unseal state file", "failed to unseal state file", "feature/tpm/tpm.go"),
    Said("this node is locked out", "this node is locked out", "health/healthmsg/healthmsg.go"),
    Said("To approve your machine, visit", "To approve your machine, visit", UP),
    Said("Received error: fetch control key: Get x", '"Received error: %v"', "ipn/ipnlocal/local.go"),
    Said("Received error: fetch control key: Get x", '"fetch control key: %v"', DIRECT),
)


@cache
def source_of(release: str) -> Path:
    """The folder of Tailscale's source."""
    said = binaries.go("mod", "download", "-json", f"tailscale.com@v{release}", cwd=Path("/"))
    return Path(json.loads(said)["Dir"])


@pytest.mark.parametrize("release", RELEASES)
def test_a_release_says_what_scripts_and_doctor_read(release: str) -> None:
    every = [(script, said) for script, texts in BY_SCRIPTS.items() for said in texts]
    every += [("doctor", said) for said in BY_DOCTOR]
    minor = tuple(map(int, release.split(".")))[:2]
    vanished = [
        f"{reader} reads {said.here!r}, and {said.file} has no {said.source!r}"
        for reader, said in every
        if minor >= said.since and said.source not in (source_of(release) / said.file).read_text(encoding="utf-8")
    ]
    assert vanished == []


def test_what_is_looked_up_is_what_they_read() -> None:
    unread = [said.here for script, texts in BY_SCRIPTS.items() for said in texts if said.here not in SCRIPTS[script]]
    unread += [
        said.here
        for said in BY_DOCTOR
        if said.here != LAST_BEFORE_API_SERVER
        and not any(re.search(pattern, said.here, re.IGNORECASE) for pattern, *_ in CAUSES)
    ]
    assert unread == []
