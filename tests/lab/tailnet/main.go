// Command tailnet is a small Tailscale control plane for the lab: real
// tailscaled clients register with it, and real programs use its API. README.md
// describes what it plays, and the API by which tests steer it.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

type options struct {
	addr             string
	domain           string
	stateFile        string
	derpPort         int
	ephemeralTimeout time.Duration
	tokenLifetime    time.Duration
	autoApprove      string
	tags             string
	https            bool
}

func parseFlags() options {
	var o options
	flag.StringVar(&o.addr, "addr", "10.200.0.1:8080", "where to listen, for the control protocol and the API")
	flag.StringVar(&o.domain, "domain", "lab.ts.net", "the tailnet's MagicDNS domain")
	flag.StringVar(&o.stateFile, "state-file", "", "where to keep keys, devices and credentials; empty: nowhere")
	flag.IntVar(&o.derpPort, "derp-port", 0, "the port of the DERP relay (TCP) and of STUN (UDP), on the same host; 0: as before, or a free one")
	flag.DurationVar(&o.ephemeralTimeout, "ephemeral-timeout", time.Minute, "how long an ephemeral device may be away")
	flag.DurationVar(&o.tokenLifetime, "token-lifetime", time.Hour, "how long an access token is valid")
	flag.StringVar(&o.autoApprove, "auto-approve-routes", "", "tags, with commas, whose devices get their routes enabled")
	flag.StringVar(&o.tags, "tags", "", "tags, with commas, that "+adminGroup+" owns")
	flag.BoolVar(&o.https, "https", true, "tell devices that they may have HTTPS certificates (none are issued)")
	flag.Parse()
	return o
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, parseFlags()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, o options) error {
	t, err := openTailnet(o)
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(o.addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	relay, err := startRelay(ctx, host, cmp.Or(o.derpPort, t.state.DERPPort), t.state.DERPKey)
	if err != nil {
		return err
	}
	t.derpMap, t.state.DERPPort = relay.Map, relay.Port
	go t.housekeeping(ctx, o.stateFile)

	err = listen(ctx, o.addr, newServer(ctx, t))
	err = errors.Join(err, relay.close())
	if o.stateFile != "" {
		err = errors.Join(err, t.save(o.stateFile))
	}
	return err
}

func openTailnet(o options) (*tailnet, error) {
	t := newTailnet(o.domain)
	t.ephemeralTimeout, t.tokenLifetime = o.ephemeralTimeout, o.tokenLifetime
	t.initial.HTTPS = o.https
	if o.autoApprove != "" {
		t.initial.AutoApproveRoutes = strings.Split(o.autoApprove, ",")
	}
	if o.tags != "" {
		t.initial.TagOwners = map[string][]string{}
		for tag := range strings.SplitSeq(o.tags, ",") {
			t.initial.TagOwners[tag] = []string{adminGroup}
		}
	}
	t.state.Settings = t.initial
	t.dirty = true // also an empty tailnet has keys to keep
	if o.stateFile == "" {
		return t, nil
	}
	if err := t.load(o.stateFile); err != nil {
		return nil, fmt.Errorf("load the state: %w", err)
	}
	return t, nil
}

// listen serves until ctx ends.
func listen(ctx context.Context, addr string, s *server) error {
	web := &http.Server{Addr: addr, Handler: s.handler()}
	failed := make(chan error, 1)
	go func() { failed <- web.ListenAndServe() }()
	log.Printf("tailnet %s on http://%s", s.tailnet.domain, addr)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		s.tunnels.cut()
		return web.Close()
	}
}
