package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// The public API, as https://api.tailscale.com/api/v2 has it. The name of the
// tailnet in a path is not looked at: there is only one.

func (s *server) apiRoutes(mux *http.ServeMux) {
	s.keyRoutes(mux)
	s.deviceRoutes(mux)
	s.dnsRoutes(mux)
	s.policyRoutes(mux)
}

// call is one request to the API. Its handler runs with the tailnet locked.
type call struct {
	*tailnet
	request *http.Request
	caller  *credential // nil in the lab's own API
}

// access is what a request to the API needs: a scope, to read or to write.
type access struct {
	scope string
	write bool
}

func reads(scope string) access  { return access{scope, false} }
func writes(scope string) access { return access{scope, true} }

// refused is an error with the HTTP status that tells of it.
type refused struct {
	status  int
	message string
}

func (e *refused) Error() string { return e.message }

func refuse(status int, format string, args ...any) error {
	return &refused{status, fmt.Sprintf(format, args...)}
}

var errForbidden = refuse(http.StatusForbidden, "calling actor does not have enough permissions to perform this function")

// endpoint makes a handler of the public API from a function that gets the
// decoded body and gives the answer.
func endpoint[Body any](s *server, needs access, do func(*call, Body) (any, error)) http.HandlerFunc {
	return answering(s, func(c *call, body Body) (any, error) {
		c.caller = c.authenticate()
		if c.caller == nil {
			return nil, refuse(http.StatusUnauthorized, "API token invalid")
		}
		note(c.request).client(c.caller.actor())
		if needs.scope != "" && !c.caller.allows(needs.scope, needs.write) {
			return nil, errForbidden
		}
		return do(c, body)
	})
}

// answering reads the body and writes the answer outside of the lock, so that a
// slow client holds up nobody else.
func answering[Body any](s *server, do func(*call, Body) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body Body
		if !readJSON(w, r, &body) {
			return
		}
		answer, err := locked(&call{tailnet: s.tailnet, request: r}, body, do)
		if err != nil {
			status := http.StatusBadRequest
			if r := new(refused); errors.As(err, &r) {
				status = r.status
			}
			writeError(w, status, "%v", err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	}
}

func locked[Body any](c *call, body Body, do func(*call, Body) (any, error)) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return do(c, body)
}

// authenticate gives the valid credential of the request, or nil. It comes as a
// bearer token or as the user name of basic authentication.
func (c *call) authenticate() *credential {
	secret, bearer := strings.CutPrefix(c.request.Header.Get("Authorization"), "Bearer ")
	if !bearer {
		secret, _, _ = c.request.BasicAuth()
	}
	found := c.bySecret(secret, apiKey, accessToken)
	if found == nil || !found.valid(c.now()) {
		return nil
	}
	return found
}

// actor is the ID of the client behind a token, or of an API key itself.
func (c *credential) actor() string {
	if c.Kind == accessToken {
		return c.Owner
	}
	return c.ID
}

// nothing is the body of a request without one, and the answer that says no
// more than that it worked.
type nothing struct{}
