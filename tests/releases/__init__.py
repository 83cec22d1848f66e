"""What the sidecar's scripts and `doctor` read of Tailscale, looked up in the source of each release."""
