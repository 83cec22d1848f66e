// Command replicas plays sidecars that have no device yet, as many as are asked
// for, against a control plane: what their start asks of it, and when they try
// again. They play no traffic, and do not stay on the tailnet.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"tailscale.com/types/key"
)

// crowd is a StatefulSet's replicas, and how they start.
type crowd struct {
	server string // URL of the control plane and of its API
	tags   []string
	name   string // of the StatefulSet

	replicas int
	step     int           // so many start together, and the next when all of these are registered
	pause    time.Duration // from one step's start to the next one's, at least
	rate     float64       // registrations a second that turn.sh lets through; 0: as many as come

	secret string // of the OAuth client
}

func parseFlags() crowd {
	var c crowd
	var tags string
	flag.StringVar(&c.server, "server", "http://10.200.0.1:8080", "URL of the control plane and of its API")
	flag.StringVar(&tags, "tags", "tag:k8s", "tags of the devices, with commas")
	flag.StringVar(&c.name, "name", "simulated", "name of the StatefulSet")
	flag.IntVar(&c.replicas, "replicas", 1000, "how many there are")
	flag.IntVar(&c.step, "step", 0, "how many start together, the next when these are registered; 0: all")
	flag.DurationVar(&c.pause, "pause", 0, "the least from one step's start to the next one's")
	flag.Float64Var(&c.rate, "rate", 0, "the component's registration_rate; 0: none")
	flag.Parse()
	c.tags = strings.Split(tags, ",")
	c.secret, _, _ = strings.Cut(os.Getenv("TS_CLIENT_SECRET"), "?") // of the attributes, the URL is known
	if c.step <= 0 {
		c.step = c.replicas
	}
	return c
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := parseFlags().start(ctx); err != nil {
		log.Fatal(err)
	}
}

// start returns when all replicas are registered.
func (c crowd) start(ctx context.Context) error {
	for first := 0; first < c.replicas && ctx.Err() == nil; first += c.step {
		next := time.Now().Add(c.pause)
		var registered sync.WaitGroup
		for ordinal := first; ordinal < min(first+c.step, c.replicas); ordinal++ {
			registered.Go(func() {
				sleep(ctx, c.turn(ordinal))
				c.replica(ordinal).logIn(ctx)
			})
		}
		registered.Wait()
		sleep(ctx, time.Until(next))
	}
	return ctx.Err()
}

// turn is how long a replica waits before its first login (scripts/turn.sh).
func (c crowd) turn(ordinal int) time.Duration {
	if c.rate == 0 {
		return 0
	}
	return time.Duration(float64(ordinal) / c.rate * float64(time.Second))
}

func (c crowd) replica(ordinal int) *replica {
	return &replica{crowd: c, hostname: fmt.Sprintf("%s-%d", c.name, ordinal), machine: key.NewMachine(), node: key.NewNode()}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
