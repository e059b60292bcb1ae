// What did newcomers trip over? Answers that were true and of no help.

package backend_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestStateReadyComesWithoutARemedy(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "token", Times: 1})
		m.token("crm")
		if s := m.read("status/crm"); s["state"] != "unavailable" || s["remedy"] == nil {
			t.Errorf("while Zoho is away status says %v %v", s["state"], s["remedy"])
		}
		passes(5 * time.Minute)
		if s := m.read("status/crm"); s["state"] != "ready" || s["remedy"] != nil || s["last_error"] == nil {
			t.Errorf("later status says %v, remedy %v, last error %v", s["state"], s["remedy"], s["last_error"])
		}
	})
}

func TestWhatToTypeNextIsToldWhileAConsentIsAwaited(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		for _, when := range []string{"before the first connect", "beside a credential"} {
			started := m.write("authorize/crm", nil).Data
			s := m.read("status/crm")
			if s["next_command"] != "vault write zoho/creds/crm callback_url=-" || s["consent_expire_time"] != started["expire_time"] {
				t.Errorf("%s: %v, until %v", when, s["next_command"], s["consent_expire_time"])
			}
			m.connect("crm")
		}
	})
}

func TestDemandThatWouldMintOnEveryReadIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.refused(logical.ReadOperation, "creds/crm", data{"min_ttl": "59m58s"}, 400, "at least 5s below")
		m.refused(logical.UpdateOperation, "creds/crm", data{"min_ttl": "59m58s"}, 400, "at least 5s below")
		m.refused(logical.UpdateOperation, "config", data{"min_ttl": "59m58s"}, 400, "at least 5s below")
		if ttl := m.readWith("creds/crm", data{"min_ttl": "59m55s"})["ttl"].(int); ttl < 2 {
			t.Errorf("ttl is %d", ttl)
		}
	})
}

func TestRefusedAccountsServerIsNotAmongTheKnownOnes(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"accounts_urls": "eu=https://accounts.example.com", "verify": false})
		landed := m.consent("crm", nil, zohotest.Consent{})
		landed = strings.ReplaceAll(landed, "accounts.zoho.com", "accounts.zoho.eu")
		_, err := m.try(logical.UpdateOperation, "creds/crm", data{"callback_url": landed})
		if r, ok := err.(*refusal); !ok || r.status != 400 || !strings.Contains(r.text, "accounts.example.com") || strings.Contains(r.text, "accounts.zoho.eu,") {
			t.Errorf("got %v", err)
		}
	})
}

func TestConsentThatWaitsForADeadGrantIsWhatComesNext(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.zoho.RevokeRefreshToken(m.grant())
		m.refused(logical.ReadOperation, "creds/crm", nil, 400)
		if next := m.read("status/crm")["next_command"].(string); !strings.Contains(next, "authorize/crm") {
			t.Errorf("with a dead grant: %s", next)
		}
		m.write("authorize/crm", nil)
		if s := m.read("status/crm"); s["next_command"] != "vault write zoho/creds/crm callback_url=-" || s["state"] != "needs_consent" {
			t.Errorf("while the consent waits: %v %v", s["state"], s["next_command"])
		}
	})
}
