package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// The two users of the tailnet: its admin, who owns untagged devices, and the
// stand-in that the real service names as the owner of tagged ones.
const (
	adminID         tailcfg.UserID = 1
	taggedDevicesID tailcfg.UserID = 2
)

// adminGroup is what tag owners call the admin of this tailnet.
const adminGroup = "autogroup:admin"

// register answers a device that wants to join, to stay or to leave. The device
// is nil if none came of it.
func (t *tailnet) register(machine key.MachinePublic, req *tailcfg.RegisterRequest) (*device, tailcfg.RegisterResponse) {
	t.mu.Lock()
	defer t.mu.Unlock()

	known := t.byNodeKey(req.NodeKey)
	switch {
	case known != nil && known.MachineKey != machine:
		return nil, refusal(errors.New("node key belongs to another machine"))
	case !req.Expiry.IsZero() && req.Expiry.Before(t.now()):
		t.logOut(known)
		return known, tailcfg.RegisterResponse{NodeKeyExpired: true}
	case req.Auth != nil && req.Auth.AuthKey != "":
		return t.logIn(machine, known, req)
	case known == nil:
		// Nobody visits the address, so the device waits for an auth key.
		return nil, tailcfg.RegisterResponse{AuthURL: "/a/" + randomID(12)}
	case known.expired(t.now()):
		return known, tailcfg.RegisterResponse{NodeKeyExpired: true}
	case asksForOtherTags(known, req.Hostinfo) && !t.retag(known, req.Hostinfo.RequestTags):
		return known, refusal(tagsRefused(req.Hostinfo.RequestTags))
	default:
		return known, t.refresh(known, req)
	}
}

func refusal(err error) tailcfg.RegisterResponse {
	return tailcfg.RegisterResponse{Error: err.Error()}
}

// logOut expires the key of a device, and forgets a device that is ephemeral.
func (t *tailnet) logOut(d *device) {
	switch {
	case d == nil:
	case d.Ephemeral:
		t.removeDevice(d)
	default:
		t.expireKey(d)
	}
}

// logIn registers a device with an auth key. Like the real service it pays no
// attention to a key that exists, even a spent one, as long as the device's own
// key is valid and nothing new is asked for: that is how a container that always
// presents its key restarts.
func (t *tailnet) logIn(machine key.MachinePublic, known *device, req *tailcfg.RegisterRequest) (*device, tailcfg.RegisterResponse) {
	credential, err := t.checkAuthKey(req.Auth.AuthKey)
	stays := known != nil && !known.expired(t.now()) && !asksForOtherTags(known, req.Hostinfo)
	if stays && credential != nil {
		return known, t.refresh(known, req)
	}
	if err != nil {
		return nil, refusal(err)
	}
	tags, err := t.tagsFor(credential, req.Hostinfo.RequestTags)
	if err != nil {
		return nil, refusal(err)
	}

	d := t.byMachineKey(machine)
	if d == nil {
		d = t.addDevice(machine, req.Hostinfo)
		d.Preauthorized = credential.Preauthorized
		d.Authorized = credential.Preauthorized || !t.state.Settings.DeviceApproval
	}
	d.NodeKey = req.NodeKey
	d.Tags = tags
	d.Ephemeral = credential.Ephemeral || req.Ephemeral
	d.KeyExpiry = time.Time{}
	if len(tags) == 0 && !d.KeyExpiryDisabled {
		d.KeyExpiry = t.now().Add(nodeKeyLifetime)
	}
	d.Logins++
	d.AuthKey, d.AuthKeyOwner = credential.ID, credential.Owner
	credential.Uses++
	return d, t.refresh(d, req)
}

func asksForOtherTags(d *device, hostinfo *tailcfg.Hostinfo) bool {
	return len(hostinfo.RequestTags) > 0 && !sameTags(hostinfo.RequestTags, d.Tags)
}

func sameTags(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// tagsFor decides the tags of a device: those of its auth key, of which it may
// name some, or with an untagged key those that the admin owns.
func (t *tailnet) tagsFor(c *credential, requested []string) ([]string, error) {
	var refused []string
	for _, tag := range requested {
		if len(c.Tags) > 0 && !slices.Contains(c.Tags, tag) ||
			len(c.Tags) == 0 && !t.owns([]string{adminGroup}, tag) {
			refused = append(refused, tag)
		}
	}
	if len(refused) > 0 {
		return nil, tagsRefused(refused)
	}
	if len(c.Tags) > 0 {
		return slices.Clone(c.Tags), nil
	}
	return slices.Clone(requested), nil
}

func tagsRefused(tags []string) error {
	return fmt.Errorf("requested tags [%s] are invalid or not permitted", strings.Join(tags, " "))
}

// refresh takes in what the request says about a device that may stay.
func (t *tailnet) refresh(d *device, req *tailcfg.RegisterRequest) tailcfg.RegisterResponse {
	if !req.Expiry.IsZero() && (d.KeyExpiry.IsZero() || req.Expiry.Before(d.KeyExpiry)) {
		d.KeyExpiry = req.Expiry
	}
	d.Registrations++
	d.Capability = req.Version
	t.setHostinfo(d, req.Hostinfo)
	t.changed(d)
	return tailcfg.RegisterResponse{
		User:              tailcfg.User{ID: d.owner(), DisplayName: userName(d.owner())},
		Login:             tailcfg.Login{ID: tailcfg.LoginID(d.owner()), LoginName: userName(d.owner())},
		MachineAuthorized: d.Authorized,
	}
}

func (d *device) owner() tailcfg.UserID {
	if len(d.Tags) > 0 {
		return taggedDevicesID
	}
	return adminID
}

func userName(id tailcfg.UserID) string {
	if id == taggedDevicesID {
		return "tagged-devices"
	}
	return "admin@lab.example"
}

// retag gives a device the tags that it asks for if its own tags, or those of
// the admin, own them. It reports whether they do.
func (t *tailnet) retag(d *device, requested []string) bool {
	owners := d.Tags
	if len(owners) == 0 {
		owners = []string{adminGroup}
	}
	for _, tag := range requested {
		if !t.owns(owners, tag) {
			return false
		}
	}
	d.Tags = slices.Clone(requested)
	d.KeyExpiry = time.Time{} // tagged devices do not expire
	return true
}

// requestTags plays what happens to a connected device that starts to ask for
// other tags: it gets them if it may, and otherwise has to log in again.
func (t *tailnet) requestTags(d *device, hostinfo *tailcfg.Hostinfo) {
	news := !sameTags(hostinfo.RequestTags, d.Hostinfo.RequestTags)
	if news && asksForOtherTags(d, hostinfo) && !t.retag(d, hostinfo.RequestTags) {
		t.expireKey(d)
	}
}
