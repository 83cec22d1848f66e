package main

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

func (s *server) deviceRoutes(mux *http.ServeMux) {
	const device = "/api/v2/device/{id}"
	readCore, writeCore := reads("devices:core"), writes("devices:core")
	mux.HandleFunc("GET /api/v2/tailnet/{tailnet}/devices", endpoint(s, readCore, listDevices))
	mux.HandleFunc("GET "+device, endpoint(s, readCore, onDevice(getDevice)))
	mux.HandleFunc("DELETE "+device, endpoint(s, writeCore, onDevice(deleteDevice)))
	mux.HandleFunc("POST "+device+"/authorized", endpoint(s, writeCore, onDevice(authoriseDevice)))
	mux.HandleFunc("POST "+device+"/tags", endpoint(s, writeCore, onDevice(tagDevice)))
	mux.HandleFunc("POST "+device+"/key", endpoint(s, writeCore, onDevice(setKeyExpiry)))
	mux.HandleFunc("POST "+device+"/expire", endpoint(s, writeCore, onDevice(expireDevice)))
	mux.HandleFunc("POST "+device+"/name", endpoint(s, writeCore, onDevice(nameDevice)))
	mux.HandleFunc("GET "+device+"/routes", endpoint(s, reads("devices:routes"), onDevice(getRoutes)))
	mux.HandleFunc("POST "+device+"/routes", endpoint(s, writes("devices:routes"), onDevice(setRoutes)))
}

// deviceResponse is a device as the real API shows it.
type deviceResponse struct {
	ID                 string     `json:"id"`
	NodeID             string     `json:"nodeId"`
	Name               string     `json:"name"`
	Hostname           string     `json:"hostname"`
	User               string     `json:"user"`
	Addresses          []string   `json:"addresses"`
	Tags               []string   `json:"tags,omitempty"`
	Authorized         bool       `json:"authorized"`
	IsEphemeral        bool       `json:"isEphemeral"`
	IsExternal         bool       `json:"isExternal"`
	KeyExpiryDisabled  bool       `json:"keyExpiryDisabled"`
	Expires            time.Time  `json:"expires"`
	Created            time.Time  `json:"created"`
	LastSeen           *time.Time `json:"lastSeen,omitempty"`
	ConnectedToControl bool       `json:"connectedToControl"`
	NodeKey            string     `json:"nodeKey"`
	MachineKey         string     `json:"machineKey"`
	ClientVersion      string     `json:"clientVersion"`
	UpdateAvailable    bool       `json:"updateAvailable"`
	OS                 string     `json:"os"`

	// Only with ?fields=all.
	AdvertisedRoutes []string `json:"advertisedRoutes,omitempty"`
	EnabledRoutes    []string `json:"enabledRoutes,omitempty"`
}

func (t *tailnet) deviceResponse(d *device, all bool) deviceResponse {
	seen := d.LastSeen
	if d.online {
		seen = t.now()
	}
	response := deviceResponse{
		ID:                 strconv.FormatInt(int64(d.ID), 10),
		NodeID:             string(d.StableID),
		Name:               strings.TrimSuffix(t.fqdn(d), "."),
		Hostname:           d.hostname(),
		User:               userName(d.owner()),
		Addresses:          []string{d.IPv4.String(), d.IPv6.String()},
		Tags:               d.Tags,
		Authorized:         d.Authorized,
		IsEphemeral:        d.Ephemeral,
		KeyExpiryDisabled:  d.KeyExpiry.IsZero(),
		Expires:            d.KeyExpiry,
		Created:            d.Created,
		LastSeen:           &seen,
		ConnectedToControl: d.online,
		NodeKey:            d.NodeKey.String(),
		MachineKey:         d.MachineKey.String(),
		ClientVersion:      d.Hostinfo.IPNVersion,
		OS:                 d.Hostinfo.OS,
	}
	if all {
		response.AdvertisedRoutes = texts(d.advertisedRoutes())
		response.EnabledRoutes = texts(d.EnabledRoutes)
	}
	return response
}

func texts(prefixes []netip.Prefix) []string {
	list := []string{}
	for _, prefix := range prefixes {
		list = append(list, prefix.String())
	}
	return list
}

func listDevices(c *call, _ nothing) (any, error) {
	devices := []deviceResponse{}
	for _, d := range c.state.Devices {
		devices = append(devices, c.deviceResponse(d, c.wantsAllFields()))
	}
	return map[string]any{"devices": devices}, nil
}

func (c *call) wantsAllFields() bool { return c.request.URL.Query().Get("fields") == "all" }

// onDevice gives a handler the device that the path names.
func onDevice[Body any](do func(*call, *device, Body) (any, error)) func(*call, Body) (any, error) {
	return func(c *call, body Body) (any, error) {
		id := c.request.PathValue("id")
		d := c.byID(id)
		if d == nil {
			return nil, refuse(http.StatusNotFound, "no manageable device matching %q found", id)
		}
		return do(c, d, body)
	}
}

func getDevice(c *call, d *device, _ nothing) (any, error) {
	return c.deviceResponse(d, c.wantsAllFields()), nil
}

func deleteDevice(c *call, d *device, _ nothing) (any, error) {
	c.removeDevice(d)
	return nothing{}, nil
}

type authorisation struct {
	Authorized bool `json:"authorized"`
}

func authoriseDevice(c *call, d *device, body authorisation) (any, error) {
	d.Authorized = body.Authorized
	c.changed(d)
	return nothing{}, nil
}

type deviceTags struct {
	Tags []string `json:"tags"`
}

func tagDevice(c *call, d *device, body deviceTags) (any, error) {
	if c.caller.Kind == accessToken && !c.mayGrant(c.caller, body.Tags) {
		return nil, tagsRefused(body.Tags)
	}
	d.Tags = body.Tags
	if len(d.Tags) > 0 {
		d.KeyExpiry = time.Time{} // tagged devices do not expire
	}
	c.autoApproveRoutes(d)
	c.choosePrimaryRoutes()
	c.changed(d)
	return nothing{}, nil
}

type keyExpiry struct {
	Disabled bool `json:"keyExpiryDisabled"`
}

func setKeyExpiry(c *call, d *device, body keyExpiry) (any, error) {
	d.KeyExpiryDisabled = body.Disabled
	switch {
	case body.Disabled:
		d.KeyExpiry = time.Time{}
	case d.KeyExpiry.IsZero():
		d.KeyExpiry = c.now().Add(nodeKeyLifetime)
	}
	c.changed(d)
	return nothing{}, nil
}

func expireDevice(c *call, d *device, _ nothing) (any, error) {
	c.expireKey(d)
	return nothing{}, nil
}

type deviceName struct {
	Name string `json:"name"`
}

// nameDevice sets the name; an empty one leaves it to the host name again.
func nameDevice(c *call, d *device, body deviceName) (any, error) {
	label, _, _ := strings.Cut(body.Name, ".")
	holder := c.find(func(other *device) bool { return other != d && other.Name == label })
	switch {
	case label == "":
		d.FixedName = false
		d.Name = c.freeName(d)
	case holder != nil:
		return nil, fmt.Errorf("name %q is taken", label)
	default:
		d.FixedName, d.Name = true, label
	}
	c.changed(d)
	return nothing{}, nil
}

type routes struct {
	AdvertisedRoutes []string `json:"advertisedRoutes"`
	EnabledRoutes    []string `json:"enabledRoutes"`
}

func getRoutes(c *call, d *device, _ nothing) (any, error) {
	return routes{texts(d.advertisedRoutes()), texts(d.EnabledRoutes)}, nil
}

type enabledRoutes struct {
	Routes []netip.Prefix `json:"routes"`
}

func setRoutes(c *call, d *device, body enabledRoutes) (any, error) {
	d.EnabledRoutes = body.Routes
	c.choosePrimaryRoutes()
	c.changed(d) // exit routes have no primary, but change too
	return getRoutes(c, d, nothing{})
}
