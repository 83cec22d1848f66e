package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"

	"tailscale.com/control/controlbase"
	"tailscale.com/types/key"
)

// server puts HTTP in front of a tailnet.
type server struct {
	ctx      context.Context // ends with the process, and with it the long polls
	tailnet  *tailnet
	noiseKey key.MachinePrivate
	// legacyKey is of a protocol that clients no longer speak, but whose key
	// they still ask for.
	legacyKey key.MachinePrivate

	requests *requestLog
	faults   *faults
	tunnels  *tunnels
	machines http.Handler // serves the encrypted connections
}

func newServer(ctx context.Context, t *tailnet) *server {
	s := &server{
		ctx:       ctx,
		tailnet:   t,
		noiseKey:  t.state.NoiseKey,
		legacyKey: t.state.LegacyKey,
		requests:  &requestLog{},
		faults:    &faults{},
		tunnels:   &tunnels{open: map[*controlbase.Conn]bool{}},
	}
	s.machines = s.requests.recorded(s.faults.before(s.machineRoutes()))
	return s
}

// handler serves everything that comes in the clear: the start of the
// coordination protocol, the public API and the lab's own API. The last is
// neither recorded nor subject to faults.
func (s *server) handler() http.Handler {
	public := http.NewServeMux()
	s.coordinationRoutes(public)
	s.oauthRoutes(public)
	s.apiRoutes(public)
	public.HandleFunc("/", s.unknownPath)

	lab := http.NewServeMux()
	s.labRoutes(lab)

	mux := http.NewServeMux()
	mux.Handle("/lab/", lab)
	mux.Handle("/", s.requests.recorded(s.faults.before(public)))
	return mux
}

func (s *server) unknownPath(w http.ResponseWriter, r *http.Request) {
	log.Printf("unknown path: %s %s", r.Method, r.URL.Path)
	writeError(w, http.StatusNotFound, "not found")
}

// tunnels are the open encrypted connections.
type tunnels struct {
	mu   sync.Mutex
	open map[*controlbase.Conn]bool
}

// add keeps track of conn until the function that it returns is called.
func (t *tunnels) add(conn *controlbase.Conn) (remove func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[conn] = true
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.open, conn)
	}
}

// cut ends all connections, and with them the long polls.
func (t *tunnels) cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for conn := range t.open {
		if err := conn.Close(); err != nil {
			log.Printf("close the connection of %s: %v", conn.RemoteAddr(), err)
		}
	}
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		log.Printf("write an answer: %v", err) // the client went away
	}
}

// writeError answers as the real API does when it refuses.
func writeError(w http.ResponseWriter, status int, format string, args ...any) {
	writeJSON(w, status, map[string]string{"message": fmt.Sprintf(format, args...)})
}

// readJSON decodes the body of a request; an empty one leaves into as it is.
// If that fails it answers the request, and reports false.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err == nil && len(strings.TrimSpace(string(body))) > 0 {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		writeError(w, http.StatusBadRequest, "invalid request body: %v", err)
		return false
	}
	return true
}
