package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"time"

	"tailscale.com/derp/derpserver"
	"tailscale.com/net/stunserver"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
	"tailscale.com/types/logger"
)

// relay is the tailnet's one DERP region: it carries traffic between devices
// that have no direct path, and tells them (by STUN) their own address.
type relay struct {
	derp *derpserver.Server
	http *http.Server
	Port int
	Map  *tailcfg.DERPMap
}

// startRelay listens on host, on the same port of TCP for DERP and of UDP for
// STUN; port 0 takes a free one.
func startRelay(ctx context.Context, host string, port int, private key.NodePrivate) (*relay, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen for DERP: %w", err)
	}
	port = listener.Addr().(*net.TCPAddr).Port
	stun := stunserver.New(ctx)
	if err := stun.Listen(net.JoinHostPort(host, strconv.Itoa(port))); err != nil {
		return nil, fmt.Errorf("listen for STUN: %w", err)
	}
	certificate, err := selfSigned()
	if err != nil {
		return nil, fmt.Errorf("make the DERP certificate: %w", err)
	}
	derp := derpserver.New(private, logger.Discard)
	r := &relay{
		derp: derp,
		http: &http.Server{
			Handler:   derpserver.Handler(derp),
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
			// An empty map turns HTTP/2 off: DERP upgrades an HTTP/1 connection.
			TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
			ErrorLog:     log.New(io.Discard, "", 0),
		},
		Port: port,
		Map:  derpMap(host, port),
	}
	go serve("STUN", stun.Serve)
	go serve("DERP", func() error { return r.http.ServeTLS(listener, "", "") })
	return r, nil
}

func serve(name string, run func() error) {
	if err := run(); err != nil && err != http.ErrServerClosed {
		log.Printf("%s server: %v", name, err)
	}
}

func derpMap(host string, port int) *tailcfg.DERPMap {
	const region = 900 // from here on numbers are free for private relays
	return &tailcfg.DERPMap{
		OmitDefaultRegions: true,
		Regions: map[tailcfg.DERPRegionID]*tailcfg.DERPRegion{region: {
			RegionID:   region,
			RegionCode: "lab",
			RegionName: "Lab",
			Nodes: []*tailcfg.DERPNode{{
				Name:             "lab1",
				RegionID:         region,
				HostName:         host,
				IPv4:             host,
				IPv6:             "none",
				DERPPort:         port,
				STUNPort:         port,
				InsecureForTests: true, // the certificate is self-signed
			}},
		}},
	}
}

func (r *relay) close() error {
	return r.http.Close()
}

// selfSigned is a certificate that nobody checks.
func selfSigned() (tls.Certificate, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().AddDate(10, 0, 0),
		DNSNames:     []string{"derp.lab"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, nil
}
