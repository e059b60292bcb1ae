// Who asks, and when? The state of one run of a script, its callers, and what is
// remembered of their answers.

package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// simulation is one run of a script.
type simulation struct {
	t      testing.TB
	ctx    context.Context
	start  time.Time
	zoho   *zohotest.Simulator
	disk   logical.Storage
	logs   *syncBuffer
	shown  *syncBuffer
	events *logical.MockEventSender
	gate   gate
	// registering guards changes of the client at Zoho.
	registering sync.Mutex
	// redirects are those of the client, while it is of a type that has any.
	redirects []string

	// Settings of the script.
	names     []string
	lag       time.Duration // of invalidations
	stale     bool          // the standby's storage lags as well
	lingers   time.Duration // for which one that leads no more does not know
	level     byte          // of trouble, see simEvent.plan
	hurried   bool
	killers   bool // the world may revoke
	outsiders bool // another program mints from the same grants
	rotates   bool
	spelt     bool // refresh tokens are imported with their server spelt in two ways
	cacheSize int  // see factory

	nodes      int
	torn       bool         // storage failed, or a process died
	waiting    atomic.Int64 // goroutines in Zoho or blocked in storage
	flows      sync.WaitGroup
	background sync.WaitGroup

	mu       sync.Mutex
	active   *simNode // changed by the script's own goroutine alone
	standby  *simNode
	deposed  *simNode                           // the last that led
	behind   map[string][]*logical.StorageEntry // what the standby sees yet, by key, the oldest first
	writes   int
	running  int // flows
	sequence uint64
	asked    int
	problems []simProblem
	judged   int // violations
	log      []string
	labels   map[string]string

	grants     map[string]bool       // every refresh token there ever was
	received   map[string]simReceipt // by grant: which process got it
	lost       map[string]bool       // a process died with it, or all said that it is lost
	killed     map[string]bool       // ended by the world; access tokens too
	forgotten  map[string]bool       // by a delete with revoke=false
	unmarked   map[string]bool       // names whose tokens were revoked, and storage did not take it
	outside    map[string]bool       // connected by somebody else
	successor  map[string]string
	unrevoked  map[string]time.Time // when revoking was tried in vain
	imported   map[string]bool
	outsideHit bool
	// throttleFault: Zoho throttles as if another program had used the grant.
	throttleFault bool

	handed   map[string]map[string]uint64 // name -> access token -> when it was first handed out
	barred   map[string]uint64            // access token -> since when it may not be handed out
	exists   map[string]uint64            // since when a credential is connected that was not deleted
	stored   map[string]bool              // imported with success
	consents map[string][]*simConsent
	people   map[string]zohotest.User // by the code that came of their consent
	bought   map[string]simPurchase   // by grant
	devices  map[string]string        // name -> user code
	code     string                   // the last self client's code
	coded    time.Time
	changes  map[string][]*simRequest // by name: deletes, authorizations, connections
	revoking []*simRequest
}

func newSimulation(t testing.TB, s simScript) *simulation {
	header := s.header
	h := &simulation{
		t: t, ctx: context.Background(), start: time.Now(), zoho: zohotest.New(), disk: &logical.InmemStorage{}, logs: &syncBuffer{}, shown: &syncBuffer{}, events: logical.NewMockEventSender(),
		names: []string{"a", "b", "c"}[:1+int(header[0]%3)], level: choose(header[3], byte(3), 3, 2, 1, 0), hurried: header[3]>>4&1 == 1,
		lag: choose(header[2], 0, 0, 10*time.Millisecond, 2*time.Second), killers: header[4]%3 == 1, outsiders: header[4]%8 == 2, spelt: header[4]%8 >= 5, rotates: header[1]>>1&7 == 7,
		cacheSize: choose(header[6], 100, 2, 1), stale: header[7]&1 == 1, lingers: choose(header[7]>>1, 0, 0, 300*time.Millisecond, 20*time.Second),
		behind: map[string][]*logical.StorageEntry{},
		labels: map[string]string{}, grants: map[string]bool{}, received: map[string]simReceipt{}, lost: map[string]bool{}, killed: map[string]bool{}, forgotten: map[string]bool{}, unmarked: map[string]bool{},
		outside: map[string]bool{}, successor: map[string]string{}, unrevoked: map[string]time.Time{}, imported: map[string]bool{},
		handed: map[string]map[string]uint64{}, barred: map[string]uint64{}, exists: map[string]uint64{}, stored: map[string]bool{}, consents: map[string][]*simConsent{}, people: map[string]zohotest.User{}, bought: map[string]simPurchase{}, devices: map[string]string{},
		changes: map[string][]*simRequest{},
	}
	h.zoho.Knobs(func(k *zohotest.Knobs) {
		k.Codes, k.LiveRefreshTokens = -1, -1 // how many people consent is not examined here
		k.ExchangeIsMint = header[1]&1 == 0
		k.RotateRefreshTokens = h.rotates
		k.SlidingWindow = header[1]>>4&1 == 1
		k.RejectedExtend = header[1]>>5&1 == 1
		k.RevokeHTML = header[1]>>6&1 == 1
		k.OrganizationClients = append(k.OrganizationClients, zohotest.ServerBased) // one mount has grants of both kinds
	})
	c := h.zoho.DefaultClient()
	c.Enabled = h.zoho.DataCenters() // whatever its type is at the moment
	c.RedirectURIs = append(c.RedirectURIs, callbackAddress)
	h.redirects = c.RedirectURIs
	h.zoho.AddUser(zohotest.User{Email: simStranger})
	h.zoho.AddClient(c)
	h.active, h.standby = h.newNode(false), h.newNode(true)
	h.do(h.request(simEvent{}, logical.UpdateOperation, "config", h.wholeConfig(data{
		"max_age": choose(header[5], "0", "0", "30m", "50m"), "request_timeout": choose(header[5]>>4, "10s", "10s", "2s"),
	})))
	for range 3 {
		h.consentElsewhere()
	}
	time.Sleep(61 * time.Minute) // their first tokens take no place any more
	h.note("settings: %d names, trouble %d, invalidations take %s, %+v", len(h.names), h.level, h.lag, map[string]bool{
		"ExchangeIsMint": header[1]&1 == 0, "rotation": h.rotates, "the world revokes": h.killers, "others mint": h.outsiders,
	})
	return h
}

func (h *simulation) wholeConfig(more data) data {
	c := h.zoho.DefaultClient()
	d := data{
		"client_id": c.ID, "client_secret": c.Secret, "redirect_uri": h.redirects[0], "scopes": "ZohoCRM.modules.ALL ZohoCRM.org.READ AaaServer.profile.READ", "verify": false,
		"mint_limit": 10, "mint_window": "10m", "live_token_limit": 10, "data_center": "us", "return_urls": returns,
		"accounts_urls": map[string]any{"us2": "https://accounts.zoho.com:443"},
	}
	maps.Copy(d, more)
	return d
}

// consentElsewhere makes a grant that another program got.
func (h *simulation) consentElsewhere() {
	h.becomes(zohotest.ServerBased)
	c := h.zoho.DefaultClient()
	landed, err := h.zoho.Authorize(h.zoho.AccountsURL("us")+"/oauth/v2/auth?"+url.Values{
		"client_id": {c.ID}, "redirect_uri": {h.redirects[0]}, "response_type": {"code"}, "scope": {"ZohoCRM.modules.ALL"}, "access_type": {"offline"}, "prompt": {"consent"},
	}.Encode(), zohotest.Consent{})
	if err != nil {
		h.t.Fatal(err)
	}
	u, _ := url.Parse(landed)
	token := h.callZoho("us", url.Values{"grant_type": {"authorization_code"}, "code": {u.Query().Get("code")}, "redirect_uri": {h.redirects[0]}})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.outside[token], h.grants[token] = true, true
}

// callZoho is another program's call of the token endpoint; it returns the refresh
// token that is answered.
func (h *simulation) callZoho(dc string, form url.Values) string {
	c := h.zoho.DefaultClient()
	form.Set("client_id", c.ID)
	form.Set("client_secret", c.Secret)
	ctx, cancel := context.WithTimeout(h.ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.zoho.AccountsURL(dc)+"/oauth/v2/token", strings.NewReader(form.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := h.zoho.Transport().RoundTrip(req)
	if err != nil {
		return "" // a fault
	}
	var a struct {
		Refresh string `json:"refresh_token"`
	}
	body, _ := io.ReadAll(resp.Body)
	_ = json.Unmarshal(body, &a)
	return a.Refresh
}

// note writes down what happens, for the reader of a failure.
func (h *simulation) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notef(format, args...)
}

func (h *simulation) notef(format string, args ...any) {
	h.log = append(h.log, fmt.Sprintf("%12s  ", time.Since(h.start).Round(time.Millisecond))+fmt.Sprintf(format, args...))
}

// label names a token; h.mu is held.
func (h *simulation) label(token string) string {
	if token == "" {
		return "nothing"
	}
	if h.labels[token] == "" {
		kind := "token"
		if h.grants[token] {
			kind = "grant"
		}
		h.labels[token] = fmt.Sprintf("%s %d", kind, len(h.labels)+1)
	}
	return h.labels[token]
}

// unnamed shortens the ids in a storage key.
func (h *simulation) unnamed(key string) string {
	parts := strings.Split(key, "/")
	for i, part := range parts {
		if len(part) > 12 {
			parts[i] = part[:8] + "..."
		}
	}
	return strings.Join(parts, "/")
}

func (h *simulation) wrong(kind, format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wrongf(kind, format, args...)
}

// wrongf notes a broken promise; h.mu is held.
func (h *simulation) wrongf(kind, format string, args ...any) {
	p := simProblem{kind, fmt.Sprintf(format, args...)}
	if len(h.problems) < 5 && !slices.Contains(simIgnored(), kind) && !slices.Contains(h.problems, p) {
		h.problems = append(h.problems, p)
		h.notef("WRONG: %s", p)
	}
}

func (h *simulation) wrongs() []simProblem {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.problems)
}

// flow runs what one caller does, and waits as the event says.
func (h *simulation) flow(e simEvent, work func()) {
	h.mu.Lock()
	h.running++
	h.mu.Unlock()
	done := make(chan struct{})
	h.flows.Go(func() {
		defer close(done)
		work()
		h.mu.Lock()
		defer h.mu.Unlock()
		h.running--
	})
	switch e.args[simHow] % 4 {
	case 0, 1:
		<-done
	case 2:
		synctest.Wait()
	}
}

// step plays one event.
func (h *simulation) step(e simEvent) {
	h.revive()
	for _, a := range simActions() {
		if a.name == e.action {
			a.do(h, e)
		}
	}
	if e.args[simHow]%4 != 3 {
		synctest.Wait()
		h.inspect()
	}
}

// revive replaces processes that died.
func (h *simulation) revive() {
	if h.active.dead.Load() {
		h.restart(false)
	}
	if old := h.standby; old.dead.Load() {
		h.background.Go(func() { old.backend.Cleanup(context.Background()) })
		fresh := h.newNode(true)
		h.mu.Lock()
		h.standby = fresh
		h.mu.Unlock()
	}
}

// restart puts another process in a dead one's place: the standby, or a new one.
func (h *simulation) restart(promote bool) {
	old, standby := h.active, h.standby
	next := standby
	if !promote {
		old.end()
		next = h.newNode(false)
	} else {
		h.depose(old)
		for _, key := range slices.Sorted(maps.Keys(h.contents())) {
			standby.backend.InvalidateKey(context.Background(), key)
		}
		standby.backend.InvalidateKey(context.Background(), "config") // what is not there any more either
		for _, name := range h.names {
			standby.backend.InvalidateKey(context.Background(), "creds/"+name)
		}
		standby.standby.Store(false)
		standby = h.newNode(true)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active, h.standby = next, standby
	h.notef("node %d is active", next.number)
}

// end is the end of a process.
func (n *simNode) end() {
	n.die()
	n.h.background.Go(func() { n.backend.Cleanup(context.Background()) })
}

// depose lets another node lead; the old one finds out later. What was written has
// reached the one that leads by then.
func (h *simulation) depose(old *simNode) {
	stored := h.contents()
	h.mu.Lock()
	clear(h.behind)
	h.mu.Unlock()
	if h.lingers == 0 || old.dead.Load() {
		old.end()
		return
	}
	old.deposed.Store(&stored)
	h.mu.Lock()
	h.deposed, h.torn = old, true
	h.notef("node %d leads no more, and does not know", old.number)
	h.mu.Unlock()
	h.background.Go(func() {
		passes(h.lingers)
		old.end()
	})
}

// close ends everything that runs.
func (h *simulation) close() {
	h.gate.openForGood()
	h.zoho.ClearFaults()
	h.flows.Wait()
	h.background.Wait()
	h.active.backend.Cleanup(context.Background())
	h.standby.backend.Cleanup(context.Background())
	h.background.Wait()
	time.Sleep(simMoment) // mints that nobody waits for end by themselves
}
