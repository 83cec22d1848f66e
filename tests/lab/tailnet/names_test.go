package main

import (
	"net/netip"
	"strings"
	"testing"
)

func TestUniqueNameIsALabelThatNobodyHolds(t *testing.T) {
	long := strings.Repeat("a", 63)
	taken := map[string]bool{"web": true, "web-1": true, long: true}
	for hostname, want := range map[string]string{
		"db":           "db",
		"Web_1":        "web-1-1",
		"web":          "web-2",
		"db.local":     "db",
		"a.b":          "a-b",
		"":             "device",
		"***":          "device",
		long:           long[:61] + "-1",
		long + "bbbbb": long[:61] + "-1",
	} {
		if got := uniqueName(hostname, func(name string) bool { return taken[name] }); got != want {
			t.Errorf("uniqueName(%q) = %q, want %q", hostname, got, want)
		}
	}
}

func TestAddressesMoveForwardAndSkipTakenAndReservedOnes(t *testing.T) {
	taken := map[string]bool{"100.64.0.2": true}
	isTaken := func(a netip.Addr) bool { return taken[a.String()] }
	for last, want := range map[string]string{
		"":                "100.64.0.1",
		"100.64.0.1":      "100.64.0.3",
		"100.64.0.254":    "100.64.1.1",
		"100.100.99.254":  "100.100.101.1", // 100.100.100.0/24 is Tailscale's own
		"100.127.255.254": "100.64.0.1",
	} {
		var from netip.Addr
		if last != "" {
			from = netip.MustParseAddr(last)
		}
		if got := nextAddress(from, isTaken).String(); got != want {
			t.Errorf("after %q comes %s, want %s", last, got, want)
		}
	}
}
