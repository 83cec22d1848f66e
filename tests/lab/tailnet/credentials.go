package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// credentialKind says what a credential is for. The values are those that the
// real API calls keyType.
type credentialKind string

const (
	authKey           credentialKind = "auth"      // registers devices
	apiKey            credentialKind = "api"       // calls the API as an admin
	oauthClient       credentialKind = "client"    // trades a secret for access tokens
	federatedIdentity credentialKind = "federated" // trades a JWT for access tokens
	accessToken       credentialKind = "token"     // calls the API within its scopes
)

const (
	maxAuthKeyLifetime = 90 * 24 * time.Hour
	nodeKeyLifetime    = 180 * 24 * time.Hour // of devices without tags
)

// credential is a secret, or a trust in somebody else's, that gives access to
// the tailnet.
type credential struct {
	ID          string
	Kind        credentialKind
	Secret      string // all of it; empty for a federated identity
	Description string
	Owner       string // the ID of the client that made it, if one did

	Created time.Time
	Updated time.Time // zero: never
	Expires time.Time // zero: never
	Revoked time.Time // zero: not revoked
	Uses    int       // devices that an auth key registered

	Tags   []string
	Scopes []string // of clients, federated identities and tokens

	// Of an auth key.
	Reusable, Ephemeral, Preauthorized bool

	// Of a federated identity.
	Issuer, Audience, Subject string
	JWKSURL, CAFile           string
	JWKS                      json.RawMessage
}

// addCredential fills in the ID, the secret and the times that c lacks.
func (t *tailnet) addCredential(c *credential) *credential {
	if c.ID == "" {
		c.ID = "k" + randomID(10) + "CNTRL"
	}
	if c.Secret == "" && c.Kind != federatedIdentity {
		c.Secret = secretPrefix(c.Kind) + c.ID + "-" + randomID(32)
	}
	c.Created = t.now()
	t.state.Credentials = append(t.state.Credentials, c)
	t.dirty = true
	return c
}

func secretPrefix(kind credentialKind) string {
	if kind == accessToken {
		kind = apiKey // the real service gives tokens the same form
	}
	return "tskey-" + string(kind) + "-"
}

// bySecret gives the credential of one of the kinds with that secret, or nil.
func (t *tailnet) bySecret(secret string, kinds ...credentialKind) *credential {
	return t.findCredential(func(c *credential) bool {
		return secret != "" && c.Secret == secret && slices.Contains(kinds, c.Kind)
	})
}

func (t *tailnet) credentialByID(id string, kinds ...credentialKind) *credential {
	return t.findCredential(func(c *credential) bool {
		return c.ID == id && slices.Contains(kinds, c.Kind)
	})
}

func (t *tailnet) findCredential(match func(*credential) bool) *credential {
	i := slices.IndexFunc(t.state.Credentials, match)
	if i < 0 {
		return nil
	}
	return t.state.Credentials[i]
}

// revoke ends a credential, and the tokens made with it.
func (t *tailnet) revoke(c *credential) {
	c.Revoked = t.now()
	t.state.Credentials = slices.DeleteFunc(t.state.Credentials, func(other *credential) bool {
		return other.Kind == accessToken && other.Owner == c.ID
	})
	t.dirty = true
}

// dropExpiredTokens keeps a long test run from piling up tokens.
func (t *tailnet) dropExpiredTokens() {
	now := t.now()
	t.state.Credentials = slices.DeleteFunc(t.state.Credentials, func(c *credential) bool {
		return c.Kind == accessToken && !c.valid(now)
	})
}

func (c *credential) valid(now time.Time) bool {
	expired := !c.Expires.IsZero() && now.After(c.Expires)
	spent := c.Kind == authKey && !c.Reusable && c.Uses > 0
	return c.Revoked.IsZero() && !expired && !spent
}

// checkAuthKey finds the auth key of a login. The errors are worded as those
// of the real service, which clients show to their users.
func (t *tailnet) checkAuthKey(secret string) (*credential, error) {
	if !strings.HasPrefix(secret, "tskey-") {
		return nil, errors.New("invalid key: unable to validate API key")
	}
	c := t.bySecret(secret, authKey)
	if c == nil {
		return nil, errors.New("invalid key: API key does not exist")
	}
	if !c.valid(t.now()) {
		return c, fmt.Errorf("invalid key: API key %s not valid", c.ID)
	}
	return c, nil
}

// allows reports whether a token, client or API key may do what a scope such as
// "devices:core" stands for. "all" and the scopes that came before the present
// ones include it, and so does "devices" for everything about devices.
func (c *credential) allows(scope string, write bool) bool {
	if c.Kind == apiKey {
		return true
	}
	names := []string{"all", scope}
	if parent, _, nested := strings.Cut(scope, ":"); nested {
		names = append(names, parent)
	}
	return slices.ContainsFunc(names, func(name string) bool {
		return slices.Contains(c.Scopes, name) || (!write && slices.Contains(c.Scopes, name+":read"))
	})
}

// randomID is n letters and digits that nobody can guess.
func randomID(n int) string {
	const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	id := make([]byte, n)
	for i := range id {
		// rand.Int does not fail: the system's source never does.
		digit, err := rand.Int(rand.Reader, big.NewInt(int64(len(alphabet))))
		if err != nil {
			panic(err)
		}
		id[i] = alphabet[digit.Int64()]
	}
	return string(id)
}
