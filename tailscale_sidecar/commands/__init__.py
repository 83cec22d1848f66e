"""The commands of `tailscale-sidecar`, one a file."""
