// Ending of tokens: deleted credentials, equal client credentials, and a Zoho that hangs.

package backend_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// clientCredentials connects a name with client credentials for a scope.
func (m *mount) clientCredentials(name, scope string) {
	m.t.Helper()
	m.write("creds/"+name, data{"grant_type": "client_credentials", "scopes": scope, "soid": "ZohoCRM." + m.zoho.User("us").OrgID})
}

const crmScope = "ZohoCRM.org.READ"

func TestDeleteKeepsTheTokensOfEqualClientCredentialsThatAnotherCredentialUses(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		selfClient(m)
		m.write("config", data{"max_age": "30m"})
		m.clientCredentials("a", crmScope)
		m.clientCredentials("b", crmScope)
		held := m.token("b")
		if warned := warnings(m.delete("creds/a")); !strings.Contains(warned, "another credential of this mount uses the same") {
			t.Errorf("the delete warns %q", warned)
		}
		if !m.zoho.Alive(held) {
			t.Error("a token that another credential gave is revoked")
		}
		if warned := warnings(m.delete("creds/b")); warned != "" || m.zoho.Alive(held) {
			t.Errorf("the last delete leaves it alive: %v; it warns %q", m.zoho.Alive(held), warned)
		}
		passes(26 * time.Hour)
		m.tick()
		for _, key := range m.storage.keys(t) {
			if key != "config" && key != "epoch" {
				t.Errorf("%s is left", key)
			}
		}
	})
}

func TestFormerClientCredentialsThatAnotherCredentialUsesEndOnlyWithALeak(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		selfClient(m)
		m.write("config", data{"max_age": "30m"})
		m.clientCredentials("a", crmScope)
		m.clientCredentials("b", crmScope)
		held := m.token("b")
		m.clientCredentials("a", "ZohoCRM.users.READ")
		if warned := warnings(m.delete("creds/a")); !strings.Contains(warned, "another credential of this mount uses the same") || !m.zoho.Alive(held) {
			t.Errorf("the token of b lives: %v; the delete warns %q", m.zoho.Alive(held), warned)
		}
		m.clientCredentials("c", crmScope)
		m.clientCredentials("c", "ZohoCRM.users.READ")
		m.write("revoke/c", nil)
		if m.zoho.Alive(held) {
			t.Error("a leaked token of earlier scopes lives")
		}
	})
}

// Whichever step of a delete a connect of an equal credential comes at, no token that the
// new credential gives is revoked by it.
func TestDeleteRevokesNoTokenOfAnEqualCredentialThatIsConnectedMeanwhile(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			selfClient(m)
			m.write("config", data{"max_age": "30m"})
			m.clientCredentials("a", crmScope)
			m.token("a")
			var held string
			reached = m.hangs(nth, m.attempt(logical.DeleteOperation, "creds/a", nil), func() {
				m.clientCredentials("b", crmScope)
				held = m.token("b")
			})
			synctest.Wait()
			if held != "" && !m.zoho.Alive(held) {
				t.Errorf("step %d: a token of the new credential is revoked", nth)
			}
			m.token("b")
		})
	}
}

func TestBreakGlassReachesTheTokensOfDeletedCredentials(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		selfClient(m)
		m.write("config", data{"max_age": "30m"})
		m.clientCredentials("a", crmScope)
		m.clientCredentials("b", "ZohoCRM.users.READ")
		left := []string{m.token("a"), m.token("b")}
		m.do(logical.DeleteOperation, "creds/a", data{"revoke": false})
		m.do(logical.DeleteOperation, "creds/b", data{"revoke": false})
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		left = append(left, m.token("crm"))
		grant := m.grant()
		m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		answer := m.write("revoke", nil).Data
		if results := answer["results"].(map[string]any); answer["revoked"].(int) < 3 || answer["failed"] != 0 || results["a"] == nil || results["b"] == nil || results["crm"] == nil {
			t.Errorf("break glass answers %v", answer)
		}
		for _, token := range left {
			if m.zoho.Alive(token) {
				t.Error("a token of a deleted credential lives")
			}
		}
		if !m.lives(grant) {
			t.Error("a grant that was left to its owner is revoked")
		}
		m.zoho.RevokeRefreshToken(grant)
	})
}

func TestRevokingADeletedNameReachesTheTokensThatItLeft(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		selfClient(m)
		m.write("config", data{"max_age": "30m"})
		m.clientCredentials("a", crmScope)
		m.clientCredentials("other", "ZohoCRM.users.READ")
		left, bystander := m.token("a"), m.token("other")
		m.do(logical.DeleteOperation, "creds/a", data{"revoke": false})
		m.clientCredentials("another", "ZohoCRM.settings.READ") // which uses the same grant
		m.restart()
		if revoked := m.write("revoke/a", nil).Data["revoked"]; revoked.(int) < 1 || m.zoho.Alive(left) {
			t.Errorf("revoked are %v; the token lives: %v", revoked, m.zoho.Alive(left))
		}
		if !m.zoho.Alive(bystander) {
			t.Error("another credential's token is revoked")
		}
		m.refused(logical.UpdateOperation, "revoke/a", nil, 404, "no access token lives")

		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		left = m.token("crm")
		m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		m.write("revoke/crm", nil)
		if m.zoho.Alive(left) {
			t.Error("a token of a deleted credential lives")
		}
		m.refused(logical.UpdateOperation, "revoke/crm", nil, 404, "no access token lives")
		m.refused(logical.UpdateOperation, "revoke/never", nil, 404, "no credential named", "authorize/never")
		m.zoho.RevokeRefreshToken(m.grant())
	})
}

// crowdedName has a credential with many grants that it had before, each with many living
// access tokens.
func (m *mount) crowdedName(name string, grants, tokens int) {
	m.t.Helper()
	m.zoho.Knobs(func(k *zohotest.Knobs) { k.Codes, k.LiveRefreshTokens = -1, -1 })
	m.configure(nil)
	for range grants + 1 {
		m.connect(name)
		for range tokens - 1 {
			m.token(name)
		}
	}
}

func TestAnswerComesInTimeAndAZohoThatHangsIsAskedOnceHoweverMuchIsToBeRevoked(t *testing.T) {
	for what, ask := range map[string]struct {
		op   logical.Operation
		path string
	}{
		"deleting":     {logical.DeleteOperation, "creds/crm"},
		"revoking":     {logical.UpdateOperation, "revoke/crm"},
		"revoking all": {logical.UpdateOperation, "revoke"},
	} {
		for _, timeout := range []string{"10s", "40s", "60s"} {
			t.Run(what+" "+timeout, func(t *testing.T) {
				inBubble(t, func(t *testing.T, m *mount) {
					m.crowdedName("crm", 64, 8)
					m.write("config", data{"request_timeout": timeout, "verify": false})
					m.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang, Endpoint: "revoke"})
					before, start := m.zoho.Counts().RevokeCalls, time.Now()
					resp, err := m.try(ask.op, ask.path, nil)
					if took := time.Since(start); took >= 90*time.Second {
						t.Errorf("it took %s", took)
					}
					if n := m.zoho.Counts().RevokeCalls - before; n > 1 {
						t.Errorf("%d calls to a server that hangs", n)
					}
					if said := fmt.Sprint(warnings(resp), err); !strings.Contains(said, "timed out") && !strings.Contains(said, "not revoked in full") {
						t.Errorf("what is left is not said: %s", said)
					}
					m.zoho.ClearFaults()
					for _, rt := range m.zoho.RefreshTokens() {
						m.zoho.RevokeRefreshToken(rt.Token)
					}
				})
			})
		}
	}
}

func TestRevokingIsDoneManyAtOnceWhereZohoIsSlow(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.crowdedName("crm", 64, 10)
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "revoke", Delay: 5 * time.Second})
		start := time.Now()
		resp := m.write("revoke/crm", nil)
		if took := time.Since(start); took > 30*time.Second || len(resp.Warnings) > 0 {
			t.Errorf("it took %s, and warns %q", took, resp.Warnings)
		}
		if n := len(m.zoho.RefreshTokens()); n != 1 {
			t.Errorf("%d grants live", n)
		}
	})
}

// A delete needs config only to revoke, and what it cannot revoke is retried.
func TestCredentialIsDeletedThoughConfigCannotBeRead(t *testing.T) {
	for _, how := range []data{nil, {"revoke": false}} {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			m.connect("crm")
			m.restart()
			m.storage.failing("get", "config")
			m.do(logical.DeleteOperation, "creds/crm", how)
			m.storage.working()
			m.refused(logical.ReadOperation, "creds/crm", nil, 404)
			passes(2 * time.Minute)
			m.tick()
			if n := len(m.zoho.RefreshTokens()); n != len(how) {
				t.Errorf("deleted with %v, %d grants live", how, n)
			}
			for _, rt := range m.zoho.RefreshTokens() {
				m.zoho.RevokeRefreshToken(rt.Token)
			}
		})
	}
}
