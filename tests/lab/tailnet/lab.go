package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// labRoutes is the API for tests; README.md describes it. It needs no
// credential, for only the lab can reach it.
func (s *server) labRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /lab/ready", s.serveReady)
	mux.HandleFunc("POST /lab/reset", s.serveReset)
	mux.HandleFunc("GET /lab/requests", s.serveRequests)
	mux.HandleFunc("DELETE /lab/requests", s.clearRequests)
	mux.HandleFunc("GET /lab/settings", answering(s, getSettings))
	mux.HandleFunc("PUT /lab/settings", answering(s, s.putSettings))
	mux.HandleFunc("GET /lab/dns", answering(s, getDNS))
	mux.HandleFunc("PUT /lab/dns", answering(s, s.putDNS))

	mux.HandleFunc("GET /lab/devices", answering(s, listLabDevices))
	mux.HandleFunc("GET /lab/devices/{id}", answering(s, onDevice(getLabDevice)))
	mux.HandleFunc("DELETE /lab/devices/{id}", answering(s, onDevice(deleteDevice)))
	mux.HandleFunc("POST /lab/devices/{id}/expire", answering(s, onDevice(endKey)))
	mux.HandleFunc("POST /lab/devices/{id}/authorized", answering(s, onDevice(authoriseDevice)))
	mux.HandleFunc("POST /lab/devices/{id}/routes", answering(s, onDevice(setRoutes)))
	mux.HandleFunc("POST /lab/routers", answering(s, addRouter))
	mux.HandleFunc("DELETE /lab/routers/{id}", answering(s, onDevice(deleteDevice)))

	mux.HandleFunc("GET /lab/credentials", answering(s, listCredentials))
	mux.HandleFunc("POST /lab/oauth-clients", answering(s, addOAuthClient))
	mux.HandleFunc("POST /lab/auth-keys", answering(s, addAuthKey))
	mux.HandleFunc("POST /lab/api-keys", answering(s, addAPIKey))
	mux.HandleFunc("POST /lab/federated-identities", answering(s, addFederatedIdentity))
	for _, kind := range []string{"oauth-clients", "auth-keys", "api-keys", "federated-identities"} {
		mux.HandleFunc("DELETE /lab/"+kind+"/{id}", answering(s, revokeCredential))
	}

	mux.HandleFunc("GET /lab/faults", s.listFaults)
	mux.HandleFunc("POST /lab/faults", s.addFault)
	mux.HandleFunc("DELETE /lab/faults", s.removeFaults)
	mux.HandleFunc("DELETE /lab/faults/{id}", s.removeFaults)
	mux.HandleFunc("/", s.unknownPath)
}

func (s *server) serveReady(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"ready": true, "domain": s.tailnet.domain})
}

func (s *server) serveReset(w http.ResponseWriter, r *http.Request) {
	s.faults.remove("")
	s.tailnet.reset()
	s.requests.clear()
	writeJSON(w, http.StatusOK, nothing{})
}

func (s *server) serveRequests(w http.ResponseWriter, r *http.Request) {
	since := 0
	if text := r.FormValue("since"); text != "" {
		var err error
		if since, err = strconv.Atoi(text); err != nil {
			writeError(w, http.StatusBadRequest, "since must be a sequence number, not %q", text)
			return
		}
	}
	writeJSON(w, http.StatusOK, s.requests.since(since))
}

func (s *server) clearRequests(w http.ResponseWriter, r *http.Request) {
	s.requests.clear()
	writeJSON(w, http.StatusOK, nothing{})
}

func getSettings(c *call, _ nothing) (any, error) { return c.state.Settings, nil }

// putSettings changes the settings that the body names.
func (s *server) putSettings(c *call, body json.RawMessage) (any, error) {
	if err := json.Unmarshal(body, &c.state.Settings); err != nil {
		return nil, err
	}
	for _, d := range c.state.Devices {
		c.autoApproveRoutes(d)
	}
	c.choosePrimaryRoutes()
	c.dnsChanged() // the names for certificates go with the DNS settings
	return c.state.Settings, nil
}

func getDNS(c *call, _ nothing) (any, error) { return c.state.DNS, nil }

// putDNS replaces the parts of the DNS settings that the body names.
func (s *server) putDNS(c *call, body json.RawMessage) (any, error) {
	var named map[string]json.RawMessage
	if err := json.Unmarshal(body, &named); err != nil {
		return nil, err
	}
	set := c.state.DNS
	// Decoding adds to a map that is there, and a named part is to be replaced.
	if named["split"] != nil {
		set.Split = nil
	}
	if named["records"] != nil {
		set.Records = nil
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, err
	}
	for name, address := range set.Records {
		if _, err := netip.ParseAddr(address); err != nil {
			return nil, fmt.Errorf("record %s: %w", name, err)
		}
	}
	c.state.DNS = set
	c.dnsChanged()
	return set, nil
}

// labDevice is all that the lab knows of a device.
type labDevice struct {
	deviceResponse
	FQDN          string     `json:"fqdn"`
	Online        bool       `json:"online"`
	ActiveRoutes  []string   `json:"activeRoutes"`
	RequestedTags []string   `json:"requestedTags"`
	Preauthorized bool       `json:"preauthorized"`
	Registrations int        `json:"registrations"`
	Logins        int        `json:"logins"`
	AuthKey       string     `json:"authKey"`
	AuthKeyOwner  string     `json:"authKeyOwner"`
	Endpoints     []string   `json:"endpoints"`
	Simulated     bool       `json:"simulated"`
	Removed       *time.Time `json:"removed,omitempty"`
}

func (t *tailnet) labDevice(d *device) labDevice {
	endpoints := []string{}
	for _, endpoint := range d.Endpoints {
		endpoints = append(endpoints, endpoint.String())
	}
	return labDevice{
		deviceResponse: t.deviceResponse(d, true),
		FQDN:           t.fqdn(d),
		Online:         d.online,
		ActiveRoutes:   texts(slices.Concat(d.primaryRoutes, d.exitRoutes())),
		RequestedTags:  d.Hostinfo.RequestTags,
		Preauthorized:  d.Preauthorized,
		Registrations:  d.Registrations,
		Logins:         d.Logins,
		AuthKey:        d.AuthKey,
		AuthKeyOwner:   d.AuthKeyOwner,
		Endpoints:      endpoints,
		Simulated:      d.Simulated,
		Removed:        timeOrNil(d.Removed),
	}
}

func listLabDevices(c *call, _ nothing) (any, error) {
	devices := c.state.Devices
	if c.request.FormValue("all") == "1" {
		devices = slices.Concat(devices, c.state.Removed)
	}
	list := []labDevice{}
	for _, d := range devices {
		list = append(list, c.labDevice(d))
	}
	return list, nil
}

func getLabDevice(c *call, d *device, _ nothing) (any, error) { return c.labDevice(d), nil }

type router struct {
	Hostname string         `json:"hostname"`
	Routes   []netip.Prefix `json:"routes"`
	Tags     []string       `json:"tags"`
	Online   bool           `json:"online"`
}

// addRouter makes a peer that offers routes, without a process behind it.
func addRouter(c *call, body router) (any, error) {
	if body.Hostname == "" {
		return nil, errors.New("hostname is required")
	}
	d := c.addDevice(key.NewMachine().Public(), &tailcfg.Hostinfo{
		Hostname:    body.Hostname,
		OS:          "linux",
		RoutableIPs: body.Routes,
	})
	d.NodeKey = key.NewNode().Public()
	d.DiscoKey = key.NewDisco().Public()
	d.Tags, d.EnabledRoutes = body.Tags, body.Routes
	d.Authorized, d.Simulated = true, true
	d.StaysOnline, d.online = body.Online, body.Online
	c.choosePrimaryRoutes()
	c.changed(d)
	return c.labDevice(d), nil
}

// labCredential is all that the lab knows of a credential but its secret.
type labCredential struct {
	keyResponse
	Owner string `json:"owner,omitempty"`
	Uses  int    `json:"uses"`
}

func listCredentials(c *call, _ nothing) (any, error) {
	list := []labCredential{}
	for _, credential := range c.state.Credentials {
		list = append(list, labCredential{c.keyView(credential), credential.Owner, credential.Uses})
	}
	return list, nil
}

type keyEnd struct {
	Seconds float64 `json:"seconds"`
}

// endKey lets the key of a device end so many seconds from now, or at once.
func endKey(c *call, d *device, body keyEnd) (any, error) {
	if body.Seconds == 0 {
		return expireDevice(c, d, nothing{})
	}
	d.KeyExpiry = c.now().Add(time.Duration(body.Seconds * float64(time.Second)))
	c.changed(d)
	return nothing{}, nil
}

type oauthClientRequest struct {
	ID     string   `json:"id"`
	Secret string   `json:"secret"`
	Scopes []string `json:"scopes"`
	Tags   []string `json:"tags"`
}

func addOAuthClient(c *call, body oauthClientRequest) (any, error) {
	if c.credentialByID(body.ID, oauthClient) != nil {
		return nil, fmt.Errorf("OAuth client %s exists", body.ID)
	}
	if body.Secret != "" && !strings.HasPrefix(body.Secret, secretPrefix(oauthClient)) {
		return nil, fmt.Errorf("secret must start with %s", secretPrefix(oauthClient))
	}
	client := c.addCredential(&credential{
		Kind: oauthClient, ID: body.ID, Secret: body.Secret, Scopes: body.Scopes, Tags: body.Tags,
	})
	return map[string]string{"client_id": client.ID, "client_secret": client.Secret}, nil
}

type authKeyRequest struct {
	Reusable      bool     `json:"reusable"`
	Ephemeral     bool     `json:"ephemeral"`
	Preauthorized bool     `json:"preauthorized"`
	Tags          []string `json:"tags"`
	ExpirySeconds float64  `json:"expiry_seconds"`
}

func addAuthKey(c *call, body authKeyRequest) (any, error) {
	lifetime := maxAuthKeyLifetime
	if body.ExpirySeconds > 0 {
		lifetime = time.Duration(body.ExpirySeconds * float64(time.Second))
	}
	made := c.addCredential(&credential{
		Kind: authKey, Expires: c.now().Add(lifetime), Tags: body.Tags,
		Reusable: body.Reusable, Ephemeral: body.Ephemeral, Preauthorized: body.Preauthorized,
	})
	return map[string]string{"id": made.ID, "key": made.Secret}, nil
}

func addAPIKey(c *call, _ nothing) (any, error) {
	made := c.addCredential(&credential{Kind: apiKey})
	return map[string]string{"id": made.ID, "key": made.Secret}, nil
}

type federatedIdentityRequest struct {
	Issuer   string          `json:"issuer"`
	Audience string          `json:"audience"`
	Subject  string          `json:"subject"`
	JWKSURL  string          `json:"jwks_url"`
	JWKS     json.RawMessage `json:"jwks"`
	CAFile   string          `json:"ca_file"`
	Scopes   []string        `json:"scopes"`
	Tags     []string        `json:"tags"`
}

func addFederatedIdentity(c *call, body federatedIdentityRequest) (any, error) {
	if body.Issuer == "" || body.Subject == "" || body.JWKSURL == "" && len(body.JWKS) == 0 {
		return nil, errors.New("issuer, subject, and jwks_url or jwks are required")
	}
	identity := &credential{
		Kind: federatedIdentity, Issuer: body.Issuer, Audience: body.Audience, Subject: body.Subject,
		JWKSURL: body.JWKSURL, JWKS: body.JWKS, CAFile: body.CAFile, Scopes: body.Scopes, Tags: body.Tags,
	}
	identity.identify()
	c.addCredential(identity)
	return map[string]string{"client_id": identity.ID, "audience": identity.Audience}, nil
}

func revokeCredential(c *call, _ nothing) (any, error) {
	id := c.request.PathValue("id")
	found := c.credentialByID(id, listedKinds...)
	if found == nil {
		return nil, refuse(http.StatusNotFound, "credential %s not found", id)
	}
	c.revoke(found)
	return nothing{}, nil
}

func (s *server) listFaults(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, s.faults.list())
}

func (s *server) addFault(w http.ResponseWriter, r *http.Request) {
	var f fault
	if !readJSON(w, r, &f) {
		return
	}
	if err := f.check(); err != nil {
		writeError(w, http.StatusBadRequest, "%v", err)
		return
	}
	s.faults.add(&f)
	if f.Outage {
		s.tunnels.cut()
	}
	writeJSON(w, http.StatusOK, f)
}

func (s *server) removeFaults(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !s.faults.remove(id) && id != "" {
		writeError(w, http.StatusNotFound, "fault %s not found", id)
		return
	}
	writeJSON(w, http.StatusOK, nothing{})
}
