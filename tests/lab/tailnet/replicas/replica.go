package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2/clientcredentials"
	"tailscale.com/control/ts2021"
	"tailscale.com/control/tsp"
	"tailscale.com/net/tsdial"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
	"tailscale.com/types/logger"
)

// replica is one sidecar.
type replica struct {
	crowd
	hostname string
	machine  key.MachinePrivate
	node     key.NodePrivate
}

// logIn tries as scripts/connect.sh does, until the replica is on the tailnet:
// `tailscale up` makes an auth key, and fails when that or the registration is
// refused. Until the next login, tailscaled goes on trying with the key it has.
func (r *replica) logIn(ctx context.Context) {
	for most := 10 * time.Second; ctx.Err() == nil; most = longer(most) {
		authKey, err := r.newAuthKey(ctx)
		next := time.Now().Add(most/2 + rand.N(most/2))
		for err == nil && ctx.Err() == nil && time.Now().Before(next) {
			var wait time.Duration
			if wait, err = r.join(ctx, authKey); err == nil && wait == 0 {
				return
			}
			sleep(ctx, min(wait, time.Until(next)))
		}
		sleep(ctx, time.Until(next))
	}
}

func longer(most time.Duration) time.Duration {
	if most < 40*time.Second {
		return 2 * most
	}
	return time.Minute
}

// newAuthKey asks as the `tailscale` command does for an OAuth client
// (tailscale.com@v1.102.5 feature/oauthkey/oauthkey.go).
func (r *replica) newAuthKey(ctx context.Context) (string, error) {
	oauth := clientcredentials.Config{
		ClientID:     "some-client-id", // ignored
		ClientSecret: r.secret,
		TokenURL:     r.server + "/api/v2/oauth/token",
	}
	create := map[string]any{"preauthorized": true, "tags": r.tags}
	body, err := json.Marshal(map[string]any{"capabilities": map[string]any{"devices": map[string]any{"create": create}}})
	if err != nil {
		return "", err
	}
	res, err := oauth.Client(ctx).Post(r.server+"/api/v2/tailnet/-/keys", "application/json", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var made struct{ Key string }
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s", res.Status)
	}
	return made.Key, json.NewDecoder(res.Body).Decode(&made)
}

// join registers and reads the first map, as tailscaled does. If the control
// plane asks to wait, it gives how long (tailscale.com@v1.102.5
// control/controlclient/direct.go, parseRateLimitError).
func (r *replica) join(ctx context.Context, authKey string) (wait time.Duration, err error) {
	serverKey, err := tsp.DiscoverServerKey(ctx, r.server)
	if err != nil {
		return 0, err
	}
	control, err := ts2021.NewClient(ts2021.ClientOpts{
		ServerURL:    r.server,
		PrivKey:      r.machine,
		ServerPubKey: serverKey,
		Dialer:       tsdial.NewFromFuncForDebug(logger.Discard, new(net.Dialer).DialContext),
		Logf:         logger.Discard,
	})
	if err != nil {
		return 0, err
	}
	defer control.Close()

	info := &tailcfg.Hostinfo{Hostname: r.hostname, OS: "linux", RequestTags: r.tags}
	res, err := r.ask(ctx, control, "register", tailcfg.RegisterRequest{
		Version:  tailcfg.CurrentCapabilityVersion,
		NodeKey:  r.node.Public(),
		Hostinfo: info,
		Auth:     &tailcfg.RegisterResponseAuth{AuthKey: authKey},
	})
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusTooManyRequests {
		if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
			return time.Duration(seconds) * time.Second, nil
		}
		return 5*time.Second + rand.N(5*time.Second), nil
	}
	var registered tailcfg.RegisterResponse
	if err := json.NewDecoder(res.Body).Decode(&registered); err != nil {
		return 0, fmt.Errorf("%s: %w", res.Status, err)
	}
	if registered.Error != "" {
		return 0, errors.New(registered.Error)
	}
	return 0, r.readMap(ctx, control, info)
}

func (r *replica) readMap(ctx context.Context, control *ts2021.Client, info *tailcfg.Hostinfo) error {
	res, err := r.ask(ctx, control, "map", tailcfg.MapRequest{
		Version:  tailcfg.CurrentCapabilityVersion,
		NodeKey:  r.node.Public(),
		Hostinfo: info,
		Compress: "zstd",
	})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

func (r *replica) ask(ctx context.Context, control *ts2021.Client, what string, body any) (*http.Response, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	// Inside of the encrypted connection the client speaks of https.
	url := strings.Replace(r.server, "http:", "https:", 1) + "/machine/" + what
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	ts2021.AddLBHeader(req, r.node.Public())
	return control.Do(req)
}
