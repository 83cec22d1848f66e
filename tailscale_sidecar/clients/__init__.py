"""The ways to a cluster and to Tailscale's API."""
