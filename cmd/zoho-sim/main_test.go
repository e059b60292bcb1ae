// Tests of zoho-sim as a script uses it: start, wait, connect an account, stop.

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
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

func TestAddressesAreThoseThatPeersUse(t *testing.T) {
	for name, test := range map[string]struct {
		args         []string
		prefix       string
		says, saysNo string
	}{
		"loopback":         {nil, "http://127.0.0.1:", "Point the secrets engine", "-url"},
		"all interfaces":   {[]string{"-listen", "0.0.0.0"}, "http://localhost:", "set -url", "[::]"},
		"all, IPv6 alone":  {[]string{"-listen", "::"}, "http://localhost:", "set -url", "[::]"},
		"all, in brackets": {[]string{"-listen", "[::]"}, "http://localhost:", "set -url", "[::]"},
		"plain http":       {[]string{"-listen", "0.0.0.0", "-url", "http://zoho-sim"}, "http://zoho-sim:", "takes plain http for loopback addresses only", "[::]"},
	} {
		t.Run(name, func(t *testing.T) {
			r, printed := start(t, test.args...)
			for _, address := range append([]string{r.Control, r.AccountsURLs["eu"], r.APIURLs["ca"]}, r.AccountsURLs["ae"]) {
				if !strings.HasPrefix(address, test.prefix) {
					t.Errorf("the address %s does not begin with %s", address, test.prefix)
				}
			}
			if !strings.Contains(printed, test.says) || strings.Contains(printed, test.saysNo) {
				t.Errorf("it printed\n%s\nwhich should have %q and not %q", printed, test.says, test.saysNo)
			}
		})
	}
}

// A name that no resolver knows stands for the name of a container.
func TestOtherContainersReachItOverTLSAtItsName(t *testing.T) {
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	r, printed := start(t, "-listen", "0.0.0.0", "-url", "https://zoho-sim", "-ca-file", caFile)
	if !strings.Contains(printed, `ca_pem="@`+caFile+`"`) || r.CAFile != caFile || strings.Contains(printed, "set -url") {
		t.Errorf("it printed\n%s", printed)
	}
	authority, err := os.ReadFile(caFile)
	if err != nil || bytes.Contains(authority, []byte("PRIVATE")) {
		t.Fatalf("the file of the authority: %v\n%s", err, authority)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		t.Fatal("the file of the authority has no certificate")
	}
	var asked []string
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			asked = append(asked, host)
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	}
	defer transport.CloseIdleConnections()
	peer := &http.Client{Transport: transport}
	get := func(address string) map[string]any {
		t.Helper()
		resp, err := peer.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var answer map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			t.Fatalf("%s answered %d: %v", address, resp.StatusCode, err)
		}
		return answer
	}
	locations, _ := get(r.AccountsURLs["eu"] + "/oauth/serverinfo")["locations"].(map[string]any)
	if locations["us"] != r.AccountsURLs["us"] || !strings.HasPrefix(r.AccountsURLs["us"], "https://zoho-sim:") {
		t.Errorf("serverinfo names %v", locations)
	}
	if counts := get(r.Control + "/counts"); counts["by_endpoint"] == nil {
		t.Errorf("the control API answered %v", counts)
	}
	for _, host := range asked {
		if host != "zoho-sim" {
			t.Errorf("a request went to %s", host)
		}
	}
}

func TestAddressesThatNobodyCouldUseAreRefusedWithTheReason(t *testing.T) {
	for args, want := range map[string]string{
		"-url zoho-sim":                                "write it as https://zoho-sim",
		"-url ftp://zoho-sim -ca-file x":               "write it as https://zoho-sim",
		"-url https://zoho-sim:9000 -ca-file x":        "-port",
		"-url https://zoho-sim/zoho -ca-file x":        "write it as https://zoho-sim",
		"-url https://zoho-sim":                        "-ca-file",
		"-url https://zoho-sim -tls-cert x":            "belong together",
		"-url http://zoho-sim -ca-file x":              "https://",
		"-ca-file x":                                   "-url",
		"-url https://zoho-sim -tls-cert x -tls-key x": "-tls-cert",
		"-listen 0.0.0.0:9000":                         "write it as -listen 0.0.0.0 -port 9000",
		"-port 65530":                                  "from 1 to",
		"-port -1":                                     "from 1 to",
		"-listen no.such.host.invalid":                 "-listen and -port set where",
		"-cors-origins app.example.com":                "write it as https://app.example.com",
		"-cors-origins https://app.example.com/":       "without a slash",
		"-cors-origins https://App.example.com":        "as browsers send it",
		"-access-token-lifetime -5s":                   "longer than 0",
	} {
		ctx, stop := context.WithCancel(t.Context())
		stop() // if it starts after all, it ends at once
		if err := run(ctx, strings.Fields(args), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v, want %q in it", args, err, want)
		}
	}
}

func TestListsOfFlagsMayHaveSpaces(t *testing.T) {
	r, _ := start(t, "-cors-origins", "https://one.example, https://two.example", "-redirect-uri", "http://localhost:1/a, http://localhost:1/b")
	for origin, want := range map[string]string{"https://two.example": "https://two.example", "https://three.example": ""} {
		req, err := http.NewRequest("GET", r.AccountsURLs["us"]+"/oauth/serverinfo", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", origin)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("%s is answered with %q, want %q", origin, got, want)
		}
	}
	query := url.Values{"client_id": {r.ClientID}, "response_type": {"code"}, "redirect_uri": {"http://localhost:1/b"}, "scope": {"ZohoCRM.org.READ"}}
	ask, err := json.Marshal(map[string]string{"url": r.AccountsURLs["us"] + "/oauth/v2/auth?" + query.Encode()})
	if err != nil {
		t.Fatal(err)
	}
	if landed, _ := post(t, r.Control+"/authorize", "application/json", string(ask))["callback_url"].(string); !strings.HasPrefix(landed, "http://localhost:1/b?") {
		t.Errorf("the second redirect URI led to %q", landed)
	}
}

// The files of a running zoho-sim stay as they are when another one cannot start.
func TestSecondOneThatFindsItsPortsTakenLeavesTheFilesOfTheFirstAlone(t *testing.T) {
	dir := t.TempDir()
	ca, file := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ready.json")
	r, _ := start(t, "-url", "https://localhost", "-ca-file", ca)
	before, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("of the first"), 0o600); err != nil {
		t.Fatal(err)
	}
	us, err := url.Parse(r.AccountsURLs["us"])
	if err != nil {
		t.Fatal(err)
	}
	err = run(t.Context(), []string{"-port", us.Port(), "-url", "https://localhost", "-ca-file", ca, "-ready-file", file}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "address already in use; -listen and -port set where it listens") {
		t.Errorf("the second one ended with %v", err)
	}
	after, err := os.ReadFile(ca)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("-ca-file changed: %v", err)
	}
	if kept, err := os.ReadFile(file); err != nil || string(kept) != "of the first" {
		t.Errorf("-ready-file is %q, %v", kept, err)
	}
}
