"""The policy pack: `pulumi preview --policy-pack policy`."""

from pulumi_policy import PolicyPack

from tailscale_sidecar.policy import policies

PolicyPack("tailscale-sidecar", policies())
