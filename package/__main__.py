"""The package for other languages: `pulumi package add`."""

from tailscale_sidecar.package.provider import main

main()
