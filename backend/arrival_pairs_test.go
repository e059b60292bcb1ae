// What if a browser lands while something else is done to the same name, and either
// hangs at any one step? The code is sent once, no grant leaks, and the page is true.

package backend_test

import (
	"context"
	"fmt"
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

// rival is what is done while a browser lands.
type rival struct {
	// prepare returns it, given the address that the browser brings.
	prepare func(m *mount, landed string) func()
	// replaces: a consent of somebody waits in the end; deletes: crm may be gone.
	replaces, deletes bool
	// first is what crm is before; nil: both nothing and connected are tried.
	first []bool
}

func rivals() map[string]rival {
	write := func(path string, d data) func(m *mount, landed string) func() {
		return func(m *mount, _ string) func() { return m.attempt(logical.UpdateOperation, path, d) }
	}
	remove := func(path string) func(m *mount, landed string) func() {
		return func(m *mount, _ string) func() { return m.attempt(logical.DeleteOperation, path, nil) }
	}
	return map[string]rival{
		"the same address": {prepare: func(m *mount, landed string) func() { return func() { m.land(landed) } }},
		"another code": {prepare: func(m *mount, landed string) func() {
			return func() {
				m.land(altered(m.t, strings.TrimSuffix(landed, "&"), map[string]string{"code": "1000.made.up"}))
			}
		}},
		"a refusal": {prepare: func(m *mount, landed string) func() {
			return func() {
				m.land(altered(m.t, strings.TrimSuffix(landed, "&"), map[string]string{"code": "", "error": "access_denied"}))
			}
		}},
		"a paste of the same address": {prepare: func(m *mount, landed string) func() {
			return m.attempt(logical.UpdateOperation, "creds/crm", data{"callback_url": landed})
		}},
		"a new consent": {replaces: true, prepare: write("authorize/crm", nil)},
		"a new consent of somebody else": {replaces: true, prepare: func(m *mount, _ string) func() {
			return func() {
				if _, err := m.startBy(logical.Request{EntityID: "e-2"}, data{"force": true}); err != nil {
					m.t.Errorf("force: %v", err)
				}
			}
		}},
		"a consent that waits its turn": {replaces: true, prepare: func(m *mount, _ string) func() {
			return func() { _, _ = m.startBy(logical.Request{EntityID: "e-2"}, nil) }
		}},
		"a withdrawal":    {replaces: true, prepare: remove("authorize/crm")},
		"a delete":        {replaces: true, deletes: true, prepare: remove("creds/crm")},
		"settings":        {prepare: write("creds/crm", data{"max_age": "20m"}), first: []bool{true}},
		"config's delete": {replaces: true, deletes: true, prepare: remove("config"), first: []bool{false}},
		"config":          {prepare: write("config", data{"return_urls": "", "verify": false})},
		"a sweep":         {prepare: func(m *mount, _ string) func() { return m.minute }},
		"a read":          {prepare: func(m *mount, _ string) func() { return m.attempt(logical.ReadOperation, "creds/crm", nil) }, first: []bool{true}},
	}
}

func TestBrowserLandsWhileSomethingElseHangsOrRuns(t *testing.T) {
	for name, r := range rivals() {
		if r.first == nil {
			r.first = []bool{false, true}
		}
		for _, person := range []zohotest.Consent{{}, {Email: simStranger}} {
			for _, connected := range r.first {
				for _, browserHangs := range []bool{true, false} {
					t.Run(fmt.Sprintf("%s/stranger %v/connected %v/browser hangs %v", name, person.Email != "", connected, browserHangs), func(t *testing.T) {
						t.Parallel()
						for nth, reached := 1, true; reached; nth++ {
							if nth > 80 {
								t.Fatal("the road has no end")
							}
							inBubble(t, func(t *testing.T, m *mount) {
								a := arrival{started: data{"expected_user": ""}, person: person, over: r.replaces, beside: true, foreign: name == "config's delete"}
								if connected {
									a.first = func(m *mount) { m.clicks("crm") }
								}
								landed, held := a.prepare(m)
								exchanges := m.zoho.Counts().Exchanges
								rival := r.prepare(m, landed)
								var got arrived
								browser := func() { got = m.land(landed) }
								if browserHangs {
									reached = m.hangs(nth, browser, rival)
								} else {
									reached = m.hangs(nth, rival, browser)
								}
								when := fmt.Sprintf("step %d", nth)
								if n := m.zoho.Counts().Exchanges - exchanges; n > 1 {
									t.Errorf("%s: %d exchanges", when, n)
								}
								if r.deletes && browserHangs && name == "a delete" && m.held("crm") != "" {
									t.Errorf("%s: a delete is undone", when)
								}
								if !r.deletes {
									m.truthful(got, a, held, false, when)
								}
								a.beside = false
								again := m.land(landed)
								m.truthful(again, a, held, false, when+", loaded again")
								if name == "a withdrawal" && got.says() == "Zoho is connected" && again != got {
									t.Errorf("%s: a withdrawal ends what is finished: %v", when, again)
								}
								m.rests(when, r, person.Email != "", held)
							})
						}
					})
				}
			}
		}
	}
}

// rests checks what is left of a browser and its rival in the end.
func (m *mount) rests(when string, r rival, stranger bool, held string) {
	m.t.Helper()
	if slices.Contains(m.storage.keys(m.t), "config") == false {
		if len(m.zoho.RefreshTokens()) > 0 {
			m.behindVault(data{"verify": false}) // the client is needed to revoke
		} else {
			return
		}
	}
	m.hours()
	used := m.held("crm")
	for _, rt := range m.zoho.RefreshTokens() {
		if rt.Token != used {
			m.t.Errorf("%s: a grant lives that nobody uses", when)
		}
		if rt.Email == simStranger {
			m.t.Errorf("%s: another account is connected", when)
		}
	}
	switch {
	case used != "":
		m.token("crm")
	case held != "" && !r.deletes:
		m.t.Errorf("%s: crm is gone", when)
	}
	if stranger && used != held && used != "" {
		m.t.Errorf("%s: crm has another grant", when)
	}
	m.delete("creds/crm")
	m.nothingLeft(when)
}

// A process that lost its storage meets the one that took over.
func TestBrowserLandsAgainAtTheProcessThatTookOver(t *testing.T) {
	for _, person := range []zohotest.Consent{{}, {Email: simStranger}, {Reject: true}} {
		for nth, reached := 1, true; reached; nth++ {
			inBubble(t, func(t *testing.T, m *mount) {
				a := arrival{started: data{"expected_user": ""}, person: person}
				landed, held := a.prepare(m)
				var n atomic.Int64
				var lost atomic.Bool
				open := make(chan struct{})
				hang := func(op, key string) error {
					if n.Add(1) == int64(nth) {
						<-open
					}
					if lost.Load() {
						return errDisk
					}
					return nil
				}
				old := &storage{Storage: m.storage.Storage}
				old.before.Store(&hang)
				first := *m
				first.storage = old
				var work sync.WaitGroup
				var before arrived
				work.Go(func() { before = first.land(landed) })
				synctest.Wait()
				reached = n.Load() >= int64(nth)
				lost.Store(true)
				next := *m
				next.backend = m.another()
				got := next.land(landed)
				close(open)
				work.Wait()
				synctest.Wait()
				when := fmt.Sprintf("taken over at step %d", nth)
				if n := m.zoho.Counts().Exchanges; n > 1 {
					t.Errorf("%s: %d exchanges", when, n)
				}
				before.harmless(t, when)
				next.truthful(got, a, held, false, when)
				next.truthful(next.land(landed), a, held, false, when+", loaded again")
				m.backend.Cleanup(context.Background())
				m.backend = next.backend
				m.rests(when, rival{}, person.Email != "", held)
			})
		}
	}
}

func TestBrowserOfAReplacedLinkDoesNotHearOfTheOther(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		first := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang, Endpoint: "token", Times: 2})
		var tabs sync.WaitGroup
		tabs.Go(func() { m.land(first).shows(t, 503, "Zoho was not connected", "new link") })
		passes(time.Second)
		second := m.consent("crm", nil, zohotest.Consent{})
		tabs.Go(func() { m.land(second).shows(t, 503, "Zoho was not connected", "new link") })
		passes(time.Second)
		m.land(second).shows(t, 503, "Zoho was not connected") // with the tab that asked
		m.land(first).shows(t, 400, "no longer good")
		tabs.Wait()
	})
}

func TestBrowserThatLandsJustBeforeThePastedAddressFailsReadsWhy(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle, Endpoint: "token", Times: 1})
		served, release := m.wire.holding()
		var pasted sync.WaitGroup
		pasted.Go(func() { m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400) })
		<-served
		looked := func(op, key string) error {
			if op == "get" && key == "pending/crm" {
				m.storage.after.Store(nil)
				release()
				pasted.Wait()
			}
			return nil
		}
		m.storage.after.Store(&looked)
		m.land(landed).shows(t, 429, "Zoho has had too many requests")
	})
}

func TestLinkThatIsStartedWhileABrowserLandsIsGood(t *testing.T) {
	for _, person := range []zohotest.Consent{{}, {Email: simStranger}, {Reject: true}} {
		for _, browserHangs := range []bool{true, false} {
			for nth, reached := 1, true; reached; nth++ {
				inBubble(t, func(t *testing.T, m *mount) {
					landed, _ := arrival{started: data{"expected_user": ""}, person: person}.prepare(m)
					var started *logical.Response
					start := func() { started, _ = m.startBy(logical.Request{}, data{"force": true}) }
					browser := func() { m.land(landed) }
					if browserHangs {
						reached = m.hangs(nth, browser, start)
					} else {
						reached = m.hangs(nth, start, browser)
					}
					got := m.land(m.opens(started, zohotest.Consent{}))
					if got.says() != "Zoho is connected" {
						t.Errorf("browser hangs %v, step %d: %v", browserHangs, nth, got)
					}
				})
			}
		}
	}
}

func TestOneCodeForTwoNamesIsSentOnce(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
			m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
			d := data{"code": m.selfCode()}
			reached = m.hangs(nth, m.attempt(logical.UpdateOperation, "creds/a", d), m.attempt(logical.UpdateOperation, "creds/b", d))
			if n := m.zoho.Counts().Exchanges; n != 1 {
				t.Errorf("step %d: %d exchanges", nth, n)
			}
			m.settled(1)
		})
	}
}

func TestTwoStartsAtOnceLeaveOneLinkAndRefuseTheOther(t *testing.T) {
	for _, flow := range []data{nil, {"add_scopes": "ZohoCRM.users.READ"}} {
		for nth, reached := 1, true; reached; nth++ {
			inBubble(t, func(t *testing.T, m *mount) {
				m.behindVault(data{"scopes": profileScopes})
				m.clicks("crm")
				passes(2 * time.Hour)
				m.tick() // what is finished is forgotten
				var started [2]*logical.Response
				start := func(i int, d data) func() {
					return func() {
						resp, err := m.startBy(logical.Request{EntityID: fmt.Sprint("e-", i)}, d)
						if r, refused := err.(*refusal); err != nil && (!refused || r.status != 400 || !strings.Contains(r.text, "force=true")) {
							t.Errorf("step %d: %v", nth, err)
						}
						started[i] = resp
					}
				}
				reached = m.hangs(nth, start(0, flow), start(1, nil))
				if (started[0] == nil) == (started[1] == nil) {
					t.Fatalf("step %d: %v and %v", nth, started[0], started[1])
				}
				for _, resp := range started {
					if resp != nil {
						m.land(m.opens(resp, zohotest.Consent{})).shows(t, 200, "Zoho is connected")
					}
				}
			})
		}
	}
}

func TestTabsOfTwoAccountsAreToldApart(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": profileScopes})
		m.zoho.AddUser(zohotest.User{Email: simStranger})
		started := m.write("authorize/crm", data{"expected_user": m.zoho.User("us").Email})
		wrong, right := m.opens(started, zohotest.Consent{Email: simStranger}), m.opens(started, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "token", Delay: 5 * time.Second, Times: 1})
		var tabs sync.WaitGroup
		tabs.Go(func() { m.land(wrong).shows(t, 400, "This link is for") })
		synctest.Wait()
		tabs.Go(func() { m.land(right) }) // shares the outcome, and its code is not spent
		tabs.Wait()
		m.land(right).shows(t, 200, "Zoho is connected")
		m.land(wrong).shows(t, 200, "Zoho is connected")
		m.settled(1)
	})
}
