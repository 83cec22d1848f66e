package main

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"tailscale.com/net/tsaddr"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// device is one machine of the tailnet. Its exported fields are what the state
// file keeps.
type device struct {
	ID       tailcfg.NodeID
	StableID tailcfg.StableNodeID
	Name     string // the first label of its domain name, unique in the tailnet
	// FixedName is set once the API gave the name; then the host name no
	// longer changes it.
	FixedName bool

	MachineKey key.MachinePublic
	NodeKey    key.NodePublic
	DiscoKey   key.DiscoPublic

	IPv4, IPv6 netip.Addr
	Endpoints  []netip.AddrPort
	HomeDERP   tailcfg.DERPRegionID
	Capability tailcfg.CapabilityVersion
	Hostinfo   *tailcfg.Hostinfo

	Tags              []string
	Ephemeral         bool
	Preauthorized     bool
	Authorized        bool
	KeyExpiry         time.Time // zero: never
	KeyExpiryDisabled bool
	EnabledRoutes     []netip.Prefix

	Created       time.Time
	LastSeen      time.Time
	Removed       time.Time
	Registrations int    // register requests that were accepted
	Logins        int    // those that used an auth key
	AuthKey       string // the ID of the auth key of the last login
	AuthKeyOwner  string // the ID of the client that made that key, if one did

	// Simulated devices are make-believe peers without a process.
	Simulated   bool
	StaysOnline bool // of a simulated device

	online        bool
	offlineSince  time.Time
	primaryRoutes []netip.Prefix
	revision      int
	peerJSON      []byte // what peers are told, until the next revision
}

func (d *device) hostname() string { return d.Hostinfo.Hostname }

func (d *device) addresses() []netip.Prefix {
	return []netip.Prefix{
		netip.PrefixFrom(d.IPv4, d.IPv4.BitLen()),
		netip.PrefixFrom(d.IPv6, d.IPv6.BitLen()),
	}
}

func (d *device) advertisedRoutes() []netip.Prefix { return d.Hostinfo.RoutableIPs }

// activeRoutes are those that the device offers and an admin enabled.
func (d *device) activeRoutes() []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(d.EnabledRoutes), func(route netip.Prefix) bool {
		return !slices.Contains(d.advertisedRoutes(), route)
	})
}

func (d *device) exitRoutes() []netip.Prefix {
	return slices.DeleteFunc(d.activeRoutes(), func(route netip.Prefix) bool { return !isExitRoute(route) })
}

func (d *device) expired(now time.Time) bool {
	return !d.KeyExpiry.IsZero() && d.KeyExpiry.Before(now)
}

func isExitRoute(route netip.Prefix) bool { return route.Bits() == 0 }

// find gives the first device for which match holds, or nil.
func (t *tailnet) find(match func(*device) bool) *device {
	i := slices.IndexFunc(t.state.Devices, match)
	if i < 0 {
		return nil
	}
	return t.state.Devices[i]
}

func (t *tailnet) byNodeKey(nodeKey key.NodePublic) *device {
	return t.find(func(d *device) bool { return d.NodeKey == nodeKey })
}

func (t *tailnet) byMachineKey(machine key.MachinePublic) *device {
	return t.find(func(d *device) bool { return d.MachineKey == machine })
}

// byID accepts both forms of the API: the numeric ID and the stable node ID.
func (t *tailnet) byID(id string) *device {
	return t.find(func(d *device) bool {
		return string(d.StableID) == id || strconv.FormatInt(int64(d.ID), 10) == id
	})
}

// addDevice makes a device with a name, an ID and addresses of its own.
func (t *tailnet) addDevice(machine key.MachinePublic, hostinfo *tailcfg.Hostinfo) *device {
	now := t.now()
	t.state.LastID++
	d := &device{
		ID:           t.state.LastID,
		StableID:     tailcfg.StableNodeID("n" + randomID(8) + "CNTRL"),
		MachineKey:   machine,
		Hostinfo:     hostinfo,
		Created:      now,
		LastSeen:     now,
		offlineSince: now,
	}
	d.Name = t.freeName(d)
	d.IPv4 = t.freeAddress()
	d.IPv6 = tsaddr.Tailscale4To6(d.IPv4)
	t.state.Devices = append(t.state.Devices, d)
	return d
}

func (t *tailnet) freeName(d *device) string {
	return uniqueName(d.hostname(), func(name string) bool {
		holder := t.find(func(other *device) bool { return other.Name == name })
		return holder != nil && holder != d
	})
}

func (t *tailnet) freeAddress() netip.Addr {
	last, _ := netip.ParseAddr(t.state.LastAddress) // empty before the first device
	addr := nextAddress(last, func(a netip.Addr) bool {
		return t.find(func(d *device) bool { return d.IPv4 == a }) != nil
	})
	t.state.LastAddress = addr.String()
	return addr
}

// removeDevice takes a device off the tailnet. Its open map poll ends, and the
// next one is answered with 404, as a client of the real service sees it.
func (t *tailnet) removeDevice(d *device) {
	t.state.Devices = slices.DeleteFunc(t.state.Devices, func(other *device) bool { return other == d })
	d.Removed = t.now()
	d.online = false
	t.state.Removed = append(t.state.Removed, d)
	if s := t.streams[d.ID]; s != nil {
		s.end()
	}
	t.choosePrimaryRoutes()
	t.changed(nil)
}

// removeStaleEphemeral removes the ephemeral devices that have been away for
// longer than the timeout.
func (t *tailnet) removeStaleEphemeral() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for _, d := range slices.Clone(t.state.Devices) {
		if d.Ephemeral && !d.online && !d.Simulated && now.Sub(d.offlineSince) > t.ephemeralTimeout {
			t.removeDevice(d)
		}
	}
}

func (t *tailnet) setOnline(d *device, online bool) {
	if d.online == online {
		return
	}
	d.online = online
	d.LastSeen = t.now()
	d.offlineSince = t.now()
	t.choosePrimaryRoutes()
	t.changed(d)
}

// setHostinfo takes in what a device says about itself.
func (t *tailnet) setHostinfo(d *device, hostinfo *tailcfg.Hostinfo) {
	renamed := hostinfo.Hostname != d.hostname()
	d.Hostinfo = hostinfo
	if renamed && !d.FixedName {
		d.Name = t.freeName(d)
	}
	if netInfo := hostinfo.NetInfo; netInfo != nil && netInfo.PreferredDERP != 0 {
		d.HomeDERP = netInfo.PreferredDERP
	}
	t.autoApproveRoutes(d)
	t.choosePrimaryRoutes()
}

func (t *tailnet) expireKey(d *device) {
	d.KeyExpiry = t.now().Add(-time.Second)
	t.changed(d)
}

// autoApproveRoutes enables all that d offers if one of its tags is trusted.
func (t *tailnet) autoApproveRoutes(d *device) {
	trusted := slices.ContainsFunc(d.Tags, func(tag string) bool {
		return slices.Contains(t.state.Settings.AutoApproveRoutes, tag)
	})
	if !trusted {
		return
	}
	for _, route := range d.advertisedRoutes() {
		if !slices.Contains(d.EnabledRoutes, route) {
			d.EnabledRoutes = append(d.EnabledRoutes, route)
		}
	}
}

// choosePrimaryRoutes gives each subnet route to one device: the oldest that is
// online, else the oldest. Exit routes have no primary.
func (t *tailnet) choosePrimaryRoutes() {
	primary := map[netip.Prefix]*device{}
	for _, d := range t.state.Devices {
		for _, route := range d.activeRoutes() {
			if held := primary[route]; held == nil || (d.online && !held.online) {
				primary[route] = d
			}
		}
	}
	for _, d := range t.state.Devices {
		routes := slices.DeleteFunc(d.activeRoutes(), func(route netip.Prefix) bool {
			return isExitRoute(route) || primary[route] != d
		})
		if !slices.Equal(routes, d.primaryRoutes) {
			d.primaryRoutes = routes
			t.changed(d)
		}
	}
}
