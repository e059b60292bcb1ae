// What after a leak, or when Zoho kills a token? Everything that was minted for a name
// dies, a dead token is not served on, and status tells the truth.

package backend_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestRevokingReachesTheTokensOfGrantsThatWereReplaced(t *testing.T) {
	for way, end := range map[string]func(m *mount){
		"revoke one": func(m *mount) { m.write("revoke/crm", nil) },
		"revoke all": func(m *mount) { m.write("revoke", nil) },
		"delete":     func(m *mount) { m.delete("creds/crm") },
	} {
		t.Run(way, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				var leaked []string
				for range 3 {
					m.connect("crm")
					leaked = append(leaked, m.token("crm"), m.token("crm"))
				}
				m.connect("other")
				bystander := m.token("other")
				if s := m.read("status/crm"); s["retired_grants"] != 2 || s["retired_tokens"] != 6 {
					t.Errorf("status tells of %v grants and %v tokens", s["retired_grants"], s["retired_tokens"])
				}
				end(m)
				for i, token := range leaked {
					if m.zoho.Alive(token) {
						t.Errorf("token %d lives on", i)
					}
				}
				if way == "revoke all" == m.zoho.Alive(bystander) {
					t.Errorf("another credential's token is alive: %v", m.zoho.Alive(bystander))
				}
				if way != "delete" {
					m.token("crm")
					if s := m.read("status/crm"); s["retired_grants"] != 0 || s["retired_tokens"] != 0 {
						t.Errorf("then status tells of %v grants and %v tokens", s["retired_grants"], s["retired_tokens"])
					}
				}
			})
		})
	}
}

func TestRevokingEndsNoGrantThatIsInUseAgain(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			m.connect("crm")
			former := m.grant()
			m.connect("crm")
			reached = m.hangs(nth, m.attempt(logical.UpdateOperation, "revoke/crm", nil), m.attempt(logical.UpdateOperation, "creds/crm", data{"refresh_token": former}))
			m.token("crm")
			passes(61 * time.Minute)
			m.token("crm")
		})
	}
}

func TestRevokingReachesTheTokensOfClientCredentialsThatHadOtherScopes(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
		var leaked []string
		for _, scope := range []string{"ZohoCRM.org.READ", "ZohoCRM.users.READ"} {
			m.write("creds/crm", data{"grant_type": "client_credentials", "scopes": scope, "soid": "ZohoCRM." + m.zoho.User("us").OrgID})
			leaked = append(leaked, m.token("crm"))
		}
		m.write("revoke/crm", nil)
		for i, token := range leaked {
			if m.zoho.Alive(token) {
				t.Errorf("token %d lives on", i)
			}
		}
	})
}

func TestRevocationAnsweredWithTroubleIsNoRevocation(t *testing.T) {
	for _, body := range []string{
		`{"error":"general_error"}`, `{"error":"server_error"}`,
		`{"error_description":"You have made too many requests continuously. Please try again after some time.","error":"Access Denied","status":"failure"}`,
	} {
		t.Run(body, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.connect("crm")
				sick := true
				m.tap(func(r *http.Request, _ string) (int, string) {
					if sick && strings.Contains(r.URL.Path, "revoke") {
						return 400, body
					}
					return 0, ""
				})
				if resp := m.delete("creds/crm"); resp == nil || len(resp.Warnings) == 0 {
					t.Error("the delete does not say that nothing was revoked")
				}
				sick = false
				for range 3 {
					passes(time.Hour)
					m.tick()
				}
				if left := m.zoho.RefreshTokens(); len(left) != 0 {
					t.Errorf("%d grants live on", len(left))
				}
			})
		})
	}
}

func TestDeadTokenIsBelievedDeadWhenAReaderSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		first := m.read("creds/crm")
		m.zoho.RevokeAccessToken(first["access_token"].(string))
		if m.read("creds/crm")["access_token"] != first["access_token"] {
			t.Fatal("nobody has complained, and the token is another")
		}
		refreshes := m.zoho.Counts().Refreshes
		var readers sync.WaitGroup
		for range 50 {
			readers.Go(func() {
				got := m.readWith("creds/crm", data{"rejected": first["token_id"]})
				if !m.zoho.Alive(got["access_token"].(string)) {
					t.Error("whoever complains gets a dead token")
				}
			})
		}
		readers.Wait()
		m.token("crm")
		if n := m.zoho.Counts().Refreshes - refreshes; n != 1 {
			t.Errorf("50 complaints about one token cost %d mints", n)
		}
		if m.read("status/crm")["rejected_time"] == nil {
			t.Error("status does not tell that a token was rejected")
		}
		// A broken app: it complains about whatever it gets.
		for range 60 {
			m.readWith("creds/crm", data{"rejected": m.read("creds/crm")["token_id"]})
			passes(10 * time.Second)
		}
		if n := m.zoho.Counts().Refreshes - refreshes; n > 4 {
			t.Errorf("a broken app spent %d mints in ten minutes", n)
		}
		m.token("crm")
	})
}

func TestComplaintThatNamesNoTokenIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		for _, none := range []string{m.token("crm"), "0123456789abcde", "0123456789abcdeg"} {
			m.refused(logical.ReadOperation, "creds/crm", data{"rejected": none}, 400, "token_id")
		}
		m.refused(logical.UpdateOperation, "creds/crm", data{"rejected": "0123456789abcdef"}, 400, "read")
		m.readWith("creds/crm", data{"rejected": "0123456789abcdef"})
	})
}

func TestRevokedGrantIsToldByAComplaint(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		got := m.read("creds/crm")
		m.zoho.RevokeRefreshToken(m.grant())
		m.refused(logical.ReadOperation, "creds/crm", data{"rejected": got["token_id"]}, 400, "authorize/crm")
		m.refused(logical.ReadOperation, "creds/crm", nil, 400, "authorize/crm")
		if state := m.read("status/crm")["state"]; state != "needs_consent" {
			t.Errorf("state is %v", state)
		}
	})
}

func TestProbeThatFindsTheTokenDeadHasItHandedOutNoMore(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		dead := m.token("crm")
		m.zoho.RevokeAccessToken(dead)
		resp := m.write("status/crm", data{"probe": true})
		if resp.Data["token_accepted"] != false || len(resp.Warnings) != 1 {
			t.Errorf("the probe says %v %q", resp.Data, resp.Warnings)
		}
		if m.token("crm") == dead {
			t.Error("the dead token is served on")
		}
	})
}

func TestReaderWithAGoodTokenDoesNotWaitForAZohoThatHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "5m"})
		m.connect("crm")
		held := m.token("crm")
		passes(6 * time.Minute)
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang, Endpoint: "token"})
		start := time.Now()
		resp := m.do(logical.ReadOperation, "creds/crm", nil)
		if took := time.Since(start); took > 2*time.Second || resp.Data["access_token"] != held || len(resp.Warnings) != 1 {
			t.Errorf("after %s: %q", took, resp.Warnings)
		}
		passes(time.Minute)
		start = time.Now()
		m.token("crm")
		if took := time.Since(start); took != 0 {
			t.Errorf("after a failure the next try is waited for: %s", took)
		}
		m.zoho.ClearFaults()
		passes(2 * time.Minute)
		m.token("crm")
		synctest.Wait()
		if m.token("crm") == held {
			t.Error("the old token is served on though Zoho is well")
		}
	})
}

func TestImportsThatFailDoNotForgetTheirBudget(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		token := m.grant()
		c := m.zoho.DefaultClient()
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Throttle, Endpoint: "token"})
		// Another mount, that knows nothing of this grant.
		fresh := newMountOn(t, m.zoho)
		fresh.write("config", data{"client_id": c.ID, "client_secret": c.Secret, "verify": false})
		calls := m.zoho.Counts().TokenCalls
		for range 50 {
			_, err := fresh.try(logical.UpdateOperation, "creds/copy", data{"refresh_token": token})
			if err == nil {
				t.Fatal("imported")
			}
			fresh.tick()
			passes(6 * time.Second)
		}
		if n := m.zoho.Counts().TokenCalls - calls; n > 10 {
			t.Errorf("%d calls for one token in five minutes", n)
		}
		m.zoho.ClearFaults()
		for range 3 {
			passes(time.Hour)
			fresh.tick()
		}
		if keys := fmt.Sprint(fresh.storage.keys(t)); keys != "[config]" {
			t.Errorf("failed imports leave %s", keys)
		}
	})
}

func TestRefusedClientCredentialsDoNotFillStorage(t *testing.T) {
	nothingAtOnce(t)
	inBubble(t, func(t *testing.T, m *mount) {
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_scope", Endpoint: "token"})
		for i := range 1000 {
			_, _ = m.try(logical.UpdateOperation, "creds/crm", data{"grant_type": "client_credentials", "scopes": fmt.Sprintf("ZohoCRM.nothing%d.READ", i)})
			passes(2 * time.Minute)
		}
		for key, value := range m.storage.contents(t) {
			if len(value) > 64<<10 {
				t.Errorf("%s has %d bytes", key, len(value))
			}
		}
	})
}

func TestRevocationReachesZohoThoughTheSecretIsWrongAndRefusalsArePages(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.RevokeHTML = true })
		m.configure(nil)
		m.connect("crm")
		leaked := m.token("crm")
		m.write("config", data{"client_secret": "a-wrong-one", "verify": false})
		m.write("revoke/crm", nil)
		if m.zoho.Alive(leaked) {
			t.Error("the token lives on")
		}
		m.delete("creds/crm")
		if n := len(m.zoho.RefreshTokens()); n != 0 {
			t.Errorf("%d grants live on", n)
		}
	})
}
