package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/http2"
	"tailscale.com/control/controlhttp/controlhttpserver"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
	"tailscale.com/util/zstdframe"
)

// The protocol between tailscaled and its control plane: GET /key gives the
// server's public key, /ts2021 turns the connection into an encrypted one that
// carries HTTP/2, and on that come POST /machine/register and /machine/map.

const (
	maxRequest = 4 << 20
	// keepAlive is well below the two minutes after which a client gives up.
	keepAlive = 45 * time.Second
	// Since this version of the protocol a streaming map request only reads.
	streamReadsOnly tailcfg.CapabilityVersion = 68
	// distance stands for the round trips before a client can register: names,
	// TCP and TLS, twice. Without it, a client's requests overtake each other
	// that at a control plane elsewhere would not.
	distance = 100 * time.Millisecond
)

// machineKeyOf is how the handlers on the encrypted connection learn who calls.
type machineKeyOf struct{}

func (s *server) coordinationRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /key", s.serveKey)
	mux.HandleFunc("/ts2021", s.serveNoise)
	mux.HandleFunc("/generate_204", noContent)
}

// machineRoutes are those on the encrypted connection.
func (s *server) machineRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /machine/register", s.serveRegister)
	mux.HandleFunc("POST /machine/map", s.serveMap)
	mux.HandleFunc("POST /machine/update-health", noContent)
	mux.HandleFunc("POST /machine/audit-log", noContent)
	mux.HandleFunc("/", s.unknownPath)
	return mux
}

func noContent(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }

func (s *server) serveKey(w http.ResponseWriter, r *http.Request) {
	time.Sleep(distance)
	writeJSON(w, http.StatusOK, tailcfg.OverTLSPublicKeyResponse{
		LegacyPublicKey: s.legacyKey.Public(),
		PublicKey:       s.noiseKey.Public(),
	})
}

func (s *server) serveNoise(w http.ResponseWriter, r *http.Request) {
	conn, err := controlhttpserver.AcceptHTTP(r.Context(), w, r, s.noiseKey, nil)
	if err != nil {
		log.Printf("handshake with %s: %v", r.RemoteAddr, err)
		return
	}
	defer conn.Close()
	defer s.tunnels.add(conn)()

	ctx := context.WithValue(s.ctx, machineKeyOf{}, conn.Peer())
	new(http2.Server).ServeConn(conn, &http2.ServeConnOpts{
		Context:    ctx,
		BaseConfig: &http.Server{Handler: s.machines},
	})
}

func (s *server) serveRegister(w http.ResponseWriter, r *http.Request) {
	var req tailcfg.RegisterRequest
	machine, ok := readMachineRequest(w, r, &req)
	if !ok {
		return
	}
	if req.NodeKey.IsZero() || req.Hostinfo == nil {
		http.Error(w, "node key and host info are required", http.StatusBadRequest)
		return
	}
	if req.Followup != "" {
		s.waitForVisit(r)
		return
	}
	d, res := s.tailnet.register(machine, &req)
	note(r).node(s.tailnet, d, req.Hostinfo.Hostname)
	note(r).summarise(registration{
		AuthKey:       req.Auth != nil && req.Auth.AuthKey != "",
		RequestedTags: req.Hostinfo.RequestTags,
		LogOut:        !req.Expiry.IsZero() && req.Expiry.Before(time.Now()),
		Error:         res.Error,
		NeedsLogin:    res.AuthURL != "" || res.NodeKeyExpired,
	})
	if res.AuthURL != "" {
		res.AuthURL = "http://" + r.Host + res.AuthURL
	}
	writeJSON(w, http.StatusOK, res)
}

// registration is what the record of a register request says about it.
type registration struct {
	AuthKey       bool     `json:"auth_key"`
	RequestedTags []string `json:"requested_tags"`
	LogOut        bool     `json:"log_out"`
	Error         string   `json:"error,omitempty"`
	NeedsLogin    bool     `json:"needs_login"`
}

// waitForVisit holds a request that asks whether somebody has visited the login
// page. In the lab nobody does, so it ends when the client stops waiting.
func (s *server) waitForVisit(r *http.Request) {
	<-r.Context().Done()
}

func (s *server) serveMap(w http.ResponseWriter, r *http.Request) {
	var req tailcfg.MapRequest
	machine, ok := readMachineRequest(w, r, &req)
	if !ok {
		return
	}
	d := s.tailnet.polls(machine, &req)
	note(r).node(s.tailnet, d, hostnameOf(req.Hostinfo))
	if d == nil {
		http.Error(w, "node not found", http.StatusNotFound)
		return
	}
	writer := &messageWriter{w: w, compress: req.Compress == "zstd"}
	switch {
	case req.Stream:
		s.streamMap(r.Context(), writer, d)
	case req.OmitPeers && !req.ReadOnly:
		// An update of endpoints and host info; only the status counts.
	default:
		logFailure(r, writer.send(s.tailnet.nextMessage(d, newMapStream())))
	}
}

func hostnameOf(hostinfo *tailcfg.Hostinfo) string {
	if hostinfo == nil {
		return ""
	}
	return hostinfo.Hostname
}

// polls takes in a map request, and gives its device or nil if there is none.
func (t *tailnet) polls(machine key.MachinePublic, req *tailcfg.MapRequest) *device {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.byNodeKey(req.NodeKey)
	if d == nil || d.MachineKey != machine {
		return nil
	}
	readOnly := req.ReadOnly || req.Stream && req.Version >= streamReadsOnly
	if !readOnly {
		t.update(d, req)
	}
	return d
}

// update takes in what a device says about itself while it is connected.
func (t *tailnet) update(d *device, req *tailcfg.MapRequest) {
	told := t.encodedPeer(d)
	d.DiscoKey = req.DiscoKey
	d.Capability = req.Version
	d.Endpoints = slices.DeleteFunc(req.Endpoints, linkLocal)
	if req.Hostinfo != nil {
		t.requestTags(d, req.Hostinfo)
		t.setHostinfo(d, req.Hostinfo)
	}
	d.peerJSON = nil
	t.dirty = true
	if !bytes.Equal(told, t.encodedPeer(d)) {
		t.changed(d) // much of what devices say concerns nobody else
	}
}

func linkLocal(endpoint netip.AddrPort) bool {
	return endpoint.Addr().Zone() != "" || endpoint.Addr().IsLinkLocalUnicast() && endpoint.Addr().Is6()
}

// streamMap sends the map and then each change, until one side ends the poll.
func (s *server) streamMap(ctx context.Context, writer *messageWriter, d *device) {
	stream := newMapStream()
	s.tailnet.openStream(d, stream)
	defer s.tailnet.closeStream(d, stream)

	idle := time.NewTicker(keepAlive + rand.N(5*time.Second))
	defer idle.Stop()
	stream.wake()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-stream.ended:
			return
		case <-idle.C:
			err = writer.send(&mapMessage{MapResponse: &tailcfg.MapResponse{KeepAlive: true}})
		case <-stream.woken:
			if message := s.tailnet.nextMessage(d, stream); message != nil {
				err = writer.send(message)
			}
			sleep(ctx, s.tailnet.pause())
		}
		if err != nil {
			return // the client went away
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// messageWriter frames map messages: four bytes of length, then the message.
type messageWriter struct {
	w        http.ResponseWriter
	compress bool
}

func (m *messageWriter) send(message *mapMessage) error {
	body, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode map: %w", err)
	}
	if m.compress {
		body = zstdframe.AppendEncode(nil, body, zstdframe.FastestCompression)
	}
	frame := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
	if _, err := m.w.Write(append(frame, body...)); err != nil {
		return err
	}
	return http.NewResponseController(m.w).Flush()
}

// readMachineRequest decodes the body and gives the caller's machine key.
func readMachineRequest(w http.ResponseWriter, r *http.Request, into any) (machine key.MachinePublic, ok bool) {
	machine, ok = r.Context().Value(machineKeyOf{}).(key.MachinePublic)
	if !ok {
		http.Error(w, "only on an encrypted connection", http.StatusBadRequest)
		return machine, false
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxRequest)).Decode(into); err != nil {
		http.Error(w, "bad request: "+err.Error(), http.StatusBadRequest)
		return machine, false
	}
	return machine, true
}

func logFailure(r *http.Request, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Printf("%s %s: %v", r.Method, r.URL.Path, err)
	}
}
