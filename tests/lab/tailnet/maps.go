package main

import (
	"encoding/json"
	"slices"
	"time"

	"tailscale.com/tailcfg"
)

// mapStream is the open map poll of one device. It remembers what the device
// was told, so that each message holds only what changed since.
type mapStream struct {
	woken chan struct{} // something changed
	ended chan struct{} // closed when the poll is to end

	told    map[tailcfg.NodeID]int // the revision of each peer that was sent
	self    int                    // the revision of the device itself
	dns     int                    // the revision of the DNS settings
	started bool
}

func newMapStream() *mapStream {
	return &mapStream{
		woken: make(chan struct{}, 1),
		ended: make(chan struct{}),
		told:  map[tailcfg.NodeID]int{},
	}
}

func (s *mapStream) wake() {
	select {
	case s.woken <- struct{}{}:
	default: // it is to wake up already
	}
}

// end closes the poll. The tailnet's lock must be held.
func (s *mapStream) end() {
	select {
	case <-s.ended:
	default:
		close(s.ended)
	}
}

// openStream makes s the poll of a device, which is online from now on. An
// older poll of the same device ends, also when it is a clone that holds it.
func (t *tailnet) openStream(d *device, s *mapStream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if older := t.streams[d.ID]; older != nil {
		older.end()
	}
	t.streams[d.ID] = s
	t.setOnline(d, true)
}

func (t *tailnet) closeStream(d *device, s *mapStream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.end()
	if t.streams[d.ID] == s {
		delete(t.streams, d.ID)
		if d.Removed.IsZero() {
			t.setOnline(d, false)
		}
	}
}

// pause is how long to collect changes before telling a device. It grows with
// the tailnet: when a thousand devices start together, each learns of the
// others in bulk.
func (t *tailnet) pause() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Duration(len(t.state.Devices)) * time.Millisecond
}

// mapMessage is a tailcfg.MapResponse whose peers are encoded already. They are
// the same for every device, so each is encoded once per change.
type mapMessage struct {
	*tailcfg.MapResponse
	Peers        []json.RawMessage `json:",omitempty"`
	PeersChanged []json.RawMessage `json:",omitempty"`
}

// nextMessage gives what d has not been told yet, or nil.
func (t *tailnet) nextMessage(d *device, s *mapStream) *mapMessage {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !s.started {
		return t.firstMessage(d, s)
	}
	changed, removed := t.peerChanges(d, s)
	message := &mapMessage{
		MapResponse:  &tailcfg.MapResponse{PeersRemoved: removed},
		PeersChanged: changed,
	}
	selfChanged, dnsChanged := s.self != d.revision, s.dns != t.dnsSince
	if selfChanged {
		message.Node = t.selfNode(d)
		s.self = d.revision
	}
	if dnsChanged || selfChanged && t.state.Settings.HTTPS {
		message.DNSConfig = t.dnsConfig(d)
		s.dns = t.dnsSince
	}
	if len(changed) == 0 && len(removed) == 0 && message.Node == nil && message.DNSConfig == nil {
		return nil
	}
	return message
}

func (t *tailnet) firstMessage(d *device, s *mapStream) *mapMessage {
	peers, _ := t.peerChanges(d, s)
	s.started, s.self, s.dns = true, d.revision, t.dnsSince
	now := t.now()
	return &mapMessage{
		MapResponse: &tailcfg.MapResponse{
			Node:            t.selfNode(d),
			DERPMap:         t.derpMap,
			Domain:          t.domain,
			DNSConfig:       t.dnsConfig(d),
			PacketFilter:    tailcfg.FilterAllowAll,
			CollectServices: "true",
			ControlTime:     &now,
			UserProfiles: []tailcfg.UserProfile{
				{ID: adminID, LoginName: userName(adminID), DisplayName: "Lab Admin"},
				{ID: taggedDevicesID, LoginName: userName(taggedDevicesID), DisplayName: "Tagged Devices"},
			},
		},
		Peers: peers,
	}
}

// peerChanges gives the peers that changed since d was last told, in the order
// of their IDs, and those that it is to forget.
func (t *tailnet) peerChanges(d *device, s *mapStream) (changed []json.RawMessage, removed []tailcfg.NodeID) {
	present := 0
	for _, peer := range t.state.Devices {
		if peer == d || !d.Authorized || !peer.Authorized {
			continue // a device that waits for approval sees nobody and is not seen
		}
		revision, told := s.told[peer.ID]
		if !told || revision != peer.revision {
			changed = append(changed, t.encodedPeer(peer))
			s.told[peer.ID] = peer.revision
		}
		present++
	}
	if present < len(s.told) {
		removed = t.forget(d, s)
	}
	return changed, removed
}

func (t *tailnet) forget(d *device, s *mapStream) (removed []tailcfg.NodeID) {
	present := map[tailcfg.NodeID]bool{}
	for _, peer := range t.state.Devices {
		present[peer.ID] = d.Authorized && peer.Authorized
	}
	for id := range s.told {
		if !present[id] {
			delete(s.told, id)
			removed = append(removed, id)
		}
	}
	slices.Sort(removed)
	return removed
}

func (t *tailnet) encodedPeer(d *device) json.RawMessage {
	if d.peerJSON == nil {
		encoded, err := json.Marshal(t.peerNode(d))
		if err != nil {
			panic(err) // no value of these types fails to encode
		}
		d.peerJSON = encoded
	}
	return d.peerJSON
}

// selfNode is d as d itself sees it.
func (t *tailnet) selfNode(d *device) *tailcfg.Node {
	node := t.node(d)
	node.Hostinfo = d.Hostinfo.View()
	node.CapMap = tailcfg.NodeCapMap{}
	if t.state.Settings.HTTPS {
		node.CapMap[tailcfg.CapabilityHTTPS] = nil
	}
	return node
}

// peerNode is d as others see it: of its host they learn only what they need.
func (t *tailnet) peerNode(d *device) *tailcfg.Node {
	node := t.node(d)
	node.Hostinfo = (&tailcfg.Hostinfo{
		OS:       d.Hostinfo.OS,
		Hostname: d.Hostinfo.Hostname,
		Services: d.Hostinfo.Services,
	}).View()
	return node
}

func (t *tailnet) node(d *device) *tailcfg.Node {
	online, lastSeen := d.online, d.LastSeen // the node outlives the lock
	node := &tailcfg.Node{
		ID:                d.ID,
		StableID:          d.StableID,
		Name:              t.fqdn(d),
		User:              d.owner(),
		Key:               d.NodeKey,
		KeyExpiry:         d.KeyExpiry,
		Expired:           d.expired(t.now()),
		Machine:           d.MachineKey,
		DiscoKey:          d.DiscoKey,
		Addresses:         d.addresses(),
		AllowedIPs:        slices.Concat(d.addresses(), d.primaryRoutes, d.exitRoutes()),
		PrimaryRoutes:     d.primaryRoutes,
		Endpoints:         d.Endpoints,
		HomeDERP:          d.HomeDERP,
		Created:           d.Created,
		Cap:               d.Capability,
		Tags:              d.Tags,
		Online:            &online,
		MachineAuthorized: d.Authorized,
	}
	if !online {
		node.LastSeen = &lastSeen
	}
	return node
}
