package main

import (
	"net/netip"
	"strconv"
	"strings"

	"tailscale.com/net/tsaddr"
	"tailscale.com/util/dnsname"
)

// maxLabel is the longest name that one DNS label can hold (RFC 1035).
const maxLabel = 63

// uniqueName turns a host name into a DNS label that no device holds yet:
// "Web_1" becomes "web-1", and "web-1-1" when "web-1" is taken.
func uniqueName(hostname string, taken func(string) bool) string {
	base := strings.ToLower(dnsname.SanitizeHostname(hostname))
	if base == "" {
		base = "device"
	}
	name := base
	for n := 1; taken(name); n++ {
		suffix := "-" + strconv.Itoa(n)
		name = base[:min(len(base), maxLabel-len(suffix))] + suffix
	}
	return name
}

// firstAddress is the lowest address given to a device.
var firstAddress = netip.MustParseAddr("100.64.0.1")

// nextAddress gives the IPv4 address to try after last. It only ever moves
// forward until the range wraps, so a deleted device's address comes back as
// late as possible.
func nextAddress(last netip.Addr, taken func(netip.Addr) bool) netip.Addr {
	addr := last
	for range 1 << 22 { // as many as 100.64.0.0/10 holds
		if addr.IsValid() {
			addr = addr.Next()
		}
		if !tsaddr.CGNATRange().Contains(addr) {
			addr = firstAddress
		}
		if assignable(addr) && !taken(addr) {
			return addr
		}
	}
	panic("every address of 100.64.0.0/10 is taken")
}

// assignable leaves out what Tailscale keeps for itself (100.100.100.100 and
// its /24) and ChromeOS's range, and the ends of a /24 for readers' sake.
func assignable(addr netip.Addr) bool {
	b := addr.As4()
	reserved := b[1] == 100 && (b[2] == 100 || b[2] == 0)
	return !reserved && !tsaddr.ChromeOSVMRange().Contains(addr) && b[3] != 0 && b[3] != 255
}
