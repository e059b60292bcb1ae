// What stands for Zoho? The simulator, in this process, with limits that are out of
// the way, behind a listener that counts connections and takes as long as it is told.

package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

type simulated struct {
	*zohotest.Simulator
	client      zohotest.Client
	url         string
	delay       atomic.Int64 // of each answer, in nanoseconds
	failing     atomic.Bool  // answers 503
	connections atomic.Int64 // that were opened
	inFlight    atomic.Int64
	mostAtOnce  atomic.Int64
	calls       atomic.Int64
	busy        atomic.Int64 // nanoseconds from a call's arrival to its answer, of all together
	server      *http.Server
	// revokesAtOnce: a revocation is answered without a look at the token, which costs less
	// than the simulator's own answer. revoked counts them.
	revokesAtOnce atomic.Bool
	revoked       atomic.Int64
}

func startZoho() (*simulated, error) {
	z := &simulated{Simulator: zohotest.New()}
	z.Knobs(func(k *zohotest.Knobs) {
		k.Mints, k.Codes, k.LiveAccessTokens, k.LiveRefreshTokens = -1, -1, -1, -1
	})
	z.client = z.AddClient(zohotest.Client{Type: zohotest.SelfClient, DataCenter: "us"})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	z.url = "http://" + l.Addr().String()
	z.SetURL("us", zohotest.AccountsServer, z.url)
	handler := z.Handler("us", zohotest.AccountsServer)
	z.server = &http.Server{
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				z.connections.Add(1)
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if z.revokesAtOnce.Load() && strings.Contains(r.URL.Path, "revoke") {
				z.revoked.Add(1)
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"status":"success"}`)
				return
			}
			if r.ContentLength != 0 { // else a check of whether Zoho answers, which is no mint
				z.calls.Add(1)
			}
			begun := time.Now()
			defer func() { z.busy.Add(int64(time.Since(begun))) }()
			now := z.inFlight.Add(1)
			defer z.inFlight.Add(-1)
			for most := z.mostAtOnce.Load(); now > most && !z.mostAtOnce.CompareAndSwap(most, now); most = z.mostAtOnce.Load() {
			}
			select {
			case <-time.After(time.Duration(z.delay.Load())):
			case <-r.Context().Done():
				return
			}
			if z.failing.Load() {
				http.Error(w, "out of order", http.StatusServiceUnavailable)
				return
			}
			handler.ServeHTTP(w, r)
		}),
	}
	go z.server.Serve(l)
	return z, nil
}

// forget begins counting anew.
func (z *simulated) forget() {
	z.connections.Store(0)
	z.mostAtOnce.Store(0)
	z.calls.Store(0)
	z.busy.Store(0)
}

// configure writes the mount's client.
func (z *simulated) configure(s *server, mount string) error {
	return s.ask("POST", mount+"/config", map[string]any{
		"client_id": z.client.ID, "client_secret": z.client.Secret, "data_center": "us",
		"accounts_urls": "us=" + z.url, "max_age": "50m", "mint_limit": 1000, "live_token_limit": 1000, "verify": false,
	}, nil)
}

// connect gives a credential a grant of its own.
func (z *simulated) connect(s *server, mount, name string) error {
	code, err := z.SelfClientCode(z.client.ID, "us", time.Minute, "ZohoCRM.modules.ALL")
	if err != nil {
		return err
	}
	if err := s.ask("POST", mount+"/creds/"+name, map[string]any{"code": code}, nil); err != nil {
		return fmt.Errorf("connecting %s: %w", name, err)
	}
	return nil
}

// life is that of the access tokens from now on.
func (z *simulated) life(d time.Duration) {
	z.Knobs(func(k *zohotest.Knobs) { k.AccessTokenLifetime = d })
}
