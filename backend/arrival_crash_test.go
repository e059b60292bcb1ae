// What if storage fails, or the plugin dies, at any one step while a browser waits? The
// code is sent once, no grant leaks, and what the person reads then and afterwards is
// true.

package backend_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

// arrival is a browser that lands on the callback after some preparation.
type arrival struct {
	started data
	person  zohotest.Consent
	// first prepares crm, nil: it is new.
	first func(m *mount)
	// ends is how the page is headed when nothing fails.
	ends string
	// over: what came of it may be forgotten, since something else was done to the name;
	// foreign: and with config its state.
	over, foreign bool
	// beside: somebody else may have connected it since the page was made.
	beside bool
}

func arrivals() map[string]arrival {
	connected := func(m *mount) { m.clicks("crm") }
	stranger := zohotest.Consent{Email: simStranger}
	return map[string]arrival{
		"connecting":                      {ends: "Zoho is connected"},
		"reconnecting":                    {first: connected, ends: "Zoho is connected"},
		"declining":                       {person: zohotest.Consent{Reject: true}, ends: "Nothing was connected"},
		"declining to reconnect":          {first: connected, person: zohotest.Consent{Reject: true}, ends: "Nothing was connected"},
		"the right account":               {started: data{"expected_user": ""}, ends: "Zoho is connected"},
		"another account":                 {started: data{"expected_user": ""}, person: stranger, ends: "Zoho was not connected"},
		"another account to reconnect":    {first: connected, started: data{"expected_user": ""}, person: stranger, ends: "Zoho was not connected"},
		"another data center":             {started: data{"expected_data_center": "eu"}, ends: "Zoho was not connected"},
		"adding scopes":                   {first: connected, started: data{"add_scopes": "ZohoCRM.users.READ"}, ends: "Zoho is connected"},
		"declining to add scopes":         {first: connected, started: data{"add_scopes": "ZohoCRM.users.READ"}, person: zohotest.Consent{Reject: true}, ends: "Nothing was connected"},
		"connecting, and going on":        {started: data{"return_url": returns}, ends: "connected"},
		"declining, and going on":         {started: data{"return_url": returns}, person: zohotest.Consent{Reject: true}, ends: "declined"},
		"an organization, for its people": {started: data{"flow": "organization", "soid": ""}, ends: "Zoho is connected"},
	}
}

// prepare returns what the browser landed on, and the grant that crm had before.
func (a arrival) prepare(m *mount) (landed, held string) {
	m.behindVault(data{"scopes": profileScopes, "return_urls": returns, "verify": false})
	m.ordinaryClientsForOrganizations()
	m.zoho.AddUser(zohotest.User{Email: simStranger})
	if a.first != nil {
		a.first(m)
	}
	started := data{}
	for name, value := range a.started {
		switch {
		case name == "expected_user":
			value = m.zoho.User("us").Email
		case name == "soid":
			value = "ZohoCRM." + m.zoho.User("us").OrgID
		}
		started[name] = value
	}
	landed = m.consent("crm", started, a.person)
	return landed, m.held("crm")
}

// held is the refresh token that is stored for a name.
func (m *mount) held(name string) string {
	stored := m.storage.contents(m.t)["creds/"+name]
	for _, rt := range m.zoho.RefreshTokens() {
		if strings.Contains(stored, rt.Token) {
			return rt.Token
		}
	}
	return ""
}

// says is what a page, or the address that a browser goes on to, says of the end.
func (got arrived) says() string {
	for _, heading := range []string{"Zoho is connected", "Nothing was connected", "Zoho was not connected", "Not connected yet", "This link is no longer good", "This link does not work"} {
		if strings.Contains(got.page, "<h1>"+heading+"</h1>") {
			return heading
		}
	}
	for _, result := range []string{"connected", "declined", "failed"} {
		if strings.HasPrefix(got.redirect, returns+"?") && strings.Contains(got.redirect, "result="+result) {
			return result
		}
	}
	return "nothing"
}

// truthful checks a page against what is stored: held is what crm had before.
func (m *mount) truthful(got arrived, a arrival, held string, spent bool, when string) {
	m.t.Helper()
	got.harmless(m.t, when)
	now, says := m.held("crm"), got.says()
	scopes := a.started["add_scopes"] != nil
	if scopes && strings.Contains(fmt.Sprint(m.storage.contents(m.t)["creds/crm"]), "ZohoCRM.users.READ") {
		now = "more scopes"
	}
	switch says {
	case "Zoho is connected", "connected":
		if now == "" || now == held {
			m.t.Errorf("%s: the page says %s, and nothing is", when, says)
		}
		if got.status != 200 && got.redirect == "" {
			m.t.Errorf("%s: connected, with status %d", when, got.status)
		}
	case "Not connected yet":
		if got.status != 503 || spent && !scopes {
			m.t.Errorf("%s: not yet, with status %d, code spent: %v", when, got.status, spent)
		}
		if now != held && !scopes && !a.beside {
			m.t.Errorf("%s: the page says %s, and it is", when, says)
		}
	case "Nothing was connected", "Zoho was not connected", "declined", "failed":
		if now != held {
			m.t.Errorf("%s: the page says %s, and crm has a new grant: %s", when, says, got.page)
		}
		if got.status != 400 && got.status != 503 && got.redirect == "" {
			m.t.Errorf("%s: %s, with status %d", when, says, got.status)
		}
	case "This link is no longer good", "This link does not work":
		if got.status != 400 || !a.over || strings.HasSuffix(says, "work") && !a.foreign {
			m.t.Errorf("%s: the page says %s: %v", when, says, got)
		}
	default:
		m.t.Errorf("%s: the page says %s: %v", when, says, got)
	}
}

func TestBrowserReadsTheTruthWhateverStorageDoes(t *testing.T) {
	for way, a := range arrivals() {
		for how, fail := range failures() {
			t.Run(way+"/"+how, func(t *testing.T) {
				for nth, reached := 1, true; reached; nth += stride {
					if nth > 80 {
						t.Fatal("the road has no end")
					}
					inBubble(t, func(t *testing.T, m *mount) {
						landed, held := a.prepare(m)
						exchanges := m.zoho.Counts().Exchanges
						count := fail(m, nth)
						got := m.land(landed)
						spent := m.zoho.Counts().Exchanges > exchanges
						reached = count() >= nth
						m.storage.working()
						when := fmt.Sprintf("%s %d", how, nth)
						m.truthful(got, a, held, spent, when)
						m.seen(landed, a, got, held, when)
						if !reached && got.says() != a.ends {
							t.Errorf("nothing fails, and the page says %s: %v", got.says(), got)
						}
					})
				}
			})
		}
	}
}

func TestBrowserReadsTheTruthAfterACrashAtAnyStep(t *testing.T) {
	for way, a := range arrivals() {
		t.Run(way, func(t *testing.T) {
			lost := 0
			for nth, reached := 1, true; reached; nth += stride {
				inBubble(t, func(t *testing.T, m *mount) {
					landed, held := a.prepare(m)
					var n atomic.Int64
					var next string
					die := func(op, key string) error {
						now := n.Add(1)
						if now == int64(nth) {
							next = op + " " + key
						}
						if now < int64(nth) {
							return nil
						}
						m.wire.dead.Store(true)
						return errDisk
					}
					m.storage.before.Store(&die)
					_ = m.land(landed) // nobody reads it
					reached = n.Load() >= int64(nth)
					m.reborn()
					if orphans := m.zoho.Orphans(m.storage.refreshTokens(t)...); len(orphans) == 1 {
						if lost++; !strings.HasPrefix(next, "put due/") {
							t.Errorf("dying before %q loses a grant", next)
						}
						m.endOrphans()
					}
					if reached {
						m.seen(landed, a, arrived{}, held, "crash before "+next)
					}
				})
			}
			if lost > 1 {
				t.Errorf("a grant is lost at %d steps; the first thing after an exchange is the write that keeps it", lost)
			}
		})
	}
}

// seen loads the page again, at once, after a restart and an hour later, and checks
// that in the end no grant is left at Zoho but the one in use.
func (m *mount) seen(landed string, a arrival, first arrived, held, when string) {
	m.t.Helper()
	again := m.land(landed)
	m.truthful(again, a, held, false, when+", loaded again")
	if first.says() == "Zoho is connected" && again.says() != "Zoho is connected" || first.says() == "connected" && again.says() != "connected" {
		m.t.Errorf("%s: it was connected, loaded again it says %s", when, again.says())
	}
	m.restart()
	if later := m.land(landed); later != again {
		m.t.Errorf("%s: after a restart it shows %v, before %v", when, later, again)
	}
	passes(30 * time.Minute)
	m.tick()
	later := m.land(landed)
	m.truthful(later, a, held, false, when+", half an hour later")
	m.hours()
	used := m.held("crm")
	for _, rt := range m.zoho.RefreshTokens() {
		if rt.Token != used {
			m.t.Errorf("%s: a grant lives that nobody uses", when)
		}
	}
	if held != "" {
		m.token("crm")
	}
	if _, stored := m.storage.contents(m.t)["creds/crm"]; stored {
		m.token("crm")
		m.delete("creds/crm")
	}
	m.delete("authorize/crm")
	m.nothingLeft(when)
}
