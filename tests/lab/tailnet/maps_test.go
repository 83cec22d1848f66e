package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"tailscale.com/tailcfg"
)

// peers decodes what a message says about peers: names that came or changed.
func peers(t testing.TB, encoded []json.RawMessage) (names []string) {
	t.Helper()
	for _, peer := range encoded {
		var node tailcfg.Node
		if err := json.Unmarshal(peer, &node); err != nil {
			t.Fatal(err)
		}
		names = append(names, node.Name)
	}
	return names
}

func TestAfterTheFirstMapOnlyChangesAreSent(t *testing.T) {
	tn, _ := testTailnet()
	_, a := join(t, tn, "a", reusable)
	_, b := join(t, tn, "b", reusable)
	stream := newMapStream()

	first := tn.nextMessage(a, stream)
	if got := peers(t, first.Peers); !slices.Equal(got, []string{"b.lab.ts.net."}) || first.Node == nil {
		t.Errorf("first map: peers %v, node %v", got, first.Node)
	}
	if message := tn.nextMessage(a, stream); message != nil {
		t.Errorf("nothing changed, but: %+v", message)
	}
	_, c := join(t, tn, "c", reusable)
	tn.setOnline(b, true)
	message := tn.nextMessage(a, stream)
	if got := peers(t, message.PeersChanged); !slices.Equal(got, []string{"b.lab.ts.net.", "c.lab.ts.net."}) {
		t.Errorf("changed %v", got)
	}
	if message.Node != nil || message.DNSConfig != nil || message.Peers != nil {
		t.Errorf("more than the peers: %+v", message)
	}
	tn.removeDevice(c)
	if message = tn.nextMessage(a, stream); !slices.Equal(message.PeersRemoved, []tailcfg.NodeID{c.ID}) {
		t.Errorf("removed %v", message.PeersRemoved)
	}
}

func TestNewDNSSettingsReachConnectedDevices(t *testing.T) {
	tn, _ := testTailnet()
	_, a := join(t, tn, "a", reusable)
	stream := newMapStream()
	tn.nextMessage(a, stream)
	tn.state.DNS.Split = map[string][]string{"svc.cluster.local": {"10.0.0.10"}}
	tn.state.DNS.Records = map[string]string{"printer.corp.test": "10.0.0.9"}
	tn.dnsChanged()
	config := tn.nextMessage(a, stream).DNSConfig
	if got := config.Routes["svc.cluster.local"]; len(got) != 1 || got[0].Addr != "10.0.0.10" {
		t.Errorf("split DNS %v", got)
	}
	if _, routed := config.Routes["printer.corp.test"]; !routed || config.ExtraRecords[0].Value != "10.0.0.9" {
		t.Errorf("records %v, routes %v", config.ExtraRecords, config.Routes)
	}
}

func TestADeviceThatWaitsForApprovalSeesNobodyAndIsNotSeen(t *testing.T) {
	tn, _ := testTailnet()
	_, a := join(t, tn, "a", reusable)
	tn.state.Settings.DeviceApproval = true
	_, waiting := join(t, tn, "waiting", credential{})
	itself, other := newMapStream(), newMapStream()
	if message := tn.nextMessage(waiting, itself); len(message.Peers) > 0 || message.Node.MachineAuthorized {
		t.Errorf("it sees %v", peers(t, message.Peers))
	}
	if message := tn.nextMessage(a, other); len(message.Peers) > 0 {
		t.Errorf("it is seen: %v", peers(t, message.Peers))
	}
	waiting.Authorized = true
	tn.changed(waiting)
	if got := peers(t, tn.nextMessage(waiting, itself).PeersChanged); len(got) != 1 {
		t.Errorf("after approval it sees %v", got)
	}
	if got := peers(t, tn.nextMessage(a, other).PeersChanged); len(got) != 1 {
		t.Errorf("after approval others see %v", got)
	}
}

func TestARouteHasOnePrimaryThatIsOnline(t *testing.T) {
	tn, _ := testTailnet()
	tn.state.Settings.AutoApproveRoutes = []string{"tag:k8s"}
	route, exit := netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("0.0.0.0/0")
	var routers []*device
	for range 2 {
		h, d := join(t, tn, "router", reusable)
		h.info.RoutableIPs = []netip.Prefix{route, exit}
		h.register(tn, "")
		tn.setOnline(d, true)
		routers = append(routers, d)
	}
	primaries := func() (names []string) {
		for _, d := range routers {
			if len(d.primaryRoutes) > 0 {
				names = append(names, d.Name)
			}
			if !slices.Contains(tn.node(d).AllowedIPs, exit) {
				t.Errorf("%s is no exit node", d.Name)
			}
		}
		return names
	}
	if got := primaries(); !slices.Equal(got, []string{"router"}) {
		t.Errorf("primary %v", got)
	}
	tn.setOnline(routers[0], false)
	if got := primaries(); !slices.Equal(got, []string{"router-1"}) {
		t.Errorf("with the first away the primary is %v", got)
	}
}

func TestANewerPollEndsTheOlderOneOfTheDevice(t *testing.T) {
	tn, _ := testTailnet()
	_, d := join(t, tn, "a", reusable)
	older, newer := newMapStream(), newMapStream()
	tn.openStream(d, older)
	tn.openStream(d, newer)
	<-older.ended
	tn.closeStream(d, older)
	if !d.online {
		t.Error("offline although the newer poll is open")
	}
	tn.closeStream(d, newer)
	if d.online {
		t.Error("online without a poll")
	}
}

// BenchmarkOneChangeToAThousandDevices is what it costs to tell all others that
// one device changed.
func BenchmarkOneChangeToAThousandDevices(b *testing.B) {
	tn, _ := testTailnet()
	key := addKey(tn, reusable)
	streams := map[*device]*mapStream{}
	for i := range 1000 {
		d, _ := newHost(fmt.Sprint("device-", i)).register(tn, key.Secret)
		streams[d] = newMapStream()
	}
	for d, stream := range streams {
		tn.nextMessage(d, stream)
	}
	for b.Loop() {
		tn.changed(tn.state.Devices[0])
		for d, stream := range streams {
			if _, err := json.Marshal(tn.nextMessage(d, stream)); err != nil {
				b.Fatal(err)
			}
		}
	}
}
