// A mount as its users see it: paths, answers and refusals, with Zoho played by
// the simulator over an in-process wire.

package backend_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/helper/testhelpers/schema"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend"
	"vault-plugin-secrets-zoho/zohotest"
)

// mount is one mounted engine with its storage and its Zoho.
type mount struct {
	t       testing.TB
	zoho    *zohotest.Simulator
	storage *storage
	system  *logical.StaticSystemView
	logs    *syncBuffer
	log     io.Writer // where logs go; logs, if it is not stuck
	mayMiss bool      // not every variant of the test meets its faults
	events  *logical.MockEventSender
	backend logical.Backend
	wire    *wire
	// shown collects every answer but access tokens, for the search for canaries.
	shown *syncBuffer
	// canaries are further texts that must not be shown or logged.
	canaries []string
	// landed is what a browser landed on, for tests that prepare it.
	landed string
}

type data map[string]any

// newMount mounts the engine on empty storage.
func newMount(t testing.TB) *mount {
	t.Helper()
	return newMountOn(t, zohotest.New())
}

// newMountOn mounts the engine once more, on empty storage of its own.
func newMountOn(t testing.TB, sim *zohotest.Simulator) *mount {
	t.Helper()
	system := logical.TestSystemView()
	m := &mount{t: t, zoho: sim, wire: &wire{zoho: sim.Transport()}, storage: &storage{Storage: &logical.InmemStorage{}}, system: system, logs: &syncBuffer{}, events: logical.NewMockEventSender(), shown: &syncBuffer{}}
	m.log = m.logs
	m.restart()
	t.Cleanup(func() { m.backend.Cleanup(context.Background()) })
	return m
}

// restart throws away what is in memory, as a restart of Vault or a crash of the
// plugin does.
func (m *mount) restart() {
	m.t.Helper()
	if m.backend != nil {
		m.backend.Cleanup(context.Background())
	}
	m.backend = m.another()
}

// another makes one more backend on the same storage, as another node has it.
func (m *mount) another() logical.Backend {
	m.t.Helper()
	return m.madeBy(backend.NewFactory(m.wire))
}

func (m *mount) madeBy(factory logical.Factory) logical.Backend {
	m.t.Helper()
	conf := logical.TestBackendConfig()
	conf.System = m.system
	conf.StorageView = m.storage
	conf.EventsSender = punctual{m.events}
	conf.Logger = hclog.New(&hclog.LoggerOptions{Output: m.log, Level: hclog.Trace})
	b, err := factory(context.Background(), conf)
	if err != nil {
		m.t.Fatal(err)
	}
	return b
}

// punctual sends nothing when the time for it is over, as the plugin bridge does.
type punctual struct{ logical.EventSender }

func (p punctual) SendEvent(ctx context.Context, kind logical.EventType, event *logical.EventData) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return p.EventSender.SendEvent(ctx, kind, event)
}

// initialize tells the backend that it is mounted, as Vault does, and waits for what
// that started.
func (m *mount) initialize() {
	m.t.Helper()
	if err := m.backend.Initialize(context.Background(), &logical.InitializationRequest{Storage: m.storage}); err != nil {
		m.t.Fatal(err)
	}
	synctest.Wait()
}

// standby makes the node one of a replicated Vault; its storage can be written or
// not as Vault's would.
func (m *mount) standby(state consts.ReplicationState, local bool) {
	m.system.ReplicationStateVal, m.system.LocalMountVal = state, local
	m.storage.readOnly.Store(state.HasState(consts.ReplicationPerformanceStandby|consts.ReplicationDRSecondary) ||
		state.HasState(consts.ReplicationPerformanceSecondary) && !local)
}

func (m *mount) request(ctx context.Context, op logical.Operation, path string, d data) (*logical.Response, error) {
	// Vault gives the accessor of every token but a batch token's.
	req := &logical.Request{Operation: op, Path: path, Storage: m.storage, Data: d, MountPoint: "zoho/", ClientTokenAccessor: "accessor-of-an-operator"}
	if op == logical.UpdateOperation {
		if _, exists, err := m.backend.HandleExistenceCheck(ctx, &logical.Request{Operation: logical.CreateOperation, Path: path, Storage: m.storage, Data: d}); err == nil && !exists && creatable(path) {
			req.Operation = logical.CreateOperation
		}
	}
	resp, err := answered(ctx, m.backend, req)
	if resp != nil && strings.HasPrefix(path, "authorize/") && d["add_scopes"] != nil && !resp.IsError() {
		// Zoho wants the short-lived token that opens its page in the page's address.
		fmt.Fprintf(m.shown, "%s %s: %v %v\n", op, path, resp.Warnings, err)
	} else if !(op == logical.ReadOperation && strings.HasPrefix(path, "creds/")) || resp.IsError() {
		fmt.Fprintf(m.shown, "%s %s: %v %v\n", op, path, resp, err)
	} else if resp != nil {
		fmt.Fprintf(m.shown, "%s %s: %v %v\n", op, path, resp.Warnings, err)
	}
	return resp, err
}

func creatable(path string) bool {
	return path == "config" || strings.HasPrefix(path, "creds/")
}

// try makes a request and returns its answer or its refusal. Every answer must fit
// the schema that the path documents.
func (m *mount) try(op logical.Operation, path string, d data) (*logical.Response, error) {
	m.t.Helper()
	resp, err := m.request(context.Background(), op, path, d)
	if err == nil && resp.IsError() {
		return nil, &refusal{http.StatusBadRequest, resp.Error().Error()}
	}
	if coded, ok := err.(logical.HTTPCodedError); ok {
		return nil, &refusal{coded.Code(), coded.Error()}
	}
	if t, ok := m.t.(*testing.T); ok && err == nil && resp != nil && resp.Data != nil {
		if engine, ok := m.backend.(router); ok { // not over the plugin bridge
			schema.ValidateResponse(t, schema.GetResponseSchema(t, engine.Route(path), op), resp, true)
		}
	}
	return resp, err
}

// router finds the path that answers a request, as the framework's backend does.
type router interface {
	Route(path string) *framework.Path
}

// refusal is an answer that is an error, as a client sees it.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s", r.status, r.text) }

// do makes a request that has to succeed.
func (m *mount) do(op logical.Operation, path string, d data) *logical.Response {
	m.t.Helper()
	resp, err := m.try(op, path, d)
	if err != nil {
		m.t.Fatalf("%s %s: %v", op, path, err)
	}
	return resp
}

func (m *mount) write(path string, d data) *logical.Response {
	m.t.Helper()
	return m.do(logical.UpdateOperation, path, d)
}

func (m *mount) patch(path string, d data) { m.t.Helper(); m.do(logical.PatchOperation, path, d) }

func (m *mount) read(path string) data { m.t.Helper(); return m.readWith(path, nil) }

func (m *mount) readWith(path string, d data) data {
	m.t.Helper()
	return m.do(logical.ReadOperation, path, d).Data
}

func (m *mount) list(path string) data {
	m.t.Helper()
	return m.do(logical.ListOperation, path, nil).Data
}

func (m *mount) delete(path string) *logical.Response {
	m.t.Helper()
	return m.do(logical.DeleteOperation, path, nil)
}

// refused makes a request that has to be refused with a status and a text that
// holds every one of the words.
func (m *mount) refused(op logical.Operation, path string, d data, status int, words ...string) {
	m.t.Helper()
	resp, err := m.try(op, path, d)
	r, ok := err.(*refusal)
	if !ok {
		m.t.Fatalf("%s %s %v: got %v, %v; want status %d", op, path, d, resp, err, status)
	}
	if r.status != status {
		m.t.Errorf("%s %s: got %v; want status %d", op, path, r, status)
	}
	for _, word := range words {
		if !strings.Contains(r.text, word) {
			m.t.Errorf("%s %s: got %q; it does not say %q", op, path, r.text, word)
		}
	}
}

// configure stores the simulator's default client.
func (m *mount) configure(more data) {
	m.t.Helper()
	c := m.zoho.DefaultClient()
	d := data{"client_id": c.ID, "client_secret": c.Secret, "redirect_uri": slices.Concat(c.RedirectURIs, []string{callbackAddress})[0], "scopes": "ZohoCRM.modules.ALL ZohoCRM.org.READ"}
	for key, value := range more {
		d[key] = value
	}
	if resp := m.write("config", d); resp != nil && len(resp.Warnings) > 0 {
		m.t.Fatalf("config warns: %v", resp.Warnings)
	}
}

// consent plays the person at the browser and returns what it landed on.
func (m *mount) consent(name string, d data, c zohotest.Consent) string {
	m.t.Helper()
	started := m.write("authorize/"+name, d)
	landed, err := m.zoho.Authorize(started.Data["authorization_url"].(string), c)
	if err != nil {
		m.t.Fatal(err)
	}
	return landed
}

// connect takes a credential through a consent.
func (m *mount) connect(name string) *logical.Response {
	m.t.Helper()
	return m.write("creds/"+name, data{"callback_url": m.consent(name, nil, zohotest.Consent{})})
}

// token reads a credential and returns its access token, which has to be alive.
func (m *mount) token(name string) string {
	m.t.Helper()
	token := m.read("creds/" + name)["access_token"].(string)
	if !m.zoho.Alive(token) {
		m.t.Fatalf("creds/%s gave a dead token", name)
	}
	return token
}

// forgives wants exactly these violations, and forgets them: somebody else is to blame, an
// operator or a person, and the engine cannot know.
func (m *mount) forgives(kinds ...zohotest.Kind) {
	m.t.Helper()
	var seen []zohotest.Kind
	for _, v := range m.zoho.Violations() {
		seen = append(seen, v.Kind)
	}
	if !slices.Equal(seen, kinds) {
		m.t.Errorf("violations: %v, want %q", m.zoho.Violations(), kinds)
	}
	m.zoho.Reset()
}

// clean fails the test if Zoho has seen anything that it should not, if a grant
// leaked, if a secret was shown or logged, or if the engine panicked on its own.
func (m *mount) clean() {
	m.t.Helper()
	for _, v := range m.zoho.Violations() {
		m.t.Errorf("violation: %v", v)
	}
	if !m.mayMiss {
		for _, f := range m.zoho.UnmetFaults() {
			m.t.Errorf("no call met the fault %+v", f)
		}
	}
	if orphans := m.zoho.Orphans(m.storage.refreshTokens(m.t)...); len(orphans) > 0 {
		m.t.Errorf("%d refresh tokens live at Zoho that the engine neither stores nor revokes", len(orphans))
	}
	if _, fault, panicked := strings.Cut(m.logs.String(), "internal fault: runtime."); panicked { // what tests throw is a string
		m.t.Errorf("a fault of the engine's own: %.2000s", fault)
	}
	out := m.logs.String() + m.shown.String() + fmt.Sprint(m.sent())
	for _, secret := range append(m.zoho.Secrets(), m.canaries...) {
		if secret != "" && strings.Contains(out, secret) {
			where := strings.Index(out, secret)
			m.t.Errorf("a secret was shown or logged: %.12s... in %q", secret, out[max(0, where-200):min(len(out), where+20)])
		}
	}
}

// inBubble runs a test in which time passes at once.
func inBubble(t *testing.T, test func(t *testing.T, m *mount)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMount(t)
		test(t, m)
		m.clean()
	})
}

// wire is the way to Zoho; it can be cut, as for a process that died, and it can
// answer every call with the same words.
type wire struct {
	zoho  http.RoundTripper
	dead  atomic.Bool
	fixed atomic.Pointer[string]
	// after runs when Zoho has served a call, and may hold up the answer.
	after atomic.Pointer[func()]
}

// holding holds up answers until release is called; served has a value for each.
func (w *wire) holding() (served <-chan struct{}, release func()) {
	calls, open := make(chan struct{}, 100), make(chan struct{})
	hold := func() {
		calls <- struct{}{}
		<-open
	}
	w.after.Store(&hold)
	return calls, func() {
		w.after.Store(nil)
		close(open)
	}
}

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if w.dead.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("this process is dead")}
	}
	if body := w.fixed.Load(); body != nil {
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(*body)), Request: req,
		}, nil
	}
	resp, err := w.zoho.RoundTrip(req)
	if hook := w.after.Load(); hook != nil {
		(*hook)()
	}
	return resp, err
}

// syncBuffer is a buffer that several goroutines may write to.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// tick runs what Vault runs every minute, and waits for what that started.
func (m *mount) tick() {
	m.t.Helper()
	m.minute()
	synctest.Wait()
}

// hours lets three hours go by, with Vault's minute at the end of each: no token
// minted before lives, and what is due was tried.
func (m *mount) hours() {
	m.t.Helper()
	for range 3 {
		passes(61 * time.Minute)
		m.tick()
	}
}

// minute runs what Vault runs every minute, and does not wait.
func (m *mount) minute() {
	m.t.Helper()
	_, err := m.backend.HandleRequest(context.Background(), &logical.Request{Operation: logical.RollbackOperation, Storage: m.storage})
	if err != nil && !errors.Is(err, logical.ErrUnsupportedOperation) {
		m.t.Fatal(err)
	}
}

// sent returns the events so far, as "type name".
func (m *mount) sent() []string {
	m.events.Lock()
	defer m.events.Unlock()
	var sent []string
	for _, e := range m.events.Events {
		sent = append(sent, fmt.Sprintf("%s %v", e.Type, e.Event.Metadata.AsMap()))
	}
	return sent
}

// passes lets time go by: none at all, in the bubble that every caller is in.
func passes(d time.Duration) { time.Sleep(d) }
