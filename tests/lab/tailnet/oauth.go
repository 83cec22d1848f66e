package main

import (
	"net/http"
	"slices"
	"strings"
)

func (s *server) oauthRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /api/v2/oauth/token", s.serveToken)
	mux.HandleFunc("POST /api/v2/oauth/token-exchange", s.serveTokenExchange)
}

// tokenResponse is an access token as the real API gives it out.
type tokenResponse struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope"`
	Tags        string `json:"tags,omitempty"`
}

// serveToken trades the secret of an OAuth client for an access token. The
// client ID is not looked at: the secret names the client, and the Tailscale
// CLI sends a made-up ID.
func (s *server) serveToken(w http.ResponseWriter, r *http.Request) {
	_, secret, basic := r.BasicAuth()
	if !basic {
		secret = r.PostFormValue("client_secret")
	}
	t := s.tailnet
	t.mu.Lock()
	client := t.bySecret(secret, oauthClient)
	valid := client != nil && client.valid(t.now())
	t.mu.Unlock()
	if !valid {
		writeError(w, http.StatusUnauthorized, "API token invalid")
		return
	}
	s.grant(w, r, client)
}

// serveTokenExchange trades a JWT of a federated identity for an access token.
func (s *server) serveTokenExchange(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("client_id")
	t := s.tailnet
	t.mu.Lock()
	identity := t.credentialByID(id, federatedIdentity)
	valid := identity != nil && identity.valid(t.now())
	now := t.now()
	t.mu.Unlock()
	if !valid {
		writeError(w, http.StatusUnauthorized, "federated identity %q not found", id)
		return
	}
	note(r).client(id)
	if err := verifyJWT(r.Context(), identity, r.PostFormValue("jwt"), now); err != nil {
		writeError(w, http.StatusUnauthorized, "token exchange refused: %v", err)
		return
	}
	s.grant(w, r, identity)
}

// grant answers with a token that has the scopes and tags of the client, or
// those of them that the request names.
func (s *server) grant(w http.ResponseWriter, r *http.Request, client *credential) {
	note(r).client(client.ID)
	scopes, beyond := narrowed(r.PostFormValue("scope"), client.Scopes)
	if len(beyond) > 0 {
		writeError(w, http.StatusForbidden, "OAuth client cannot grant scopes %q", strings.Join(beyond, " "))
		return
	}
	tags, beyond := narrowed(r.PostFormValue("tags"), client.Tags)
	if len(beyond) > 0 {
		writeError(w, http.StatusForbidden, "OAuth client cannot grant tags %q", strings.Join(beyond, " "))
		return
	}
	t := s.tailnet
	t.mu.Lock()
	t.dropExpiredTokens()
	token := t.addCredential(&credential{
		Kind:    accessToken,
		Owner:   client.ID,
		Scopes:  scopes,
		Tags:    tags,
		Expires: t.now().Add(t.tokenLifetime),
	})
	t.mu.Unlock()
	writeJSON(w, http.StatusOK, tokenResponse{
		AccessToken: token.Secret,
		TokenType:   "Bearer",
		ExpiresIn:   int(t.tokenLifetime.Seconds()),
		Scope:       strings.Join(scopes, " "),
		Tags:        strings.Join(tags, " "),
	})
}

// narrowed gives the requested words, or all that are held if none are, and
// those requested that are not held.
func narrowed(requested string, held []string) (granted, beyond []string) {
	words := strings.Fields(strings.ReplaceAll(requested, ",", " "))
	if len(words) == 0 {
		return held, nil
	}
	for _, word := range words {
		if !slices.Contains(held, word) {
			beyond = append(beyond, word)
		}
	}
	return words, beyond
}
