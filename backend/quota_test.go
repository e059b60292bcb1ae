// Quota of grants: Zoho keeps twenty for one user and client. Who is warned, of whom, and
// what counts.

package backend_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// owned returns the presence keys of owners' grants.
func (m *mount) owned() (keys []string) {
	m.t.Helper()
	return slices.DeleteFunc(m.storage.keys(m.t), func(key string) bool { return !strings.HasPrefix(key, "owner/") })
}

// warnings returns what an answer warns of, in one text.
func warnings(resp *logical.Response) string {
	if resp == nil {
		return ""
	}
	return strings.Join(resp.Warnings, "; ")
}

// connectedBy connects so many credentials of the default user, whose id is known.
func (m *mount) connectedBy(n int) {
	m.t.Helper()
	m.zoho.Knobs(func(k *zohotest.Knobs) { k.Codes = -1 })
	m.configure(data{"scopes": profileScopes})
	for i := range n {
		m.connect(fmt.Sprintf("app%d", i))
	}
}

func TestQuotaWarningComesBeforeTheTwentyFirstConsentAndAdvisesADelete(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.connectedBy(19)
		if warned := warnings(m.write("authorize/app3", nil)); warned != "" {
			t.Errorf("with 19 grants it warns: %s", warned)
		}
		user := m.zoho.User("us").ZUID
		if warned := warnings(m.connect("app19")); !strings.Contains(warned, user) || !strings.Contains(warned, "delete those") {
			t.Errorf("the write that connects the twentieth warns %q", warned)
		}
		// A caller that may only start consents does not learn who the user is.
		warned := warnings(m.write("authorize/app3", nil))
		if !strings.Contains(warned, "20 grants") || !strings.Contains(warned, "delete those") || strings.Contains(warned, user) {
			t.Errorf("before a reconnect it warns %q", warned)
		}
		if warned := warnings(m.write("authorize/of-whom-nothing-is-known", nil)); warned != "" {
			t.Errorf("another tenant's consent warns %q", warned)
		}
		m.write("config", data{"client_id": "1000.ANOTHER", "client_secret": "anothersecret", "verify": false})
		m.delete("authorize/app3")
		if warned := warnings(m.write("authorize/app3", nil)); warned != "" {
			t.Errorf("Zoho counts by client, and with another client it warns %q", warned)
		}
		m.configure(data{"scopes": profileScopes})
		m.delete("creds/app5")
		m.delete("authorize/app3")
		if warned := warnings(m.write("authorize/app3", nil)); warned != "" {
			t.Errorf("one is gone, and it warns %q", warned)
		}
	})
}

func TestQuotaWarningIsNotSilentHoweverManyGrantsThereAre(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.LiveRefreshTokens = -1 })
		m.connectedBy(100)
		if warned := warnings(m.write("authorize/app3", nil)); !strings.Contains(warned, "100 grants") {
			t.Errorf("it warns %q", warned)
		}
		for i := range 100 {
			m.delete(fmt.Sprintf("creds/app%d", i))
		}
		m.hours()
		if keys := m.storage.keys(t); len(keys) != 1 {
			t.Errorf("left are %v", keys)
		}
	})
}

func TestGrantThatIsOnlyForgottenStillCountsForItsUser(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.connectedBy(20)
		m.do(logical.DeleteOperation, "creds/app7", data{"revoke": false})
		m.hours()
		if warned := warnings(m.write("authorize/app3", nil)); !strings.Contains(warned, "20 grants") {
			t.Errorf("Zoho keeps it, and it warns %q", warned)
		}
		for _, rt := range m.zoho.RefreshTokens() {
			m.zoho.RevokeRefreshToken(rt.Token)
		}
	})
}

func TestGrantIsOfItsUserThoughZohoReplacesTheRefreshToken(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
		m.connectedBy(20)
		passes(61 * time.Minute)
		for i := range 20 {
			m.token(fmt.Sprintf("app%d", i))
		}
		m.hours() // those that were replaced are forgotten
		if n := len(m.owned()); n != 20 {
			t.Errorf("%d grants are counted; want 20", n)
		}
	})
}

// A count that could not be stored is not wrong for ever, whichever operation fails.
func TestEveryGrantOfAKnownUserIsCountedThoughStorageFailedMeanwhile(t *testing.T) {
	for nth, reached := 1, true; reached; nth++ {
		inBubble(t, func(t *testing.T, m *mount) {
			m.connectedBy(2)
			landed := m.consent("crm", nil, zohotest.Consent{})
			n := 0
			fail := func(op, key string) error {
				if op != "get" && strings.HasPrefix(key, "owner/") {
					if n++; n == nth {
						return errDisk
					}
				}
				return nil
			}
			m.storage.before.Store(&fail)
			m.write("creds/crm", data{"callback_url": landed})
			m.token("crm")
			m.delete("creds/app0")
			reached = n >= nth
			m.storage.working()
			m.tick()
			passes(6 * time.Minute)
			m.tick()
			if n := len(m.owned()); n != 2 {
				t.Errorf("operation %d fails: %d grants are counted; want 2", nth, n)
			}
		})
	}
}

func TestWarningSaysHowManyGrantsWereOnlyForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"scopes": profileScopes})
		for range 19 {
			m.connect("crm")
			m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
			passes(15 * time.Minute)
		}
		for range 3 {
			passes(24 * time.Hour)
			m.tick()
		}
		m.connect("crm")
		warned := warnings(m.write("authorize/crm", nil))
		if !strings.Contains(warned, "20 grants") || !strings.Contains(warned, "19 were only forgotten in Vault") || !strings.Contains(warned, "Connected Apps") {
			t.Errorf("it warns %q", warned)
		}
		for _, rt := range m.zoho.RefreshTokens() {
			m.zoho.RevokeRefreshToken(rt.Token)
		}
	})
}
