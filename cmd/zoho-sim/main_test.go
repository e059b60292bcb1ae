// Can a script start it, wait for it, connect an account and stop it?

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

// start runs zoho-sim until the test ends and returns its ready file and what
// it printed.
func start(t *testing.T, args ...string) (ready, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ready.json")
	if err := os.WriteFile(path, []byte("stale"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var printed output
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, append(args, "-ready-file", path), &printed, io.Discard) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("it did not start: %v", err)
		case <-tick.C:
		}
		var r ready
		content, err := os.ReadFile(path)
		if err == nil && json.Unmarshal(content, &r) == nil {
			return r, printed.String()
		}
	}
}

// output is a terminal that two goroutines may use.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func post(t *testing.T, address, contentType, body string) map[string]any {
	t.Helper()
	resp, err := http.Post(address, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatalf("%s answered %d and no JSON: %v", address, resp.StatusCode, err)
	}
	return answer
}

func TestAScriptCanConnectAnAccountAndIsToldOfItsMistakes(t *testing.T) {
	r, printed := start(t, "-client-id", "1000.ME", "-client-secret", "shh-shh-shh", "-redirect-uri", "http://localhost:1/cb", "-access-token-lifetime", "5m")
	for _, wanted := range []string{"client_id=1000.ME client_secret=shh-shh-shh redirect_uri=\"http://localhost:1/cb\" accounts_urls=\"", "us=" + r.AccountsURLs["us"], "ae=" + r.AccountsURLs["ae"], r.Control} {
		if !strings.Contains(printed, wanted) {
			t.Errorf("%q is not in what it printed:\n%s", wanted, printed)
		}
	}
	query := url.Values{"client_id": {r.ClientID}, "response_type": {"code"}, "redirect_uri": {r.RedirectURI}, "scope": {"ZohoCRM.org.READ"}, "access_type": {"offline"}}
	ask, err := json.Marshal(map[string]string{"url": r.AccountsURLs["us"] + "/oauth/v2/auth?" + query.Encode(), "data_center": "eu"})
	if err != nil {
		t.Fatal(err)
	}
	landed, err := url.Parse(post(t, r.Control+"/authorize", "application/json", string(ask))["callback_url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if got := landed.Query().Get("accounts-server"); got != r.AccountsURLs["eu"] {
		t.Errorf("accounts-server is %q, want eu's %q", got, r.AccountsURLs["eu"])
	}
	exchange := url.Values{"grant_type": {"authorization_code"}, "client_id": {r.ClientID}, "client_secret": {r.ClientSecret},
		"redirect_uri": {r.RedirectURI}, "code": {landed.Query().Get("code")}}.Encode()
	token := post(t, r.AccountsURLs["eu"]+"/oauth/v2/token", "application/x-www-form-urlencoded", exchange)
	if token["refresh_token"] == nil || token["expires_in"] != 300.0 || token["api_domain"] != r.APIURLs["eu"] {
		t.Errorf("the exchange answered %v", token)
	}
	post(t, r.AccountsURLs["eu"]+"/oauth/v2/token", "application/x-www-form-urlencoded", exchange)
	resp, err := http.Get(r.Control + "/violations")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var violations []zohotest.Violation
	if err := json.NewDecoder(resp.Body).Decode(&violations); err != nil {
		t.Fatal(err)
	}
	if len(violations) != 1 || violations[0].Kind != zohotest.CodeTriedTwice {
		t.Errorf("violations are %v, want the code that was tried twice", violations)
	}
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"argument"}, {"-redirect-uri", ""}, {"-port", "70000"}} {
		if err := run(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
	var help bytes.Buffer
	if err := run(t.Context(), []string{"-h"}, io.Discard, &help); !errors.Is(err, flag.ErrHelp) || !strings.Contains(help.String(), "-ready-file") {
		t.Errorf("help is %v and %q", err, help.String())
	}
}
