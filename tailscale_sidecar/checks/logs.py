"""What the sidecar's log says is wrong: messages of containerboot, tailscaled and this component's scripts, by cause."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

from ..inspection.snapshot import Replica
from ..inspection.unknown_values import UnknownError
from ..report.findings import GUIDE, UPSTREAM, Defect, Severity, quoted
from .template.state import STATE_DIR_UNUSED, state_dir_unused

STUCK_AFTER_CRASH = Defect(
    name="stuck-after-crash",
    severity=Severity.ERROR,
    why=(
        "tailscaled crashed and left the pod's resolv.conf pointing at itself. Nothing in the pod can look up the "
        "cluster's names any more, the sidecar cannot find its state, and no restart of a container changes that."
    ),
    do="kubectl delete pod {pod} --namespace {namespace}. Then see crash-would-break-dns, or it happens again.",
    source="docs/how-it-works.md#startsh-a-clean-start-every-time",
)
API_SERVER_UNREACHABLE = Defect(
    name="api-server-unreachable",
    severity=Severity.ERROR,
    why="The sidecar reads its state Secret before all else, and the pod does not reach the API server or the cluster's DNS.",
    do=(
        "Look at network policies: pod {pod} needs egress to the cluster's DNS (53), and to the API server on 443, and on "
        "6443 where the CNI rewrites the Service's address before it judges. Then at the API server and the DNS themselves."
    ),
    source="https://kubernetes.io/docs/concepts/services-networking/network-policies/",
)
RBAC_MISSING = Defect(
    name="state-secret-not-allowed",
    severity=Severity.ERROR,
    why="Without its state Secret the sidecar does not start.",
    do="Allow the ServiceAccount get, update and patch on the Secret {secret}, or create where it does not exist.",
    source=f"{GUIDE}#step-2-configure-rbac-for-secret-state-storage",
)
KEY_REFUSED = Defect(
    name="credential-refused",
    severity=Severity.ERROR,
    why="The auth key or OAuth client does not exist, was used up, has expired or was revoked.",
    do="Make a new one and put it into the Secret. By hand: delete the pod too; this component's sidecar reads it anew.",
    source=f"{GUIDE}#step-3-authenticate-the-sidecar",
)
TAGS_REFUSED = Defect(
    name="tags-refused",
    severity=Severity.ERROR,
    why="The credential may not give devices these tags.",
    do=(
        "Let the OAuth client or auth key have exactly these tags, or name it as their owner under tagOwners. Headscale "
        "refuses tags beside a pre-auth key: leave tags out, and make the key with them."
    ),
    source=f"{UPSTREAM}/15456",
)
FLAGS_CHANGED = Defect(
    name="flag-removed",
    severity=Severity.ERROR,
    why="`tailscale up` refuses to drop a setting that was made by an earlier one, and the pod crash-loops.",
    do="Add --reset to TS_EXTRA_ARGS.",
    source="https://github.com/truenas/apps/issues/1528",
)
RATE_LIMITED = Defect(
    name="rate-limited",
    severity=Severity.ERROR,
    why=(
        "The replicas asked for too many registrations or keys at once. Or the control plane is overloaded and says when to "
        "ask again: from 1.104 on tailscaled calls that a rate limit too."
    ),
    do="Wait, and do not restart anything. Then scale in steps, with OrderedReady, or set registration_rate.",
    source=f"{UPSTREAM}/14328",
)
TUN_REFUSED = Defect(
    name="tun-device-refused",
    severity=Severity.ERROR,
    why="The container may not open /dev/net/tun.",
    do=(
        "Look at the node: /dev/net/tun must be there (modprobe tun), and runc 1.2.0 to 1.2.3 refuse it to NET_ADMIN alone. "
        "In a user namespace its mode must be 0666, as udev makes it. "
        "Else make the sidecar privileged, or give it the device by a device plugin, or use TS_USERSPACE=true."
    ),
    source="https://github.com/kubernetes/kubernetes/issues/129157",
)
USER_NAMESPACE_DROPPED = Defect(
    name="user-namespace-dropped",
    severity=Severity.ERROR,
    why="The cluster dropped hostUsers from the pod: its root would be the node's, so the sidecar does not start.",
    do=(
        "Upgrade Kubernetes to 1.33, switch on UserNamespacesSupport on API server and kubelets, or look for a webhook that "
        "drops the field. Else remove user_namespace."
    ),
    source="docs/security.md#user-namespaces",
)
ADDRESS_TAKEN = Defect(
    name="address-in-tailnet-range",
    severity=Severity.ERROR,
    why="Linux drops packets from 100.64.0.0/10 that do not come from the tailnet, so the pod would be cut off.",
    do="Use UserspaceNetworking(), or a cluster whose pod, service and node CIDRs are elsewhere.",
    source=f"{UPSTREAM}/1381",
)
SEALED_STATE = Defect(
    name="state-sealed-to-node",
    severity=Severity.ERROR,
    why="Releases 1.92.0 to 1.92.4 encrypt the state with the node's TPM: on another node it cannot be read.",
    do="Upgrade to 1.94 or later; delete the state Secret {secret} if the state stays unreadable (a new device follows).",
    source=f"{UPSTREAM}/18302",
)
DEVICE_DELETED = Defect(
    name="device-deleted",
    severity=Severity.ERROR,
    why="The device was deleted on the tailnet; tailscaled takes the answer for an outage and stays as it is.",
    do="Restart the sidecar: kubectl delete pod {pod} --namespace {namespace}. This component does so by itself.",
    source=f"{UPSTREAM}/20615",
)
LOCKED_OUT = Defect(
    name="locked-out",
    severity=Severity.ERROR,
    why="Tailnet lock is on and nobody has signed this device's key; keys of OAuth clients are never signed.",
    do="Sign it with `tailscale lock sign` on a signing device, or use pre-signed auth keys.",
    source=f"{UPSTREAM}/10008",
)
NOT_APPROVED = Defect(
    name="device-not-approved",
    severity=Severity.ERROR,
    why="Device approval is on, and nobody has approved this device.",
    do="Approve it in the admin console, and append preauthorized=true to the client secret.",
    source=f"{GUIDE}#step-3-authenticate-the-sidecar",
)
UNREACHABLE = Defect(
    name="control-plane-unreachable",
    severity=Severity.ERROR,
    why="The sidecar cannot reach Tailscale's control plane.",
    do="Look at network policies (443, 3478/udp, 41641/udp), the proxy, and the cluster's DNS.",
    source=f"{UPSTREAM}/2574",
)
LOGIN_FAILS = Defect(
    name="login-fails",
    severity=Severity.ERROR,
    why="The sidecar has no device that it can use, and its log-in fails. It keeps trying.",
    do="kubectl logs {pod} --namespace {namespace} --container {container} has the API's answer.",
    source="docs/operations.md#day-two",
)

WAITS_FOR_TURN = Defect(
    name="waits-for-turn",
    severity=Severity.NOTE,
    why="With `registration_rate` replicas log in for the first time one after the other. Its turn has not come yet.",
    do="Wait; kubectl logs {pod} --namespace {namespace} --container {container} says for how long.",
    source="docs/scale.md#1000-replicas-at-a-rate-that-you-set",
)


def rewrites_resolv_conf(replica: Replica) -> bool:
    """Whether a crash of tailscaled left the pod with a resolv.conf that names it."""
    workload = replica.workload
    return replica.restarts > 0 and workload.is_kernel and workload.accepts_dns and workload.shares_resolv_conf


def keeps_state_in_folder(replica: Replica) -> bool:
    """Whether the state was meant for a folder, and goes to a Secret as nothing says otherwise."""
    return any(state_dir_unused(replica.workload))


def always(_: Replica) -> bool:
    """What the log says is enough."""
    return True


CAUSES: tuple[tuple[str, Defect, Callable[[Replica], bool]], ...] = (
    (r"state Secret .*lookup \S+ on 100\.100\.100\.100", STUCK_AFTER_CRASH, rewrites_resolv_conf),
    (r"(state Secret|on secret|kubernetes\.default\.svc).*(dial tcp|lookup) ", API_SERVER_UNREACHABLE, always),
    # Without an address it was not even looked up, or there was no time left: the pod tells which.
    (r"getting Tailscale state Secret .*context deadline exceeded", STUCK_AFTER_CRASH, rewrites_resolv_conf),
    (r"getting Tailscale state Secret .*context deadline exceeded", API_SERVER_UNREACHABLE, always),
    (r"don't have permissions to create it", STATE_DIR_UNUSED, keeps_state_in_folder),
    (r"Kubernetes permissions are missing|don't have permissions to create it", RBAC_MISSING, always),
    (r"This pod has no user namespace", USER_NAMESPACE_DROPPED, always),
    (r"lies in 100\.64\.0\.0/10", ADDRESS_TAKEN, always),
    (r"requires mentioning all", FLAGS_CHANGED, always),
    (r"requested tags .* are invalid or not permitted|tags? .* not permitted", TAGS_REFUSED, always),
    (r"invalid key|API token invalid|unable to validate API key|oauth2: .*(401|unauthorized)", KEY_REFUSED, always),
    (r"node registration rate limited|429 too many requests|http 429|rate limited: ", RATE_LIMITED, always),
    (r"tstun\.New\(|/dev/net/tun does not exist|/dev/net/tun: operation not permitted", TUN_REFUSED, always),
    (r"failed to unseal", SEALED_STATE, always),
    (r"404: node not found", DEVICE_DELETED, always),
    (r"node is locked out", LOCKED_OUT, always),
    (r"To approve your machine, visit", NOT_APPROVED, always),  # said by the control plane, which is so reached
    (r"(lookup|dial tcp).*(controlplane\.tailscale\.com|log-in server|control server)", UNREACHABLE, always),
    (r"Received error: (fetch control key|register request|PollNetMap): (Get|Post) ", UNREACHABLE, always),
    (r"tailscale-sidecar: login failed", LOGIN_FAILS, always),
    (r"tailscale-sidecar: the first login is in", WAITS_FOR_TURN, always),
)
"""What a log says, as a regular expression; the defect that this tells of; and what must be so besides, where one message
has several causes. The first that fits is told, so that the general ones are last."""
DEFECTS = tuple(dict.fromkeys(defect for _, defect, _ in CAUSES))
ON_THE_TAILNET = "-> Running "
"""tailscaled's word for it (tailscale.com@v1.102.5 ipn/ipnlocal/local.go, "Switching ipn state")."""


def cause(replica: Replica, log: str) -> tuple[Defect, str] | None:
    """The defect that a log of a replica tells of, and the last line that says so; None if it says nothing that is known.

    What was in the way before the sidecar was last on the tailnet is not in the way any more.
    """
    lines = log.rpartition(ON_THE_TAILNET)[2].splitlines()
    for pattern, defect, holds in CAUSES:
        line = next((line for line in reversed(lines) if re.search(pattern, line, re.IGNORECASE)), None)
        with suppress(UnknownError):
            if line is not None and holds(replica):
                return defect, quoted(line)
    return None
