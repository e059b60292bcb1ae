// fake_test.go: the Vault and the browser of the tests. The fake answers what the engine
// answers; the acceptance stories compare the two.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/internal/page"
)

const (
	theState = "STATE-OF-THIS-CONSENT"
	theCode  = "1000.0123456789abcdef.fedcba9876543210"
	theLink  = "https://accounts.zoho.example/oauth/v2/auth?state=" + theState
	redirect = "code=" + theCode + "&state=" + theState + "&location=eu&accounts-server=https%3A%2F%2Faccounts.zoho.eu"
)

// fakeVault answers what a test says, and counts.
type fakeVault struct {
	authorize, creds, status, read, end, consent answer
	// What is asked before a consent is started.
	callback, may, mounts, health answer

	mu       sync.Mutex
	requests []request
}

// answer is a status and a body; it may take its time.
type answer func(request) (int, any)

type request struct {
	method, path, token, namespace string
	fields                         map[string]any
}

// newFake connects whatever is asked for.
func newFake() *fakeVault {
	return &fakeVault{
		authorize: always(200, map[string]any{
			"authorization_url": theLink, "state": theState, "expire_time": time.Now().Add(10 * time.Minute).UTC().Format(time.RFC3339),
			"flow": "code", "data_center": "us", "scopes": []string{"ZohoCRM.org.READ", "ZohoCRM.users.READ"},
		}),
		creds: always(200, map[string]any{
			"data_center": "eu", "requested_scopes": []string{"ZohoCRM.org.READ", "ZohoCRM.users.READ"}, "granted_scopes": []string{"ZohoCRM.org.READ"},
		}),
		status: always(200, map[string]any{"state": "ready", "zoho_email": "user@zylker.example", "zoho_user": "4711"}),
		read:   always(404, nil),
		end:    always(204, nil),
		// No consent is stored.
		consent:  always(404, nil),
		callback: always(400, string(page.Page{Result: page.Unknown}.HTML())),
		may:      policy(map[string][]string{"authorize": {"update"}, "creds": {"create", "read", "update"}}),
		mounts:   always(200, map[string]any{"path": "zoho/", "type": "vault-plugin-secrets-zoho"}),
		health:   always(200, raw{"initialized": true, "sealed": false, "version": "1.21.0"}),
	}
}

// raw is the answer of a path of Vault that does not wrap it in data.
type raw map[string]any

// policy answers what the token may do on each kind of path.
func policy(capabilities map[string][]string) answer {
	return func(r request) (int, any) {
		data := map[string]any{}
		for _, path := range r.fields["paths"].([]any) {
			kind := strings.Split(path.(string), "/")
			data[path.(string)] = append([]string{}, capabilities[kind[len(kind)-2]]...)
		}
		return 200, data
	}
}

func always(status int, data any) answer { return func(request) (int, any) { return status, data } }

// refuses is Vault's form of an error.
func refuses(status int, text string) answer {
	return always(status, map[string]any{"errors": []string{text}})
}

func (f *fakeVault) RoundTrip(r *http.Request) (*http.Response, error) {
	got := request{method: r.Method, path: strings.TrimPrefix(r.URL.Path, "/v1/"), token: r.Header.Get("X-Vault-Token"), namespace: r.Header.Get("X-Vault-Namespace"), fields: map[string]any{}}
	for name, values := range r.URL.Query() {
		got.fields[name] = values[0]
	}
	if r.Body != nil {
		json.NewDecoder(r.Body).Decode(&got.fields)
	}
	if got.fields["withdraw"] == true {
		got.method = "WITHDRAW"
	}
	f.mu.Lock()
	f.requests = append(f.requests, got)
	f.mu.Unlock()
	how := f.before(got)
	if how == nil {
		how = f.during(got)
	}
	status, data := how(got)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	body := []byte{}
	if fields, ok := data.(map[string]any); ok && fields["errors"] == nil {
		data = map[string]any{"data": fields, "warnings": fields["warnings"]}
	}
	header := http.Header{"Content-Type": {"application/json"}}
	switch document, isText := data.(string); {
	case isText:
		body, header = []byte(document), http.Header{"Content-Type": {"text/html"}}
	case data != nil:
		body, _ = json.Marshal(data)
	}
	return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Body: io.NopCloser(bytes.NewReader(body)), Header: header, Request: r}, nil
}

// before is the answer to what is asked before a consent is started, nil for other requests.
func (f *fakeVault) before(got request) answer {
	switch {
	case got.path == "sys/health":
		return f.health
	case got.path == "sys/capabilities-self":
		return f.may
	case strings.HasPrefix(got.path, "sys/internal/ui/mounts/"):
		return f.mounts
	case strings.HasSuffix(got.path, "/callback"):
		if got.token != "" {
			return refuses(500, "a token was sent to the callback")
		}
		return f.callback
	}
	return nil
}

// during is the answer to a request for a consent.
func (f *fakeVault) during(got request) answer {
	how := map[string]answer{
		"PUT authorize": f.authorize, "PUT creds": f.creds, "GET creds": f.read, "GET status": f.status, "WITHDRAW authorize": f.end, "GET authorize": f.consent,
	}[got.method+" "+strings.Split(got.path, "/")[len(strings.Split(got.path, "/"))-2]]
	if how == nil {
		how = refuses(404, "no handler for route "+got.path)
	}
	return how
}

func (f *fakeVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resp, err := f.RoundTrip(r)
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body)
}

// made are the requests of a method to a kind of path.
func (f *fakeVault) made(method, kind string) (all []request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.requests {
		if r.method == method && strings.Contains(r.path, "/"+kind+"/") {
			all = append(all, r)
		}
	}
	return all
}

// login is a run of the command, and the person in front of it.
type login struct {
	t              *testing.T
	interrupt      context.CancelFunc
	stdin          io.Writer
	stdout, stderr *output
	opened         chan string // what the browser was opened with
	port           string
	code           int
	ended          chan struct{}
}

// start runs the command against the fake.
func start(t *testing.T, fake *fakeVault, args ...string) *login {
	t.Helper()
	serve(t, fake)
	return startHere(t, args...)
}

// serve makes the fake the Vault of the environment.
func serve(t *testing.T, fake *fakeVault) {
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	cleanEnvironment(t)
	t.Setenv("VAULT_ADDR", server.URL)
	t.Setenv("VAULT_TOKEN", "hvs.the-token")
}

// startHere runs the command with the environment as it is.
func startHere(t *testing.T, args ...string) *login {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	in, keyboard := io.Pipe()
	l := &login{t: t, interrupt: cancel, stdin: keyboard, stdout: &output{}, stderr: &output{}, opened: make(chan string, 1), port: freePort(t), ended: make(chan struct{})}
	given := strings.Join(args, " ")
	if !strings.Contains(given, "-port") && !strings.Contains(given, "-redirect-uri") {
		args = append([]string{"-port", l.port}, args...)
	}
	if !strings.Contains(given, "-linger") {
		args = append([]string{"-linger", "0s"}, args...)
	}
	go func() {
		defer close(l.ended)
		l.code = run(ctx, args, terminal{stdin: in, stdout: l.stdout, stderr: l.stderr, browse: func(address string) (<-chan error, error) {
			l.opened <- address
			return nil, nil
		}})
	}()
	t.Cleanup(func() {
		cancel()
		keyboard.Close()
		<-l.ended
	})
	return l
}

// TestMain gives all tests one home: the finder of the token asks for it once.
func TestMain(m *testing.M) {
	home, err := os.MkdirTemp("", "zoho-login")
	if err != nil {
		panic(err)
	}
	os.Setenv("HOME", home)
	code := m.Run()
	os.RemoveAll(home)
	os.Exit(code)
}

func cleanEnvironment(t *testing.T) {
	for _, name := range []string{"VAULT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_AGENT_ADDR", "VAULT_WRAP_TTL", "VAULT_CONFIG_PATH", "SSH_CONNECTION"} {
		t.Setenv(name, "")
	}
	t.Setenv("VAULT_MAX_RETRIES", "0") // no second is spent on retries
}

// freePort is one that nobody has at this moment.
func freePort(t *testing.T) string {
	t.Helper()
	listeners, err := listen("0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listeners[0].Addr().String())
	for _, l := range listeners {
		l.Close()
	}
	return port
}

// open waits until the browser is opened, and says with what.
func (l *login) open() string {
	l.t.Helper()
	select {
	case address := <-l.opened:
		return address
	case <-l.ended:
		l.t.Fatalf("it ended and opened no browser:\n%s", l.stderr)
		return ""
	}
}

// land is the browser coming back.
func (l *login) land(query string) view { return l.get("GET", "/callback?"+query, nil) }

type view struct {
	status int
	header http.Header
	body   string
}

func (l *login) get(method, target string, header http.Header) view {
	l.t.Helper()
	r, err := http.NewRequestWithContext(l.t.Context(), method, "http://localhost:"+l.port+target, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		l.t.Fatalf("nothing answers the browser: %v\n%s", err, l.stderr)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return view{resp.StatusCode, resp.Header, string(body)}
}

// want waits for the end.
func (l *login) want(code int) *login {
	l.t.Helper()
	<-l.ended
	if l.code != code {
		l.t.Errorf("exit code %d, want %d; it said\n%s%s", l.code, code, l.stdout, l.stderr)
	}
	for _, secret := range []string{theCode, "0123456789abcdef", "hvs.the-token", "ACCESS-TOKEN"} {
		if strings.Contains(l.stdout.String()+l.stderr.String(), secret) {
			l.t.Errorf("a secret was printed: %s\n%s%s", secret, l.stdout, l.stderr)
		}
	}
	return l
}

func (l *login) says(texts ...string) {
	l.t.Helper()
	for _, text := range texts {
		if said := l.stdout.String() + l.stderr.String(); !strings.Contains(said, text) {
			l.t.Errorf("it does not say %q, but\n%s", text, said)
		}
	}
}

// withdrew checks how often a consent was ended in Vault, by its state.
func (f *fakeVault) withdrew(t *testing.T, times int) {
	t.Helper()
	made := f.made("WITHDRAW", "authorize")
	if n := len(f.made("DELETE", "authorize")); n != 0 {
		t.Errorf("%d deletes, whose address holds the state", n)
	}
	if len(made) != times {
		t.Errorf("%d consents were withdrawn, want %d", len(made), times)
	}
	for _, r := range made {
		if r.fields["if_state"] != theState || r.path != "zoho/authorize/crm" {
			t.Errorf("withdrew %v", r)
		}
	}
}

// output is a screen that somebody may wait before.
type output struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // closed by the next write
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	text, _ := o.look()
	return text
}

// look returns what is there, and a channel that is closed when there is more.
func (o *output) look() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed == nil {
		o.changed = make(chan struct{})
	}
	return o.text.String(), o.changed
}

// waitFor waits until standard error shows a text.
func (l *login) waitFor(text string) {
	l.t.Helper()
	for {
		said, more := l.stderr.look()
		if strings.Contains(said, text) {
			return
		}
		select {
		case <-more:
		case <-l.ended:
			l.t.Fatalf("it ended and never said %q:\n%s", text, l.stderr)
		}
	}
}
