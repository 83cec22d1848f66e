package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// clockSkew is how far the issuer's clock may be off.
const clockSkew = 30 * time.Second

// verifyJWT checks that the issuer that identity trusts signed the token, that
// it is valid now, and that it is about this identity and meant for us.
func verifyJWT(ctx context.Context, identity *credential, token string, now time.Time) error {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		return fmt.Errorf("parse JWT: %w", err)
	}
	keys, err := issuerKeys(ctx, identity)
	if err != nil {
		return fmt.Errorf("keys of the issuer: %w", err)
	}
	var claims jwt.Claims
	if err := parsed.Claims(keys, &claims); err != nil {
		return fmt.Errorf("verify the signature: %w", err)
	}
	if claims.Expiry == nil {
		return errors.New("the JWT has no exp")
	}
	expected := jwt.Expected{Issuer: identity.Issuer, AnyAudience: jwt.Audience{identity.Audience}, Time: now}
	if err := claims.ValidateWithLeeway(expected, clockSkew); err != nil {
		return err
	}
	if !subjectMatches(identity.Subject, claims.Subject) {
		return fmt.Errorf("subject %q does not match %q", claims.Subject, identity.Subject)
	}
	return nil
}

// subjectMatches compares with a pattern in which * stands for any characters.
func subjectMatches(pattern, subject string) bool {
	expression := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*")
	return regexp.MustCompile("^" + expression + "$").MatchString(subject)
}

// issuerKeys gives the keys that the issuer signs with: those that the identity
// carries, or else those that the issuer publishes.
func issuerKeys(ctx context.Context, identity *credential) (*jose.JSONWebKeySet, error) {
	document := []byte(identity.JWKS)
	if len(document) == 0 {
		fetched, err := fetchJWKS(ctx, identity)
		if err != nil {
			return nil, err
		}
		document = fetched
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(document, &keys); err != nil {
		return nil, fmt.Errorf("parse JWKS: %w", err)
	}
	return &keys, nil
}

// fetchJWKS asks the issuer for its keys, at the address that it publishes if
// the identity names none (openid.net/specs/openid-connect-discovery-1_0.html).
func fetchJWKS(ctx context.Context, identity *credential) ([]byte, error) {
	client, err := clientTrusting(identity.CAFile)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	address := identity.JWKSURL
	if address == "" {
		document, err := fetch(ctx, client, identity.Issuer+"/.well-known/openid-configuration")
		if err != nil {
			return nil, err
		}
		var published struct {
			JWKSURI string `json:"jwks_uri"`
		}
		if err := json.Unmarshal(document, &published); err != nil {
			return nil, fmt.Errorf("parse the issuer's configuration: %w", err)
		}
		address = published.JWKSURI
	}
	return fetch(ctx, client, address)
}

func fetch(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", address, res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, maxRequest))
}

// clientTrusting trusts the CAs of a file, for the lab's clusters have their own.
func clientTrusting(caFile string) (*http.Client, error) {
	if caFile == "" {
		return http.DefaultClient, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", caFile)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	transport.DisableKeepAlives = true // a transport of one request leaves nothing open
	return &http.Client{Transport: transport}, nil
}
