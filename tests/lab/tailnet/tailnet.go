package main

import (
	"slices"
	"sync"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// tailnet is everything the control plane knows: devices, credentials, DNS and
// settings. One lock guards it all; no method does I/O while it holds the lock.
type tailnet struct {
	domain           string // such as lab.ts.net
	ephemeralTimeout time.Duration
	tokenLifetime    time.Duration
	derpMap          *tailcfg.DERPMap
	initial          settings // those of the flags; a reset goes back to them
	now              func() time.Time

	mu       sync.Mutex
	state    state
	streams  map[tailcfg.NodeID]*mapStream
	revision int // of the newest change to anything that a map shows
	dnsSince int // the revision at which DNS last changed
	dirty    bool
}

// state is the part that outlives the process.
type state struct {
	NoiseKey    key.MachinePrivate
	LegacyKey   key.MachinePrivate
	DERPKey     key.NodePrivate
	DERPPort    int // where the relay was last; its clients come back there
	LastID      tailcfg.NodeID
	LastAddress string
	Devices     []*device // in the order of their IDs
	Removed     []*device
	Credentials []*credential
	DNS         dnsSettings
	Settings    settings
}

// settings are the switches of the tailnet that a test may turn.
type settings struct {
	DeviceApproval    bool                `json:"device_approval"`
	HTTPS             bool                `json:"https"`
	AutoApproveRoutes []string            `json:"auto_approve_routes"`
	TagOwners         map[string][]string `json:"tag_owners"`
}

func newTailnet(domain string) *tailnet {
	return &tailnet{
		domain:           domain,
		ephemeralTimeout: time.Minute,
		tokenLifetime:    time.Hour,
		now:              time.Now,
		streams:          map[tailcfg.NodeID]*mapStream{},
		state: state{
			NoiseKey:  key.NewMachine(),
			LegacyKey: key.NewMachine(),
			DERPKey:   key.NewNode(),
			DNS:       dnsSettings{MagicDNS: true},
		},
	}
}

// changed gives d a new revision and wakes every map stream. A nil d means
// that something other than a device changed. The lock must be held.
func (t *tailnet) changed(d *device) {
	t.revision++
	t.dirty = true
	if d != nil {
		d.revision = t.revision
		d.peerJSON = nil
	}
	for _, s := range t.streams {
		s.wake()
	}
}

// reset forgets devices, credentials, DNS and settings, and keeps the server's
// keys: running clients hold on to those.
func (t *tailnet) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := t.state
	t.state = state{
		NoiseKey:    kept.NoiseKey,
		LegacyKey:   kept.LegacyKey,
		DERPKey:     kept.DERPKey,
		DERPPort:    kept.DERPPort,
		LastID:      kept.LastID,
		LastAddress: kept.LastAddress,
		DNS:         dnsSettings{MagicDNS: true},
		Settings:    t.initial,
	}
	for _, s := range t.streams {
		s.end()
	}
	t.dnsChanged()
}

// owns reports whether one of the owners may give out a tag.
func (t *tailnet) owns(owners []string, tag string) bool {
	return slices.ContainsFunc(t.state.Settings.TagOwners[tag], func(owner string) bool {
		return slices.Contains(owners, owner)
	})
}
