package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const keysPath = "/api/v2/tailnet/-/keys"

func (w *web) client(scopes, tags []string) *credential {
	return w.tn.addCredential(&credential{Kind: oauthClient, Scopes: scopes, Tags: tags})
}

func TestAnOAuthClientTradesItsSecretForAToken(t *testing.T) {
	w := startWeb(t)
	client := w.client([]string{"auth_keys"}, []string{"tag:k8s"})
	form := url.Values{"client_id": {"some-client-id"}, "client_secret": {client.Secret}}
	status, answer := w.call("POST", "/api/v2/oauth/token", "", form)
	if status != 200 || answer["token_type"] != "Bearer" || answer["expires_in"] != 3600.0 || answer["scope"] != "auth_keys" {
		t.Fatalf("%d %v", status, answer)
	}
	token := answer["access_token"].(string)
	if status, _ := w.call("GET", keysPath, token, nil); status != 200 {
		t.Errorf("the token gets %d", status)
	}

	w.tn.revoke(client)
	if status, answer := w.call("POST", "/api/v2/oauth/token", "", form); status != 401 || answer["message"] != "API token invalid" {
		t.Errorf("a revoked client gets %d %v", status, answer)
	}
	if status, _ := w.call("GET", keysPath, token, nil); status != 401 {
		t.Errorf("the token of a revoked client gets %d", status)
	}
}

func TestATokenIsRefusedToAWrongSecretAndBeyondTheScopes(t *testing.T) {
	w := startWeb(t)
	client := w.client([]string{"auth_keys"}, []string{"tag:k8s"})
	for name, test := range map[string]struct {
		form url.Values
		want int
	}{
		"wrong secret": {url.Values{"client_secret": {"tskey-client-x"}}, 401},
		"no secret":    {url.Values{}, 401},
		"more scopes":  {url.Values{"client_secret": {client.Secret}, "scope": {"devices:core"}}, 403},
		"more tags":    {url.Values{"client_secret": {client.Secret}, "tags": {"tag:other"}}, 403},
		"its own":      {url.Values{"client_secret": {client.Secret}, "scope": {"auth_keys"}}, 200},
	} {
		if status, answer := w.call("POST", "/api/v2/oauth/token", "", test.form); status != test.want {
			t.Errorf("%s: %d %v, want %d", name, status, answer, test.want)
		}
	}
}

func TestATokenExpires(t *testing.T) {
	w := startWeb(t)
	token := w.token([]string{"all"}, nil)
	w.tn.now = func() time.Time { return time.Now().Add(61 * time.Minute) }
	if status, _ := w.call("GET", keysPath, token, nil); status != 401 {
		t.Errorf("after an hour it gets %d", status)
	}
}

func TestTheTagsOfANewKeyAreThoseOfTheTokenOrOwnedByThem(t *testing.T) {
	w := startWeb(t)
	w.tn.state.Settings.TagOwners = map[string][]string{"tag:owned": {"tag:a"}}
	token := w.token([]string{"auth_keys"}, []string{"tag:a", "tag:b"})
	for tags, want := range map[string]struct {
		status  int
		message any
	}{
		`["tag:a","tag:b"]`: {200, nil},
		`["tag:b","tag:a"]`: {200, nil},
		`["tag:owned"]`:     {200, nil},
		`["tag:a"]`:         {400, "requested tags [tag:a] are invalid or not permitted"},
		`["tag:c"]`:         {400, "requested tags [tag:c] are invalid or not permitted"},
		`[]`:                {400, "tailnet-owned auth key must have tags set"},
	} {
		status, answer := w.call("POST", keysPath, token, `{"capabilities":{"devices":{"create":{"tags":`+tags+`}}}}`)
		if status != want.status || answer["message"] != want.message {
			t.Errorf("%s: %d %v", tags, status, answer)
		}
	}
}

func TestAKeyIsShownWithItsSecretOnlyOnce(t *testing.T) {
	w := startWeb(t)
	token := w.token([]string{"auth_keys"}, []string{"tag:a"})
	body := `{"expirySeconds":60,"capabilities":{"devices":{"create":{"ephemeral":true,"preauthorized":true,"tags":["tag:a"]}}}}`
	_, created := w.call("POST", keysPath, token, body)
	c := w.tn.bySecret(created["key"].(string), authKey)
	if c == nil || !c.Ephemeral || !c.Preauthorized || c.Reusable || c.Owner != "kClient" {
		t.Fatalf("%+v", c)
	}
	path := keysPath + "/" + c.ID
	if _, answer := w.call("GET", path, token, nil); answer["key"] != nil || answer["id"] != c.ID {
		t.Errorf("%v", answer)
	}
	if status, _ := w.call("DELETE", path, token, nil); status != 200 || c.valid(time.Now()) {
		t.Errorf("after deletion: %d, valid %v", status, c.valid(time.Now()))
	}
}

func TestACredentialIsMadeWithinTheScopesAndTagsOfTheTokenThatAsks(t *testing.T) {
	w := startWeb(t)
	token := w.token([]string{"oauth_keys", "federated_keys", "auth_keys"}, []string{"tag:a"})
	for body, want := range map[string]struct {
		status  int
		message any
	}{
		`{"keyType":"client","scopes":["auth_keys"],"tags":["tag:a"]}`:                       {200, nil},
		`{"keyType":"client","scopes":["auth_keys"],"tags":["tag:b"]}`:                       {400, "requested tags [tag:b] are invalid or not permitted"},
		`{"keyType":"client","scopes":["auth_keys"]}`:                                        {400, "scope auth_keys needs tags"},
		`{"keyType":"client","scopes":["dns"]}`:                                              {400, "cannot grant scope dns"},
		`{"keyType":"client","tags":["tag:a"]}`:                                              {400, "scopes are required"},
		`{"keyType":"client","scopes":["oauth_keys"],"description":"a_b"}`:                   {400, "description must be at most 50 letters, digits, hyphens and spaces"},
		`{"keyType":"federated","scopes":["oauth_keys"]}`:                                    {400, "an https issuer and a subject are required"},
		`{"keyType":"federated","scopes":["oauth_keys"],"issuer":"https://i","subject":"s"}`: {200, nil},
		`{"keyType":"api"}`: {400, `unknown keyType "api"`},
	} {
		status, answer := w.call("POST", keysPath, token, body)
		if status != want.status || answer["message"] != want.message {
			t.Errorf("%s: %d %v", body, status, answer)
		}
	}
	if status, _ := w.call("POST", keysPath, w.token([]string{"auth_keys"}, nil), `{"keyType":"client"}`); status != 403 {
		t.Errorf("without the scope oauth_keys: %d", status)
	}
}

func TestAnOAuthClientIsChangedButKeepsItsSecret(t *testing.T) {
	w := startWeb(t)
	token := w.token([]string{"all"}, []string{"tag:a"})
	_, made := w.call("POST", keysPath, token, `{"keyType":"client","scopes":["auth_keys"],"tags":["tag:a"]}`)
	secret, address, _ := strings.Cut(made["key"].(string), "?baseURL=")
	if address != w.url {
		t.Errorf("clients are told to ask %q", address)
	}
	path := keysPath + "/" + made["id"].(string)
	changed := `{"keyType":"client","scopes":["oauth_keys"],"description":"new"}`
	if status, answer := w.call("PUT", path, token, changed); status != 200 || answer["key"] != nil {
		t.Fatalf("%d %v", status, answer)
	}
	client := w.tn.bySecret(secret, oauthClient)
	if client == nil || client.Description != "new" || client.Scopes[0] != "oauth_keys" || client.Tags != nil {
		t.Errorf("%+v", client)
	}
	if status, _ := w.call("PUT", path, token, `{"keyType":"auth"}`); status != 400 {
		t.Errorf("another kind of key: %d", status)
	}
	w.call("DELETE", path, token, nil)
	if _, answer := w.call("GET", path, token, nil); answer["invalid"] != true || answer["revoked"] == nil {
		t.Errorf("what was deleted is shown as revoked: %v", answer)
	}
}

func TestEachEndpointNeedsItsScope(t *testing.T) {
	w := startWeb(t)
	_, d := join(t, w.tn, "app", reusable)
	device := "/api/v2/device/" + string(d.StableID)
	for _, test := range []struct {
		method, path, body string
		scope              string
		want               int
	}{
		{"GET", "/api/v2/tailnet/-/devices", "", "devices:core:read", 200},
		{"GET", "/api/v2/tailnet/-/devices", "", "auth_keys", 403},
		{"GET", device, "", "devices:read", 200},
		{"GET", device, "", "all:read", 200},
		{"POST", device + "/authorized", `{"authorized":true}`, "devices:core:read", 403},
		{"POST", device + "/authorized", `{"authorized":true}`, "devices:core", 200},
		{"POST", device + "/routes", `{"routes":[]}`, "devices:core", 403},
		{"POST", device + "/routes", `{"routes":[]}`, "devices:routes", 200},
		{"PUT", "/api/v2/tailnet/-/dns/split-dns", `{}`, "dns:read", 403},
		{"PUT", "/api/v2/tailnet/-/dns/split-dns", `{}`, "dns", 200},
		{"POST", keysPath, `{}`, "devices", 403},
		{"GET", "/api/v2/unknown", "", "all", 404},
		{"DELETE", device, "", "all:read", 403},
		{"DELETE", device, "", "all", 200},
		{"DELETE", device, "", "all", 404},
	} {
		token := w.token([]string{test.scope}, []string{"tag:k8s"})
		if status, answer := w.call(test.method, test.path, token, test.body); status != test.want {
			t.Errorf("%s %s with %s: %d %v, want %d", test.method, test.path, test.scope, status, answer, test.want)
		}
	}
}

func TestADeviceIsFoundByBothOfItsIDs(t *testing.T) {
	w := startWeb(t)
	_, d := join(t, w.tn, "app", reusable)
	key := w.tn.addCredential(&credential{Kind: apiKey}).Secret
	for _, id := range []string{"1", string(d.StableID)} {
		_, answer := w.call("GET", "/api/v2/device/"+id+"?fields=all", key, nil)
		if answer["nodeId"] != string(d.StableID) || answer["id"] != "1" || answer["name"] != "app.lab.ts.net" {
			t.Errorf("%s: %v", id, answer)
		}
	}
}

func TestSplitDNSIsPatchedByDomain(t *testing.T) {
	w := startWeb(t)
	token := w.token([]string{"dns"}, nil)
	const path = "/api/v2/tailnet/-/dns/split-dns"
	w.call("PUT", path, token, `{"a.test":["10.0.0.1"],"b.test":["10.0.0.2"]}`)
	w.call("PATCH", path, token, `{"a.test":null,"c.test":["10.0.0.3:5353"]}`)
	_, answer := w.call("GET", path, token, nil)
	if len(answer) != 2 || answer["b.test"] == nil || answer["c.test"] == nil {
		t.Errorf("%v", answer)
	}
	if status, _ := w.call("PATCH", path, token, `{"a.test":["nonsense"]}`); status != 400 {
		t.Errorf("a name server that is no address gets %d", status)
	}
}

func TestRequestsAreRecordedWithoutSecrets(t *testing.T) {
	w := startWeb(t)
	client := w.client([]string{"auth_keys"}, []string{"tag:a"})
	_, granted := w.call("POST", "/api/v2/oauth/token", "", url.Values{"client_secret": {client.Secret}})
	token := granted["access_token"].(string)
	_, created := w.call("POST", keysPath, token, `{"capabilities":{"devices":{"create":{"tags":["tag:a"]}}}}`)

	records := newRecords(t, w, "/lab/requests?since=1")
	if len(records) != 1 || records[0].Path != keysPath || records[0].Client != client.ID || records[0].Status != 200 || !records[0].Done {
		t.Errorf("%+v", records)
	}
	text, err := json.Marshal(newRecords(t, w, "/lab/requests"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{client.Secret, token, created["key"].(string)} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the records hold a secret: %s", text)
		}
	}
	w.call("DELETE", "/lab/requests", "", nil)
	if records := newRecords(t, w, "/lab/requests"); len(records) != 0 {
		t.Errorf("after clearing: %+v", records)
	}
}

func newRecords(t *testing.T, w *web, path string) (records []requestRecord) {
	t.Helper()
	res := w.raw(http.MethodGet, path, "", nil)
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&records); err != nil {
		t.Fatal(err)
	}
	return records
}

func TestThePolicyNamesTheOwnersOfTags(t *testing.T) {
	w := startWeb(t)
	w.tn.state.Settings.TagOwners = map[string][]string{"tag:k8s": {adminGroup}}
	const path = "/api/v2/tailnet/-/acl"
	status, answer := w.call("GET", path, w.token([]string{"policy_file:read"}, nil), nil)
	owners, _ := json.Marshal(answer["tagOwners"])
	if status != 200 || string(owners) != `{"tag:k8s":["autogroup:admin"]}` {
		t.Errorf("%d %v", status, answer)
	}
	if status, _ := w.call("GET", path, w.token([]string{"dns:read"}, nil), nil); status != 403 {
		t.Errorf("without the scope it is %d", status)
	}
}
