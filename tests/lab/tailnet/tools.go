//go:build tools

// The lab runs the real programs against this control plane. Naming them here
// makes go.mod and go.sum pin them, so that `go build tailscale.com/cmd/tailscaled`
// works in this folder and always builds the release the tests were written for.
package main

import (
	_ "tailscale.com/cmd/containerboot"
	_ "tailscale.com/cmd/tailscale"
	_ "tailscale.com/cmd/tailscaled"
)
