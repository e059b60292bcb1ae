// What may a stranger bring to the callback, which takes no Vault token? Whatever it is,
// no code goes to a host that the operator never named, nothing that was sent comes
// back as markup or as a header, and only a genuine state does anything.

package backend_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// markup is what must not come back as it went.
const markup = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\r\nX-Evil: 1\r\n\r\n<b>\x00javascript:alert(1)"

// harmless fails the test if a page lets markup through.
func (got arrived) harmless(t testing.TB, when string) {
	t.Helper()
	for _, bad := range []string{"<script", "<img", "<b>", "\"'>", "\x00"} {
		if strings.Contains(got.page, bad) {
			t.Errorf("%s: the page holds %q: %s", when, bad, got.page)
		}
	}
	if strings.ContainsAny(got.redirect, "\r\n\x00<>\"' ") {
		t.Errorf("%s: redirected to %q", when, got.redirect)
	}
}

// query is what Zoho sent a browser back with, with some of it changed.
func query(t testing.TB, landed string, changes map[string]string) string {
	t.Helper()
	return altered(t, strings.TrimSuffix(landed, "&"), changes)
}

func TestMarkupInAnyParameterComesBackAsText(t *testing.T) {
	for _, parameter := range []string{"code", "state", "location", "accounts-server", "error", "status", "scope_enhanced", "return_url", "return_state", "credential", markup} {
		for _, alone := range []bool{true, false} {
			inBubble(t, func(t *testing.T, m *mount) {
				m.behindVault(nil)
				changes := map[string]string{parameter: markup}
				if alone {
					changes["code"] = ""
				}
				if parameter == "error" {
					changes["code"] = ""
				}
				address := query(t, m.consent("crm", nil, zohotest.Consent{}), changes)
				m.land(address).harmless(t, parameter)
				m.land(address).harmless(t, parameter+" again")
				if strings.Contains(m.logs.String(), "<script") || strings.Contains(m.logs.String(), "X-Evil") {
					t.Errorf("%s is in the log", parameter)
				}
			})
		}
	}
}

// printable drops the control characters, which no field takes.
func printable(r rune) rune {
	if r < ' ' {
		return -1
	}
	return r
}

func TestMarkupFromZohoComesBackAsText(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": profileScopes})
		evil := m.zoho.AddUser(zohotest.User{Email: markup + "@example.com", Name: markup})
		landed := m.consent("crm", nil, zohotest.Consent{Email: evil.Email})
		m.land(landed).harmless(t, "connected")
		m.land(landed).harmless(t, "shown again")
		for range 2 {
			m.land(m.consent("crm", data{"expected_user": "<b>" + strings.Map(printable, markup) + "@example.com"}, zohotest.Consent{Email: evil.Email})).harmless(t, "another account")
		}
	})
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Endpoint: "token", Kind: zohotest.Refuse, Error: markup, Times: 1})
		m.land(landed).harmless(t, "an error")
		m.land(landed).harmless(t, "the error again")
	})
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		body := `{"access_token":"1000.a.b","refresh_token":"1000.c.d","expires_in":3600,"scope":"<script>alert(1)</script> <b>x","api_domain":"https://<script>","token_type":"Bearer"}`
		m.wire.fixed.Store(&body)
		m.land(landed).harmless(t, "scopes")
		m.land(landed).harmless(t, "the scopes again")
	})
}

func TestCodeGoesToNoServerThatAStrangerNames(t *testing.T) {
	for _, server := range []string{
		"https://accounts.zoho.com.evil.example", "https://accounts.zoho.evil.example", "https://evil.example/accounts.zoho.com", "https://evil.example?https://accounts.zoho.com", "https://evil.example#accounts.zoho.com",
		"https://accounts.zoho.com@evil.example", "https://accounts.zoho.com:443@evil.example", "https://evil.example@accounts.zoho.com", `https://evil.example\\@accounts.zoho.com`, `https:\\accounts.zoho.com`,
		"https://accounts.zoho.com:8443", "https://accounts.zoho.com.", "https://accounts.zoho.com..", "https://accounts.zoho.com/..", "https://accounts.zoho.com/x", "http://accounts.zoho.com", "//accounts.zoho.com",
		"accounts.zoho.com", "https://accounts.zoh\u043e.com", "https://xn--accounts.zoho-x.com", "https://accounts\u3002zoho\u3002com", "https://accounts.zo\u200dho.com", "https://accounts.zoho.com%00.evil.example", "https://accounts.zoho.com%2eevil.example",
		"https://127.0.0.1:8200", "http://169.254.169.254/", "https://[::1]/", "https://0x7f.1", "file:///etc/passwd", "https://accounts.zoho.com\r\nHost: evil.example", "https://accounts.zoho.com\x00", "https://", "x", strings.Repeat("a", 1025),
		"https://accounts.zoho.com evil.example", "https://accounts.zoho.com,https://evil.example",
	} {
		inBubble(t, func(t *testing.T, m *mount) {
			m.behindVault(nil)
			landed := m.consent("crm", nil, zohotest.Consent{})
			hosts := m.spies()
			for _, location := range []string{"", "us", "eu"} {
				address := query(t, landed, map[string]string{"accounts-server": server, "location": location})
				got := m.land(address)
				if got.status != 400 && !strings.EqualFold(server, "https://evil.example@accounts.zoho.com") {
					t.Errorf("%q at %q: %v", server, location, got)
				}
				got.harmless(t, server)
			}
			if asked := hosts(); len(asked) > 0 {
				t.Errorf("%q: asked %v", server, asked)
			}
			m.land(landed).shows(t, 200, "Zoho is connected")
			if asked := hosts(); slices.ContainsFunc(asked, func(host string) bool { return host != "accounts.zoho.com" }) {
				t.Errorf("%q: asked %v", server, asked)
			}
		})
	}
}

// spies tells which hosts were asked from now on.
func (m *mount) spies() (asked func() []string) {
	s := &spy{next: m.wire.zoho}
	m.wire.zoho = s
	return func() []string {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Clone(s.hosts)
	}
}

type spy struct {
	next  http.RoundTripper
	mu    sync.Mutex
	hosts []string
}

func (s *spy) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.hosts = append(s.hosts, req.URL.Host)
	s.mu.Unlock()
	return s.next.RoundTrip(req)
}

func TestStateOfAnotherNameConnectsItsOwnAndNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		crm, books := m.consent("crm", nil, zohotest.Consent{}), m.consent("books", nil, zohotest.Consent{})
		u, _ := url.Parse(books)
		// The code of one consent with the state of another: as a person might be led to it.
		m.land(query(t, crm, map[string]string{"state": u.Query().Get("state")})).shows(t, 200, "books")
		m.refused(logical.ReadOperation, "creds/crm", nil, 404)
		m.token("books")
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": books}, 400, "belongs to the consent for", "creds/books")
	})
}

func TestNameAtItsLimitsComesThroughItsState(t *testing.T) {
	for _, name := range []string{"a", "a.b-c_d.0", strings.Repeat("x", 128), "0" + strings.Repeat("-.", 60) + "9"} {
		if strings.Contains(name, "..") {
			continue
		}
		inBubble(t, func(t *testing.T, m *mount) {
			m.behindVault(nil)
			m.land(m.consent(name, nil, zohotest.Consent{})).shows(t, 200, "Zoho is connected", ">"+name+"<")
			m.token(name)
		})
	}
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		for _, name := range []string{strings.Repeat("x", 129), "a/b", "a..b", "-a", "a-", "é", "<b>", "a b", "a%2fb", "javascript:alert(1)", "a\"b"} {
			m.refused(logical.UpdateOperation, "authorize/"+name, nil, 400, "not a usable name")
		}
	})
}

func TestLostTabIsToldToLoadAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		u, _ := url.Parse(m.consent("crm", nil, zohotest.Consent{}))
		q := u.Query()
		m.zoho.Fault(zohotest.Fault{Endpoint: "token", Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Times: 1})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second) // Vault's own limit, or a closed tab
		defer cancel()
		d := data{"code": q.Get("code"), "state": q.Get("state"), "location": q.Get("location")}
		got, err := m.arrive(ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		got.shows(t, 503, "Not connected yet", "reload")
		passes(5 * time.Second)
		got, _ = m.arrive(context.Background(), d)
		got.shows(t, 200, "Zoho is connected")
	})
}

func TestPageOfASpentCodeNeverSaysThatReloadingHelps(t *testing.T) {
	for name, fault := range badAnswers("token") {
		for _, stored := range []bool{true, false} {
			t.Run(fmt.Sprint(name, stored), func(t *testing.T) {
				inBubble(t, func(t *testing.T, m *mount) {
					m.behindVault(nil)
					landed := m.consent("crm", nil, zohotest.Consent{})
					m.zoho.Fault(fault)
					if !stored {
						writes := 0
						fail := func(op, key string) error {
							if op == "put" && strings.HasPrefix(key, "pending/") {
								if writes++; writes > 1 {
									return errDisk
								}
							}
							return nil
						}
						m.storage.before.Store(&fail)
					}
					got := m.land(landed)
					m.storage.working()
					if strings.Contains(got.page, "Not connected yet") || strings.Contains(got.page, "eload") || got.status == 200 {
						t.Errorf("the code is spent, and the page says %v", got)
					}
					again := m.land(landed)
					again.shows(t, again.status, "Zoho was not connected")
					if stored && again != got {
						t.Errorf("the second load shows %v, the first %v", again, got)
					}
					if n := m.zoho.Counts().ByEndpoint["token"]; n > 2 { // config tries the client once
						t.Errorf("%d calls", n)
					}
				})
			})
		}
	}
}

func TestNodeKnowsTheStatesOfAConfigThatAnotherNodeMadeAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		old := m.write("authorize/crm", nil).Data["state"].(string)
		standby := m.backend
		m.initialize()
		m.backend = m.another()
		m.delete("authorize/crm")
		m.delete("config")
		m.behindVault(nil)
		state := m.write("authorize/crm", nil).Data["state"].(string)
		m.backend.Cleanup(context.Background())
		m.backend = standby
		for _, key := range []string{"pending/crm", "config"} {
			m.backend.(interface {
				InvalidateKey(context.Context, string)
			}).InvalidateKey(context.Background(), key)
		}
		m.land(callbackAddress+"?state="+state).shows(t, 400, "crm", "nothing was done")
		m.land(callbackAddress+"?state="+old).shows(t, 400, "does not work")
	})
}
