// Does any secret get out, by any output of any path, with everything logged? Answers,
// errors, warnings, pages, redirects, events and log lines at level TRACE are searched for
// what was written, what Zoho gave, and what was thrown.

package backend_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// panicsAt makes the nth thing that a request does with storage or Zoho a panic that
// quotes a secret; count tells how many there were.
func (m *mount) panicsAt(nth int) (count func() int) {
	var n atomic.Int64
	secret := m.canary("thrown")
	throw := func() {
		if n.Add(1) == int64(nth) {
			panic("torn apart with " + secret)
		}
	}
	storage := func(op, key string) error { throw(); return nil }
	m.storage.before.Store(&storage)
	m.wire.after.Store(&throw)
	return func() int { return int(n.Load()) }
}

// calm ends that.
func (m *mount) calm() {
	m.storage.working()
	m.wire.after.Store(nil)
}

func TestPanicAtAnyStepShowsNothingOfWhatWasThrownAndBlocksNothing(t *testing.T) {
	ways := roads()
	ways["coming back to Vault"] = road{
		prepare: func(m *mount) any { m.behindVault(data{"verify": false}); return callback(m) },
		walk: func(m *mount, landed any) (*logical.Response, error) {
			got, err := m.tryLand(landed.(string))
			if err == nil && got.status >= 400 {
				err = &refusal{got.status, got.page}
			}
			return nil, err
		},
	}
	for way, r := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			for nth, reached := 1, true; reached; nth++ {
				inBubble(t, func(t *testing.T, m *mount) {
					m.configure(data{"verify": false})
					prepared := r.prepare(m)
					count := m.panicsAt(nth)
					_, err := r.walk(m, prepared)
					synctest.Wait()
					reached = count() >= nth
					m.calm()
					if r, refused := err.(*refusal); err != nil && (!refused || strings.Contains(r.text, "torn apart")) {
						t.Errorf("step %d: %v", nth, err)
					}
					m.endOrphans() // as with a crash: what was given and not yet written down
					m.survives(r, prepared, nil, fmt.Sprintf("panic at step %d", nth))
				})
			}
		})
	}
}

func TestPanicAtTheBeginningOrTheEndOfAMountLeavesTheProcessToTheOthers(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			m.connect("crm")
			m.restart()
			count := m.panicsAt(nth)
			_ = m.backend.Initialize(context.Background(), &logical.InitializationRequest{Storage: m.storage})
			synctest.Wait()
			m.minute()
			synctest.Wait()
			m.backend.(invalidated).InvalidateKey(context.Background(), "creds/crm")
			_, _, _ = m.backend.HandleExistenceCheck(context.Background(), &logical.Request{Operation: logical.CreateOperation, Path: "creds/crm", Storage: m.storage})
			m.backend.Cleanup(context.Background())
			synctest.Wait()
			reached = count() >= nth
			m.calm()
			m.restart()
			m.token("crm")
		})
	}
	// What neither storage nor Zoho would take is tried again at the end.
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.owes()
		m.storage.working()
		m.zoho.ClearFaults()
		m.panicsAt(1)
		m.backend.Cleanup(context.Background())
		m.calm()
		m.endOrphans()
	})
}

// secretFields are those of a path that a secret may be written to: what is marked so, and
// what goes with a code.
func (m *mount) secretFields(path string) []string {
	m.t.Helper()
	var names []string
	for name, schema := range m.fieldsOf(path) {
		if schema.DisplayAttrs != nil && schema.DisplayAttrs.Sensitive || slices.Contains([]string{"state", "if_state", "rejected", "code", "accounts_server", "accounts-server", "location"}, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// spellings are the ways in which a secret may be pasted, all wrong in some way.
func spellings(secret string) []any {
	return []any{
		secret, " " + secret + "\n", `"` + secret + `"`, secret + " " + secret, "Zoho-oauthtoken " + secret,
		"https://app.example.com/callback?code=" + secret + "&state=" + secret, "?code=" + secret + "&location=" + secret + "&accounts-server=https://" + secret,
		"https://" + secret + ":" + secret + "@accounts.zoho.com/", secret + "=" + secret, "us=" + secret + ",eu=" + secret,
		strings.Repeat(secret, 300), secret + "\x00", "%" + secret, []any{secret, secret}, map[string]any{"eu": secret}, map[string]any{"us": map[string]any{"a": secret}},
	}
}

func TestNoSecretWrittenToAnyFieldComesBack(t *testing.T) {
	requests := everyOperation()
	requests["callback"] = []logical.Operation{logical.ReadOperation}
	fields := 0
	for path, operations := range requests {
		for _, zoho := range []string{"well", "echoing", "down"} {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(data{"verify": false})
				m.connect("crm")
				started := m.write("authorize/crm", nil)
				for _, field := range m.secretFields(path) {
					fields++
					secret := m.canary(field)
					for _, spelling := range spellings(secret) {
						switch zoho {
						case "echoing":
							m.tap(func(r *http.Request, body string) (int, string) {
								return http.StatusOK, fmt.Sprintf(`{"error":%q,"error_description":%q}`, secret, body)
							})
						case "down":
							m.wire.dead.Store(true)
						}
						for _, op := range operations {
							d := data{field: spelling}
							if path == "callback" && field != "state" {
								d["state"] = started.Data["state"]
							}
							if path == "config" && field != "client_secret" {
								d["client_secret"] = m.canary("beside")
							}
							_, _ = m.request(context.Background(), op, path, d)
							synctest.Wait()
						}
					}
				}
				_, _ = m.try(logical.ReadOperation, "config", nil)
				_, _ = m.try(logical.ListOperation, "creds/", nil)
				_, _ = m.try(logical.ReadOperation, "status/crm", nil)
				m.tick()
				m.endOrphans() // an echo is no revocation
				m.zoho.Reset()
			}) // clean() searches
		}
	}
	if fields < 3*8 {
		t.Errorf("%d fields were tried", fields)
	}
}

func TestNoSecretComesOutOfAnyWayToFail(t *testing.T) {
	for name, fault := range badAnswers("") {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.behindVault(data{"scopes": profileScopes, "pkce": true, "return_urls": "https://app.example.com/done", "verify": false})
				m.clicks("crm")
				started := m.write("authorize/crm", data{"expected_user": m.zoho.User("us").Email, "return_url": "https://app.example.com/done", "return_state": "mine"})
				landed := m.opens(started, zohotest.Consent{})
				m.ordinaryClientsForOrganizations()
				other := m.consent("books", data{"flow": "organization", "soid": "ZohoCRM." + m.zoho.User("us").OrgID}, zohotest.Consent{})
				fault.Times = 0
				m.zoho.Fault(fault)
				for range 2 {
					_, _ = m.tryLand(landed)
					_, _ = m.tryLand(other)
					for path, operations := range everyOperation() {
						for _, op := range operations {
							_, _ = m.request(context.Background(), op, path, nil)
						}
					}
					_, _ = m.request(context.Background(), logical.UpdateOperation, "authorize/crm", data{"force": true, "add_scopes": "ZohoCRM.users.READ"})
					passes(16 * time.Minute)
					m.tick()
				}
				m.zoho.ClearFaults()
				m.hours()
				m.endOrphans()
			}) // clean() searches
		})
	}
}

// What only whoever started a consent is to know is in its answer, and nowhere else: with
// a state or a user code somebody else's account could be connected.
func TestWhatOpensAConsentIsToldToWhoStartedItAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(data{"scopes": profileScopes, "return_urls": "https://app.example.com/done"})
		m.clicks("crm")
		seen := len(m.shown.String())
		mine := "return-state-of-an-app"
		started := m.write("authorize/crm", data{"return_url": "https://app.example.com/done", "return_state": mine})
		more := m.write("authorize/crm", data{"add_scopes": "ZohoCRM.users.READ"})
		told := []string{mine, started.Data["state"].(string), more.Data["state"].(string)}
		_, _ = m.try(logical.UpdateOperation, "authorize/crm", nil)
		landed := m.consent("crm", data{"return_url": "https://app.example.com/done", "return_state": mine}, zohotest.Consent{})
		m.device("tv")
		device := m.write("authorize/tv", data{"flow": "device", "force": true})
		told = append(told, device.Data["user_code"].(string))
		start := len(m.shown.String())
		if start == seen {
			t.Fatal("nothing is shown")
		}
		for path, operations := range everyOperation() {
			for _, op := range operations {
				if path != "config" && op != logical.DeleteOperation && !strings.HasPrefix(path, "authorize/") {
					_, _ = m.request(context.Background(), op, strings.Replace(path, "crm", "tv", 1), nil)
					_, _ = m.request(context.Background(), op, path, nil)
				}
			}
		}
		_, _ = m.tryLand(altered(t, landed, map[string]string{"code": ""}))
		passes(time.Minute)
		m.tick()
		for _, text := range told {
			if strings.Contains(m.shown.String()[start:], text) {
				t.Errorf("%q is shown to others", text)
			}
			if strings.Contains(m.logs.String(), text) || strings.Contains(fmt.Sprint(m.sent()), text) {
				t.Errorf("%q is logged, or sent as an event", text)
			}
		}
	})
}
