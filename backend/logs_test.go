// What is logged? One line per mint, refusal and change of state, with the
// credential's name and a keyed fingerprint of the token; never a secret.

package backend_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// logged runs work and returns the lines that it logged.
func (m *mount) logged(work func()) []string {
	m.t.Helper()
	before := len(m.logs.String())
	work()
	synctest.Wait() // some is told behind the answer
	return slices.Collect(strings.Lines(m.logs.String()[before:]))
}

func TestTheEndOfAnOutageIsLoggedOnceWithItsLength(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		lines := m.logged(func() {
			m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "token"})
			for range 20 {
				m.token("crm")
				passes(10 * time.Second)
			}
			m.zoho.ClearFaults()
			for range 2 {
				m.token("crm")
				passes(10 * time.Second)
			}
		})
		count := map[string]int{}
		for _, line := range lines {
			for _, what := range []string{"no access token from Zoho", "answers again", "[WARN]", "outage=3m20s"} {
				if strings.Contains(line, what) {
					count[what]++
				}
			}
		}
		if count["no access token from Zoho"] != 1 || count["answers again"] != 1 || count["[WARN]"] != 1 || count["outage=3m20s"] != 1 {
			t.Errorf("an outage of 200 s is logged as %v: %q", count, lines)
		}
	})
}

func TestEachEventIsOneLineThatNamesTheCredential(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		var userCode string
		fingerprint := regexp.MustCompile(`token_fingerprint=[0-9a-f]{16}\b`)
		for _, event := range []struct {
			what   string
			work   func()
			says   string
			minted bool
		}{
			{"consent started", func() { m.landed = m.consent("crm", nil, zohotest.Consent{}) }, "[INFO]", false},
			{"credential connected", func() { m.write("creds/crm", data{"callback_url": m.landed}) }, "[INFO]", true},
			{"credential connected", func() { m.write("creds/crm", data{"refresh_token": m.grant()}) }, "grant_type=refresh_token", true},
			{"minted an access token", func() { m.token("crm") }, "[INFO]", true},
			{"no access token from Zoho", func() {
				m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Times: 1})
				m.token("crm")
			}, "kind=unavailable", false},
			{"no access token from Zoho", func() {
				passes(time.Minute)
				m.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle, GrantType: "refresh_token", Times: 1})
				m.token("crm")
			}, "kind=throttled", false},
			{"no access token from Zoho", func() {
				passes(11 * time.Minute)
				m.zoho.Fault(zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_client", Times: 1})
				m.token("crm")
			}, "kind=refused", false},
			{"a consent did not connect the credential", func() {
				landed := m.consent("crm", nil, zohotest.Consent{})
				m.zoho.Fault(zohotest.Fault{Kind: zohotest.LostAnswer, Times: 1})
				m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400)
			}, "[WARN]", false},
			{"scopes added", func() {
				m.write("creds/crm", data{"callback_url": m.consent("crm", data{"add_scopes": "ZohoCRM.users.READ"}, zohotest.Consent{})})
			}, "scopes=ZohoCRM.users.READ", false},
			{"access tokens revoked", func() { m.write("revoke", nil) }, "complete=true", false},
			{"access tokens revoked", func() { m.write("revoke/crm", nil) }, "complete=true", false},
			{"credential deleted", func() { m.delete("creds/crm") }, "[INFO]", false},
			{"a grant is not yet revoked", func() {
				m.connect("crm")
				m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
				m.delete("creds/crm")
				m.tick()
			}, "again_in=1m0s", false},
			{"a grant is not yet revoked", func() {
				m.zoho.ClearFaults()
				m.zoho.Fault(zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_client", Endpoint: "revoke", Times: 2})
				passes(time.Minute)
				m.tick()
			}, "[WARN]", false},
			{"grant revoked at Zoho", func() {
				passes(time.Minute)
				m.tick()
			}, "[INFO]", false},
			{"a new grant is not kept", func() {
				landed := m.consent("crm", nil, zohotest.Consent{})
				m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Times: 1})
				var others sync.WaitGroup
				others.Go(func() {
					m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "deleted")
				})
				synctest.Wait()
				m.delete("creds/crm")
				others.Wait()
			}, "[WARN]", false},
			{"a device consent could not be asked about", func() {
				userCode = m.device("crm")
				passes(31 * time.Second)
				m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "device", Times: 1})
				m.refused(logical.ReadOperation, "creds/crm", nil, 503)
			}, "[WARN]", false},
			{"a consent did not connect the credential", func() {
				if err := m.zoho.ApproveDevice(userCode, zohotest.Consent{Reject: true}); err != nil {
					t.Fatal(err)
				}
				passes(31 * time.Second)
				m.refused(logical.ReadOperation, "creds/crm", nil, 400, "declined")
			}, "[WARN]", false},
			{"an entry cannot be listed", func() {
				if err := m.storage.Put(t.Context(), &logical.StorageEntry{Key: "creds/crm", Value: []byte("{")}); err != nil {
					t.Fatal(err)
				}
				m.list("creds/")
			}, "[WARN]", false},
		} {
			var lines []string
			for _, line := range m.logged(event.work) {
				if strings.Contains(line, event.what) {
					lines = append(lines, line)
				}
			}
			if len(lines) != 1 {
				t.Errorf("%s is logged %d times: %q", event.what, len(lines), lines)
				continue
			}
			if !strings.Contains(lines[0], "credential=crm") || !strings.Contains(lines[0], event.says) {
				t.Errorf("%s: the line does not say all: %s", event.what, lines[0])
			}
			if event.minted != fingerprint.MatchString(lines[0]) {
				t.Errorf("%s: fingerprint wanted is %v: %s", event.what, event.minted, lines[0])
			}
		}
	})
}

// Nobody is told otherwise: the caller has what was asked for, or the truth about it.
func TestStorageThatFailsBehindAnAnswerIsWarnedOf(t *testing.T) {
	for line, c := range map[string]struct {
		prepare    func(m *mount) (work func())
		op, prefix string
	}{
		"[ERROR] storage failed": {func(m *mount) func() {
			landed := m.consent("crm", nil, zohotest.Consent{})
			return func() { m.write("creds/crm", data{"callback_url": landed}) }
		}, "put", "token/"},
		"[WARN]  a consent was not finished in storage yet": {func(m *mount) func() {
			landed := m.consent("crm", nil, zohotest.Consent{})
			return func() { m.write("creds/crm", data{"callback_url": landed}) }
		}, "put", "pending/"},
		"[WARN]  a consent did not connect the credential": {func(m *mount) func() {
			landed := m.consent("crm", nil, zohotest.Consent{})
			m.zoho.Fault(zohotest.Fault{Kind: zohotest.LostAnswer, Times: 1})
			return func() {
				m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400)
				m.endOrphans() // of which Zoho alone knows
			}
		}, "put", "pending/"},
		"[WARN]  who holds a grant was not settled in storage yet": {func(m *mount) func() {
			m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
			token := m.elsewhere()
			return func() { m.write("creds/crm", data{"refresh_token": token}) }
		}, "put", "grant/"},
		"[WARN]  consents that nobody finished are not deleted yet": {func(m *mount) func() {
			m.write("authorize/crm", nil)
			passes(8 * 24 * time.Hour)
			return m.tick
		}, "delete", "pending/"},
	} {
		t.Run(line, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				work := c.prepare(m)
				asked := m.zoho.Counts().TokenCalls
				fail := func(op, key string) error {
					if op == c.op && strings.HasPrefix(key, c.prefix) && (op == "delete" || m.zoho.Counts().TokenCalls > asked) {
						return errDisk
					}
					return nil
				}
				m.storage.before.Store(&fail)
				all := strings.Join(m.logged(work), "")
				m.storage.working()
				if !strings.Contains(all, line) || !strings.Contains(all, errDisk.Error()) {
					t.Errorf("logged is %q", all)
				}
			})
		})
	}
}

func TestGrantThatCannotBeStoredIsLoggedWithWhatBecameOfIt(t *testing.T) {
	for _, prefix := range []string{"due/", "creds/"} {
		for _, revoked := range []bool{true, false} {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				landed := m.consent("crm", nil, zohotest.Consent{})
				if !revoked {
					m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
				}
				m.storage.failing("put", prefix)
				lines := m.logged(func() {
					m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "could not store the grant")
				})
				m.storage.working()
				m.zoho.ClearFaults()
				told := slices.IndexFunc(lines, func(line string) bool {
					return strings.Contains(line, "[ERROR] a new grant could not be stored: credential=crm")
				})
				if told < 0 || !strings.Contains(lines[told], errDisk.Error()) || strings.Contains(lines[told], "unrevoked=<nil>") != revoked {
					t.Errorf("put to %s fails, revoked %v: logged is %q", prefix, revoked, lines)
				}
				m.settled(0)
			})
		}
	}
}

func TestWhatIsDoneToAMountAsAWholeIsLogged(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		for _, event := range []struct {
			line string
			work func()
		}{
			{"config written: client_id=" + m.zoho.DefaultClient().ID + " data_center=us", func() { m.configure(nil) }},
			{"access tokens of all credentials revoked: revoked=0 failed=0 unreached=0", func() { m.write("revoke", nil) }},
			{"config deleted", func() { m.delete("config") }},
		} {
			if lines := m.logged(event.work); len(lines) != 1 || !strings.Contains(lines[0], "[INFO]") || !strings.Contains(lines[0], event.line) {
				t.Errorf("want %q, logged %q", event.line, lines)
			}
		}
	})
}

func TestSweepNamesWhatItCannotRead(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		if err := m.storage.Put(context.Background(), &logical.StorageEntry{Key: "due/newer", Value: []byte(`{"version":99}`)}); err != nil {
			t.Fatal(err)
		}
		lines := strings.Join(m.logged(m.minute), "")
		if !strings.Contains(lines, "what is known of a grant cannot be read") || !strings.Contains(lines, "due/newer") {
			t.Errorf("logged is %q", lines)
		}
	})
}

// Whoever asked is told to look there, so the cause is there.
func TestFaultIsLoggedWithItsCause(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.restart()
		m.storage.failing("get", "token/")
		for what, ask := range map[string]func(){
			"request failed":         func() { m.refused(logical.ReadOperation, "creds/crm", nil, 500, "Vault's log") },
			"request failed in part": func() { m.write("revoke", nil) },
		} {
			lines := slices.DeleteFunc(m.logged(ask), func(line string) bool { return !strings.Contains(line, "[ERROR]") })
			if len(lines) != 1 || !strings.Contains(lines[0], what+": ") || !strings.Contains(lines[0], "disk full") {
				t.Errorf("%s is not logged once with its cause: %q", what, lines)
			}
		}
		m.storage.working()
	})
}

func TestReadsThatMintNothingLogNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		m.token("crm")
		lines := m.logged(func() {
			for range 100 {
				m.token("crm")
				m.read("status/crm")
			}
		})
		if len(lines) != 0 {
			t.Errorf("warm reads logged %q", lines)
		}
	})
}

func TestTokenKeepsItsFingerprintAcrossRestartsAndOnlyOnItsMount(t *testing.T) {
	fingerprints := map[string]bool{}
	for range 2 {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			m.connect("crm")
			same := `{"access_token":"` + m.canary("same") + `","expires_in":3600}`
			seen := map[string]bool{}
			for range 3 {
				passes(61 * time.Minute)
				m.restart()
				m.wire.fixed.Store(&same)
				for _, line := range m.logged(func() { m.read("creds/crm") }) {
					_, after, _ := strings.Cut(line, "token_fingerprint=")
					fingerprint, _, _ := strings.Cut(after, " ")
					seen[fingerprint] = true
				}
				m.wire.fixed.Store(nil)
			}
			if len(seen) != 1 || seen[""] {
				t.Errorf("one token has the fingerprints %v", seen)
			}
			for fingerprint := range seen {
				fingerprints[fingerprint] = true
			}
			m.canaries = nil // the next mount has its own
		})
	}
	if len(fingerprints) != 2 {
		t.Errorf("fingerprints of one token on two mounts: %v; a guess could be checked without the mount's key", fingerprints)
	}
}

func TestNoSecretIsShownOrLoggedOnAnyRoad(t *testing.T) {
	for way, r := range roads() {
		t.Run(way, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(data{"pkce": true})
				_, _ = r.walk(m, r.prepare(m))
				for _, path := range []string{"creds/", "status/"} {
					_, _ = m.try(logical.ListOperation, path, nil)
				}
				m.read("config")
				_, _ = m.try(logical.ReadOperation, "status/crm", nil)
				m.tick()
				if len(m.zoho.Secrets()) == 0 || len(m.logs.String()) == 0 {
					t.Error("there is nothing to look for, or nowhere to look")
				}
			}) // clean() searches
		})
	}
}
