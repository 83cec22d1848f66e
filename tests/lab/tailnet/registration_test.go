package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tailscale.com/types/key"
)

var reusable = credential{Reusable: true, Preauthorized: true, Tags: []string{"tag:k8s"}}

func TestARegistrationNeedsAUsableKey(t *testing.T) {
	tn, clock := testTailnet()
	expiring := addKey(tn, credential{Reusable: true, Expires: clock.at.Add(time.Hour)})
	spent := addKey(tn, credential{})
	revoked := addKey(tn, reusable)
	newHost("first").register(tn, spent.Secret)
	tn.revoke(revoked)
	clock.advance(2 * time.Hour)

	for name, test := range map[string]struct{ key, want string }{
		"nonsense":  {"hello", "invalid key: unable to validate API key"},
		"made up":   {"tskey-auth-k1-x", "invalid key: API key does not exist"},
		"expired":   {expiring.Secret, "invalid key: API key " + expiring.ID + " not valid"},
		"used once": {spent.Secret, "invalid key: API key " + spent.ID + " not valid"},
		"revoked":   {revoked.Secret, "invalid key: API key " + revoked.ID + " not valid"},
	} {
		if d, res := newHost("app").register(tn, test.key); d != nil || res.Error != test.want {
			t.Errorf("%s: %q, want %q", name, res.Error, test.want)
		}
	}
}

func TestANewDeviceWithoutAKeyIsSentToLogIn(t *testing.T) {
	tn, _ := testTailnet()
	if d, res := newHost("app").register(tn, ""); d != nil || !strings.HasPrefix(res.AuthURL, "/a/") {
		t.Errorf("device %v, response %+v", d, res)
	}
}

func TestARestartNeedsNoKeyAndSpendsNone(t *testing.T) {
	tn, _ := testTailnet()
	h, d := join(t, tn, "app", credential{Tags: []string{"tag:k8s"}})
	again, res := h.register(tn, "")
	if again != d || res.Error != "" || res.AuthURL != "" {
		t.Errorf("without a key: %+v", res)
	}
	spent := tn.credentialByID(d.AuthKey, authKey)
	if again, res = h.register(tn, spent.Secret); again != d || res.Error != "" {
		t.Errorf("with its spent key: %+v", res)
	}
	fresh := addKey(tn, credential{Tags: []string{"tag:k8s"}})
	if h.register(tn, fresh.Secret); fresh.Uses != 0 || d.Logins != 1 || d.Registrations != 4 {
		t.Errorf("a fresh key was used %d times, logins %d, registrations %d", fresh.Uses, d.Logins, d.Registrations)
	}
	if _, res = h.register(tn, "tskey-auth-k1-x"); res.Error != "invalid key: API key does not exist" {
		t.Errorf("with a key that does not exist: %+v", res)
	}
}

func TestALoginWithANewNodeKeyKeepsTheDevice(t *testing.T) {
	tn, _ := testTailnet()
	h, d := join(t, tn, "app", reusable)
	id, address := d.StableID, d.IPv4
	old := h.node
	h.node = key.NewNode().Public()
	again, _ := h.register(tn, addKey(tn, credential{Tags: []string{"tag:new"}}).Secret)
	if again != d || d.StableID != id || d.IPv4 != address || d.NodeKey != h.node {
		t.Errorf("another device: %+v", again)
	}
	if !slices.Equal(d.Tags, []string{"tag:new"}) {
		t.Errorf("tags %v, want those of the new key", d.Tags)
	}
	h.node = old
	if d, res := h.register(tn, ""); d != nil || res.AuthURL == "" {
		t.Errorf("the old node key is still known: %+v", res)
	}
}

func TestANodeKeyBelongsToOneMachine(t *testing.T) {
	tn, _ := testTailnet()
	h, _ := join(t, tn, "app", reusable)
	thief := newHost("thief")
	thief.node = h.node
	if d, res := thief.register(tn, ""); d != nil || res.Error == "" {
		t.Errorf("%+v", res)
	}
}

func TestTagsComeFromTheKey(t *testing.T) {
	tn, _ := testTailnet()
	tn.state.Settings.TagOwners = map[string][]string{"tag:mine": {adminGroup}}
	two := []string{"tag:a", "tag:b"}
	for name, test := range map[string]struct {
		held, requested, want []string
		refused               string
	}{
		"all of the key's":         {held: two, want: two},
		"also when some are named": {held: two, requested: []string{"tag:a"}, want: two},
		"foreign to the key":       {held: two, requested: []string{"tag:c"}, refused: "requested tags [tag:c] are invalid or not permitted"},
		"none":                     {},
		"of the admin":             {requested: []string{"tag:mine"}, want: []string{"tag:mine"}},
		"not of the admin":         {requested: []string{"tag:a"}, refused: "requested tags [tag:a] are invalid or not permitted"},
	} {
		h := newHost("app")
		h.info.RequestTags = test.requested
		d, res := h.register(tn, addKey(tn, credential{Tags: test.held}).Secret)
		if res.Error != test.refused {
			t.Errorf("%s: error %q, want %q", name, res.Error, test.refused)
		} else if d != nil && !slices.Equal(d.Tags, test.want) {
			t.Errorf("%s: tags %v, want %v", name, d.Tags, test.want)
		}
	}
}

func TestARefusedLoginSpendsNoKey(t *testing.T) {
	tn, _ := testTailnet()
	single := addKey(tn, credential{Tags: []string{"tag:a"}})
	h := newHost("app")
	h.info.RequestTags = []string{"tag:b"}
	h.register(tn, single.Secret)
	if single.Uses != 0 || len(tn.state.Devices) != 0 {
		t.Errorf("uses %d, devices %d", single.Uses, len(tn.state.Devices))
	}
}

func TestADeviceThatStaysGetsOtherTagsOnlyFromTheirOwners(t *testing.T) {
	tn, _ := testTailnet()
	h, d := join(t, tn, "app", reusable)
	h.info.RequestTags = []string{"tag:new"}
	if _, res := h.register(tn, ""); res.Error == "" || !slices.Equal(d.Tags, []string{"tag:k8s"}) {
		t.Errorf("without an owner: tags %v, %+v", d.Tags, res)
	}
	tn.state.Settings.TagOwners = map[string][]string{"tag:new": {"tag:k8s"}}
	if _, res := h.register(tn, ""); res.Error != "" || !slices.Equal(d.Tags, []string{"tag:new"}) {
		t.Errorf("with an owner: tags %v, %+v", d.Tags, res)
	}
}

func TestOtherTagsInAMapRequestExpireTheKey(t *testing.T) {
	tn, clock := testTailnet()
	h, d := join(t, tn, "app", reusable)
	info := h.info
	info.RequestTags = []string{"tag:new"}
	tn.requestTags(d, &info)
	if !slices.Equal(d.Tags, []string{"tag:k8s"}) || !d.expired(clock.at) {
		t.Errorf("tags %v, expiry %v", d.Tags, d.KeyExpiry)
	}
}

func TestOnlyUntaggedDevicesExpire(t *testing.T) {
	tn, clock := testTailnet()
	_, tagged := join(t, tn, "tagged", reusable)
	h, owned := join(t, tn, "owned", credential{})
	if !tagged.KeyExpiry.IsZero() || !owned.KeyExpiry.Equal(clock.at.Add(180*24*time.Hour)) {
		t.Errorf("tagged %v, owned %v", tagged.KeyExpiry, owned.KeyExpiry)
	}
	clock.advance(181 * 24 * time.Hour)
	if _, res := h.register(tn, ""); !res.NodeKeyExpired {
		t.Errorf("after 181 days: %+v", res)
	}
}

func TestLogOutExpiresADeviceAndRemovesAnEphemeralOne(t *testing.T) {
	tn, clock := testTailnet()
	stays, lasting := join(t, tn, "lasting", reusable)
	goes, ephemeral := join(t, tn, "ephemeral", credential{Ephemeral: true})
	for _, h := range []*host{stays, goes} {
		req := h.request("")
		req.Expiry = time.Unix(123, 0)
		tn.register(h.machine, req)
	}
	if !lasting.expired(clock.at) || !lasting.Removed.IsZero() || ephemeral.Removed.IsZero() {
		t.Errorf("lasting %+v, ephemeral %+v", lasting, ephemeral)
	}
	stays.node = key.NewNode().Public()
	if d, _ := stays.register(tn, addKey(tn, reusable).Secret); d != lasting || d.expired(clock.at) {
		t.Error("a login after the logout does not bring the device back")
	}
}

func TestEphemeralDevicesGoWhenTheyStayAway(t *testing.T) {
	tn, clock := testTailnet()
	_, lasting := join(t, tn, "lasting", reusable)
	_, away := join(t, tn, "away", credential{Ephemeral: true})
	_, here := join(t, tn, "here", credential{Ephemeral: true})
	tn.setOnline(here, true)
	clock.advance(tn.ephemeralTimeout - time.Second)
	tn.removeStaleEphemeral()
	if !away.Removed.IsZero() {
		t.Fatal("removed too early")
	}
	clock.advance(2 * time.Second)
	tn.removeStaleEphemeral()
	if away.Removed.IsZero() || !here.Removed.IsZero() || !lasting.Removed.IsZero() {
		t.Errorf("removed: away %v, here %v, lasting %v", away.Removed, here.Removed, lasting.Removed)
	}
}

func TestDeviceApprovalIsForKeysThatAreNotPreauthorized(t *testing.T) {
	tn, _ := testTailnet()
	tn.state.Settings.DeviceApproval = true
	_, waits := join(t, tn, "waits", credential{})
	_, enters := join(t, tn, "enters", credential{Preauthorized: true})
	if waits.Authorized || !enters.Authorized {
		t.Errorf("waits %v, enters %v", waits.Authorized, enters.Authorized)
	}
}

func TestANewHostNameRenamesTheDevice(t *testing.T) {
	tn, _ := testTailnet()
	_, first := join(t, tn, "web", reusable)
	h, second := join(t, tn, "web", reusable)
	if first.Name != "web" || second.Name != "web-1" {
		t.Errorf("names %s, %s", first.Name, second.Name)
	}
	h.info.Hostname = "db"
	if h.register(tn, ""); second.Name != "db" {
		t.Errorf("name %s, want db", second.Name)
	}
}
