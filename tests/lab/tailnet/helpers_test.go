package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// clock is a time that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time           { return c.at }
func (c *clock) advance(by time.Duration) { c.at = c.at.Add(by) }

func testTailnet() (*tailnet, *clock) {
	c := &clock{time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	t := newTailnet("lab.ts.net")
	t.now = c.now
	return t, c
}

// host is a machine that can register.
type host struct {
	machine key.MachinePublic
	node    key.NodePublic
	info    tailcfg.Hostinfo
}

func newHost(name string) *host {
	return &host{key.NewMachine().Public(), key.NewNode().Public(), tailcfg.Hostinfo{Hostname: name}}
}

func (h *host) request(authKey string) *tailcfg.RegisterRequest {
	info := h.info
	req := &tailcfg.RegisterRequest{NodeKey: h.node, Hostinfo: &info}
	if authKey != "" {
		req.Auth = &tailcfg.RegisterResponseAuth{AuthKey: authKey}
	}
	return req
}

func (h *host) register(tn *tailnet, authKey string) (*device, tailcfg.RegisterResponse) {
	return tn.register(h.machine, h.request(authKey))
}

// join registers a new device, which has to work.
func join(t *testing.T, tn *tailnet, name string, c credential) (*host, *device) {
	t.Helper()
	h := newHost(name)
	d, res := h.register(tn, addKey(tn, c).Secret)
	if d == nil || res.Error != "" || res.AuthURL != "" {
		t.Fatalf("%s did not register: %+v", name, res)
	}
	return h, d
}

func addKey(tn *tailnet, c credential) *credential {
	c.Kind = authKey
	return tn.addCredential(&c)
}

// web is the HTTP side of a tailnet.
type web struct {
	t   *testing.T
	url string
	tn  *tailnet
}

func startWeb(t *testing.T) *web {
	tn, _ := testTailnet()
	tn.now = time.Now
	server := httptest.NewServer(newServer(t.Context(), tn).handler())
	t.Cleanup(server.Close)
	return &web{t, server.URL, tn}
}

// call sends a request; a string body goes as it is, and form values as a form.
func (w *web) call(method, path, token string, body any) (int, map[string]any) {
	w.t.Helper()
	res := w.raw(method, path, token, body)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	answer := map[string]any{}
	if strings.HasPrefix(string(text), "{") {
		if err := json.Unmarshal(text, &answer); err != nil {
			w.t.Fatalf("%s %s: %v in %q", method, path, err, text)
		}
	}
	return res.StatusCode, answer
}

func (w *web) raw(method, path, token string, body any) *http.Response {
	w.t.Helper()
	contentType, text := "application/json", ""
	switch b := body.(type) {
	case string:
		text = b
	case url.Values:
		contentType, text = "application/x-www-form-urlencoded", b.Encode()
	}
	req, err := http.NewRequest(method, w.url+path, strings.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

// token is an access token with the given scopes and tags.
func (w *web) token(scopes, tags []string) string {
	return w.tn.addCredential(&credential{
		Kind: accessToken, Owner: "kClient", Scopes: scopes, Tags: tags, Expires: time.Now().Add(time.Hour),
	}).Secret
}
