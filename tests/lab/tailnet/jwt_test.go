package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// issuer signs tokens as a cluster does for its service accounts.
type issuer struct {
	t       *testing.T
	private crypto.Signer
	algo    jose.SignatureAlgorithm
}

func (i *issuer) jwks() []byte {
	document, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: i.private.Public(), KeyID: "one", Algorithm: string(i.algo), Use: "sig"},
	}})
	if err != nil {
		i.t.Fatal(err)
	}
	return document
}

func (i *issuer) sign(claims jwt.Claims) string {
	i.t.Helper()
	key := jose.SigningKey{Algorithm: i.algo, Key: jose.JSONWebKey{Key: i.private, KeyID: "one"}}
	signer, err := jose.NewSigner(key, nil)
	if err != nil {
		i.t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		i.t.Fatal(err)
	}
	return token
}

func rsaIssuer(t *testing.T) *issuer {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{t, private, jose.RS256}
}

func ecIssuer(t *testing.T) *issuer {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{t, private, jose.ES256}
}

func goodClaims() jwt.Claims {
	return jwt.Claims{
		Issuer:   "https://cluster.test",
		Subject:  "system:serviceaccount:prod:app",
		Audience: jwt.Audience{"tailnet", "other"},
		Expiry:   jwt.NewNumericDate(time.Now().Add(10 * time.Minute)),
	}
}

func identityOf(i *issuer) *credential {
	return &credential{
		Kind: federatedIdentity, Issuer: "https://cluster.test", Audience: "tailnet",
		Subject: "system:serviceaccount:prod:*", JWKS: i.jwks(),
		Scopes: []string{"auth_keys"}, Tags: []string{"tag:k8s"},
	}
}

func TestAJWTHasToBeTheIssuersAndAboutTheIdentity(t *testing.T) {
	ours, others := rsaIssuer(t), rsaIssuer(t)
	identity := identityOf(ours)
	for name, test := range map[string]struct {
		by     *issuer
		change func(*jwt.Claims)
		good   bool
	}{
		"good":           {ours, func(*jwt.Claims) {}, true},
		"other key":      {others, func(*jwt.Claims) {}, false},
		"other issuer":   {ours, func(c *jwt.Claims) { c.Issuer = "https://other.test" }, false},
		"other audience": {ours, func(c *jwt.Claims) { c.Audience = jwt.Audience{"other"} }, false},
		"other subject":  {ours, func(c *jwt.Claims) { c.Subject = "system:serviceaccount:dev:app" }, false},
		"expired":        {ours, func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(time.Now().Add(-time.Minute)) }, false},
		"no expiry":      {ours, func(c *jwt.Claims) { c.Expiry = nil }, false},
		"not valid yet":  {ours, func(c *jwt.Claims) { c.NotBefore = jwt.NewNumericDate(time.Now().Add(time.Hour)) }, false},
	} {
		claims := goodClaims()
		test.change(&claims)
		if err := verifyJWT(t.Context(), identity, test.by.sign(claims), time.Now()); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := verifyJWT(t.Context(), identity, "nonsense", time.Now()); err == nil {
		t.Error("nonsense is accepted")
	}
}

func TestTheKeysOfAnIssuerAreFetchedWithItsCA(t *testing.T) {
	ours := ecIssuer(t)
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	defer server.Close()
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) { w.Write(ours.jwks()) })
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"jwks_uri": server.URL + "/keys"})
	})
	ca := filepath.Join(t.TempDir(), "ca.crt")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	if err := os.WriteFile(ca, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	identity := identityOf(ours)
	identity.JWKS, identity.JWKSURL, identity.CAFile = nil, server.URL+"/keys", ca
	if err := verifyJWT(t.Context(), identity, ours.sign(goodClaims()), time.Now()); err != nil {
		t.Error(err)
	}
	claims := goodClaims()
	identity.JWKSURL, identity.Issuer, claims.Issuer = "", server.URL, server.URL
	if err := verifyJWT(t.Context(), identity, ours.sign(claims), time.Now()); err != nil {
		t.Errorf("from the address that the issuer publishes: %v", err)
	}
	identity.CAFile = ""
	if err := verifyJWT(t.Context(), identity, ours.sign(claims), time.Now()); err == nil {
		t.Error("a server that nobody vouches for is trusted")
	}
}

func TestAFederatedIdentityTradesAJWTForAToken(t *testing.T) {
	w := startWeb(t)
	ours := rsaIssuer(t)
	body, err := json.Marshal(map[string]any{
		"issuer": "https://cluster.test", "audience": "tailnet", "subject": "system:serviceaccount:prod:app",
		"jwks": json.RawMessage(ours.jwks()), "scopes": []string{"auth_keys"}, "tags": []string{"tag:k8s"},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, identity := w.call("POST", "/lab/federated-identities", "", string(body))
	form := url.Values{"client_id": {identity["client_id"].(string)}, "jwt": {ours.sign(goodClaims())}}
	status, answer := w.call("POST", "/api/v2/oauth/token-exchange", "", form)
	if status != 200 || answer["scope"] != "auth_keys" || answer["tags"] != "tag:k8s" {
		t.Fatalf("%d %v", status, answer)
	}
	form.Set("client_id", "unknown")
	if status, _ := w.call("POST", "/api/v2/oauth/token-exchange", "", form); status != 401 {
		t.Errorf("an unknown identity gets %d", status)
	}
}
