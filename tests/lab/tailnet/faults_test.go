package main

import (
	"net/http"
	"strings"
	"testing"
)

const tokenPath = "/api/v2/oauth/token"

func (w *web) addFault(body string) string {
	w.t.Helper()
	status, answer := w.call("POST", "/lab/faults", "", body)
	if status != 200 {
		w.t.Fatalf("%s: %v", body, answer)
	}
	return answer["id"].(string)
}

func (w *web) statuses(path string, n int) (statuses []int) {
	for range n {
		status, _ := w.call("GET", path, "", nil)
		statuses = append(statuses, status)
	}
	return statuses
}

func TestAFaultAnswersSoManyRequestsOfItsTarget(t *testing.T) {
	w := startWeb(t)
	w.addFault(`{"target":"api","retry_after":7,"count":2}`)
	if got := w.statuses(tokenPath, 1)[0]; got == 429 {
		t.Error("oauth is met by a fault of the API")
	}
	res := w.raw("GET", "/api/v2/tailnet/-/devices", "", nil)
	res.Body.Close()
	if res.StatusCode != 429 || res.Header.Get("Retry-After") != "7" {
		t.Errorf("%d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
	if got := w.statuses("/api/v2/tailnet/-/devices", 2); got[0] != 429 || got[1] != 401 {
		t.Errorf("then %v", got)
	}
}

func TestARateLetsABurstThrough(t *testing.T) {
	w := startWeb(t)
	w.addFault(`{"target":"/key","rate":0.001,"burst":3}`)
	got := w.statuses("/key", 5)
	for i, status := range got {
		if want := []int{200, 200, 200, 429, 429}[i]; status != want {
			t.Errorf("statuses %v", got)
		}
	}
}

func TestAnOutageCutsConnectionsUntilItIsDeleted(t *testing.T) {
	w := startWeb(t)
	id := w.addFault(`{"target":"all","outage":true}`)
	if res, err := http.Get(w.url + "/key"); err == nil {
		t.Errorf("answered with %s", res.Status)
		res.Body.Close()
	}
	if status, _ := w.call("DELETE", "/lab/faults/"+id, "", nil); status != 200 {
		t.Errorf("deleting it gets %d", status)
	}
	if got := w.statuses("/key", 1)[0]; got != 200 {
		t.Errorf("afterwards %d", got)
	}
}

func TestAFaultThatMakesNoSenseIsRefused(t *testing.T) {
	w := startWeb(t)
	for body, want := range map[string]string{
		`{"target":"nowhere"}`:                        "target must be",
		`{"target":"api","rate":1}`:                   "burst",
		`{"target":"api","status":200}`:               "status",
		`{"target":"api","outage":true,"status":500}`: "outage",
		`{`: "invalid request body",
	} {
		status, answer := w.call("POST", "/lab/faults", "", body)
		if message, _ := answer["message"].(string); status != 400 || !strings.Contains(message, want) {
			t.Errorf("%s: %d %v", body, status, answer)
		}
	}
}
