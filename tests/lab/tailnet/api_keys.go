package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

func (s *server) keyRoutes(mux *http.ServeMux) {
	const keys = "/api/v2/tailnet/{tailnet}/keys"
	// Where the scope is empty it depends on the kind of the key.
	mux.HandleFunc("POST "+keys, endpoint(s, writes(""), createKey))
	mux.HandleFunc("GET "+keys, endpoint(s, reads("auth_keys"), listKeys))
	mux.HandleFunc("GET "+keys+"/{id}", endpoint(s, reads(""), getKey))
	mux.HandleFunc("PUT "+keys+"/{id}", endpoint(s, writes(""), setKey))
	mux.HandleFunc("DELETE "+keys+"/{id}", endpoint(s, writes(""), deleteKey))
}

// keyScopes are the scopes that manage each kind of credential.
var keyScopes = map[credentialKind]string{
	authKey:           "auth_keys",
	apiKey:            "api_access_tokens",
	oauthClient:       "oauth_keys",
	federatedIdentity: "federated_keys",
}

// trustCredentials have scopes of their own, and can be changed.
var trustCredentials = []credentialKind{oauthClient, federatedIdentity}

// taggedScopes are those that a credential may only have with tags.
var taggedScopes = []string{"auth_keys", "devices:core"}

// descriptionForm is what a description may be.
var descriptionForm = regexp.MustCompile(`^[A-Za-z0-9 -]{0,50}$`)

// listedKinds are those that the API shows.
var listedKinds = []credentialKind{authKey, apiKey, oauthClient, federatedIdentity}

type keyCapabilities struct {
	Devices struct {
		Create deviceCapabilities `json:"create"`
	} `json:"devices"`
}

type deviceCapabilities struct {
	Reusable      bool     `json:"reusable"`
	Ephemeral     bool     `json:"ephemeral"`
	Preauthorized bool     `json:"preauthorized"`
	Tags          []string `json:"tags,omitempty"`
}

type keyRequest struct {
	KeyType       credentialKind   `json:"keyType"`
	Description   string           `json:"description"`
	Capabilities  *keyCapabilities `json:"capabilities"`
	ExpirySeconds int64            `json:"expirySeconds"`
	Scopes        []string         `json:"scopes"`
	Tags          []string         `json:"tags"`
	Issuer        string           `json:"issuer"`
	Subject       string           `json:"subject"`
	Audience      string           `json:"audience"`
}

type keyResponse struct {
	ID            string           `json:"id"`
	Key           string           `json:"key,omitempty"` // only in the answer to its creation
	KeyType       credentialKind   `json:"keyType"`
	Description   string           `json:"description,omitempty"`
	Created       time.Time        `json:"created"`
	Updated       *time.Time       `json:"updated,omitempty"`
	Expires       *time.Time       `json:"expires,omitempty"`
	ExpirySeconds int64            `json:"expirySeconds,omitempty"`
	Revoked       *time.Time       `json:"revoked,omitempty"`
	Invalid       bool             `json:"invalid,omitempty"`
	Capabilities  *keyCapabilities `json:"capabilities,omitempty"`
	Scopes        []string         `json:"scopes,omitempty"`
	Tags          []string         `json:"tags,omitempty"`
	Issuer        string           `json:"issuer,omitempty"`
	Subject       string           `json:"subject,omitempty"`
	Audience      string           `json:"audience,omitempty"`
}

func createKey(c *call, req keyRequest) (any, error) {
	if req.KeyType == "" {
		req.KeyType = authKey
	}
	scope, known := keyScopes[req.KeyType]
	if !known || req.KeyType == apiKey {
		return nil, fmt.Errorf("unknown keyType %q", req.KeyType)
	}
	if !c.caller.allows(scope, true) {
		return nil, errForbidden
	}
	note(c.request).summarise(req.summary())
	created, err := c.newKey(&req)
	if err != nil {
		return nil, err
	}
	created.Owner = c.caller.actor()
	response := c.keyView(c.addCredential(created))
	response.Key = created.Secret
	if created.Kind == oauthClient {
		// Clients ask api.tailscale.com about a secret that does not say otherwise.
		response.Key += "?baseURL=http://" + c.request.Host
	}
	return response, nil
}

// setKey changes all of an OAuth client or a federated identity but its ID and
// secret. Auth keys cannot be changed.
func setKey(c *call, req keyRequest) (any, error) {
	key, err := c.key(true)
	if err != nil {
		return nil, err
	}
	if key.Kind != req.KeyType || !slices.Contains(trustCredentials, key.Kind) {
		return nil, fmt.Errorf("key %s cannot be set to a key of type %q", key.ID, req.KeyType)
	}
	wanted, err := c.newKey(&req)
	if err != nil {
		return nil, err
	}
	key.Description, key.Scopes, key.Tags = wanted.Description, wanted.Scopes, wanted.Tags
	key.Issuer, key.Subject = wanted.Issuer, wanted.Subject
	key.Audience = cmp.Or(req.Audience, key.Audience)
	key.Updated = c.now()
	c.dirty = true
	return c.keyView(key), nil
}

// summary is what the record of the request says; it holds no secret.
func (req *keyRequest) summary() any {
	if req.Capabilities == nil {
		return map[string]any{"key_type": req.KeyType, "scopes": req.Scopes, "tags": req.Tags}
	}
	create := req.Capabilities.Devices.Create
	return map[string]any{
		"key_type":       req.KeyType,
		"reusable":       create.Reusable,
		"ephemeral":      create.Ephemeral,
		"preauthorized":  create.Preauthorized,
		"tags":           create.Tags,
		"expiry_seconds": req.ExpirySeconds,
	}
}

// newKey makes the credential that was asked for.
func (c *call) newKey(req *keyRequest) (*credential, error) {
	if !descriptionForm.MatchString(req.Description) {
		return nil, errors.New("description must be at most 50 letters, digits, hyphens and spaces")
	}
	if req.KeyType == authKey {
		return c.newAuthKey(req)
	}
	if err := c.checkScopes(req); err != nil {
		return nil, err
	}
	created := &credential{Kind: req.KeyType, Description: req.Description, Scopes: req.Scopes, Tags: req.Tags}
	if req.KeyType == federatedIdentity {
		if !strings.HasPrefix(req.Issuer, "https://") || req.Subject == "" {
			return nil, errors.New("an https issuer and a subject are required")
		}
		created.Issuer, created.Subject, created.Audience = req.Issuer, req.Subject, req.Audience
		created.identify()
	}
	return created, nil
}

// checkScopes refuses scopes and tags that the caller does not have itself.
func (c *call) checkScopes(req *keyRequest) error {
	if len(req.Scopes) == 0 {
		return errors.New("scopes are required")
	}
	for _, scope := range req.Scopes {
		if !c.caller.allows(scope, true) {
			return fmt.Errorf("cannot grant scope %s", scope)
		}
		if slices.Contains(taggedScopes, scope) && len(req.Tags) == 0 {
			return fmt.Errorf("scope %s needs tags", scope)
		}
	}
	if c.caller.Kind == accessToken && len(req.Tags) > 0 && !c.mayGrant(c.caller, req.Tags) {
		return tagsRefused(req.Tags)
	}
	return nil
}

func (c *call) newAuthKey(req *keyRequest) (*credential, error) {
	if req.Capabilities == nil {
		return nil, errors.New("capabilities are required")
	}
	create := req.Capabilities.Devices.Create
	lifetime := time.Duration(req.ExpirySeconds) * time.Second
	switch {
	case lifetime == 0:
		lifetime = maxAuthKeyLifetime
	case lifetime < 0 || lifetime > maxAuthKeyLifetime:
		return nil, errors.New("expirySeconds must be at most 90 days")
	}
	if c.caller.Kind == accessToken {
		if len(create.Tags) == 0 {
			return nil, errors.New("tailnet-owned auth key must have tags set")
		}
		if !c.mayGrant(c.caller, create.Tags) {
			return nil, tagsRefused(create.Tags)
		}
	}
	return &credential{
		Kind:          authKey,
		Description:   req.Description,
		Expires:       c.now().Add(lifetime),
		Reusable:      create.Reusable,
		Ephemeral:     create.Ephemeral,
		Preauthorized: create.Preauthorized,
		Tags:          create.Tags,
	}, nil
}

// mayGrant reports whether a key may have these tags: all those of the token
// that asks for it, or any that its tags own. Some but not all of its own tags
// are refused, as by the real service, unless each of them owns itself.
func (t *tailnet) mayGrant(caller *credential, tags []string) bool {
	foreign := func(tag string) bool { return !t.owns(caller.Tags, tag) }
	return sameTags(tags, caller.Tags) || !slices.ContainsFunc(tags, foreign)
}

// identify gives a federated identity its ID and audience.
func (c *credential) identify() {
	if c.ID == "" {
		c.ID = "T" + randomID(10) + "CNTRL-k" + randomID(10) + "CNTRL"
	}
	if c.Audience == "" {
		c.Audience = "api.tailscale.com/" + c.ID
	}
}

func listKeys(c *call, _ nothing) (any, error) {
	keys := []keyResponse{}
	for _, key := range c.state.Credentials {
		if slices.Contains(listedKinds, key.Kind) && c.caller.allows(keyScopes[key.Kind], false) {
			keys = append(keys, c.keyView(key))
		}
	}
	return map[string]any{"keys": keys}, nil
}

func getKey(c *call, _ nothing) (any, error) {
	key, err := c.key(false)
	if err != nil {
		return nil, err
	}
	return c.keyView(key), nil
}

func deleteKey(c *call, _ nothing) (any, error) {
	key, err := c.key(true)
	if err != nil {
		return nil, err
	}
	c.revoke(key)
	return nothing{}, nil
}

// key gives the key of the path if the caller may see it. A client may always
// read itself.
func (c *call) key(write bool) (*credential, error) {
	id := c.request.PathValue("id")
	key := c.credentialByID(id, listedKinds...)
	if key == nil {
		return nil, refuse(http.StatusNotFound, "key %s not found", id)
	}
	itself := key.ID == c.caller.actor() && !write
	if !itself && !c.caller.allows(keyScopes[key.Kind], write) {
		return nil, errForbidden
	}
	return key, nil
}

func (t *tailnet) keyView(c *credential) keyResponse {
	view := keyResponse{
		ID: c.ID, KeyType: c.Kind, Description: c.Description,
		Created: c.Created, Updated: timeOrNil(c.Updated), Expires: timeOrNil(c.Expires), Revoked: timeOrNil(c.Revoked),
		Invalid: !c.valid(t.now()),
		Scopes:  c.Scopes, Tags: c.Tags,
		Issuer: c.Issuer, Subject: c.Subject, Audience: c.Audience,
	}
	if c.Kind == authKey {
		view.ExpirySeconds = int64(c.Expires.Sub(c.Created).Round(time.Second).Seconds())
		view.Capabilities = &keyCapabilities{}
		view.Capabilities.Devices.Create = deviceCapabilities{c.Reusable, c.Ephemeral, c.Preauthorized, c.Tags}
	}
	return view
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
