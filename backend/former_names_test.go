// Tokens of names that no longer use a shared grant.

package backend_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// revoke/<deleted name> where another credential holds the grant.
func TestRevokeEndsTokensOfADeletedNameOfASharedGrant(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("a")
		grant := m.grant()
		m.write("creds/b", data{"refresh_token": grant})
		passes(11 * time.Minute)
		token := m.token("b")
		w := m.delete("creds/b")
		resp, err := m.try(logical.UpdateOperation, "revoke/b", nil)
		if m.zoho.Alive(token) {
			t.Errorf("delete warned %v; revoke/b says %v %v and b's token lives", w, resp, err)
		}
	})
}

// the same for client credentials, and for a name that was connected again.
func TestRevokeEndsTokensOfASharedGrantThatTheNameHadBefore(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("a")
		grant := m.grant()
		m.write("creds/b", data{"refresh_token": grant})
		passes(11 * time.Minute)
		token := m.token("b")
		m.delete("creds/b")
		m.connect("b")
		resp, err := m.try(logical.UpdateOperation, "revoke/b", nil)
		if m.zoho.Alive(token) {
			t.Errorf("revoke/b says %v %v and a token that was minted for b lives", resp, err)
		}
	})
}

func TestNotesOfFormerNamesGoWhenNoTokenOfTheirsLives(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("a")
		m.write("creds/b", data{"refresh_token": m.grant()})
		m.delete("creds/b")
		notes := func() (n int) {
			for _, key := range m.storage.keys(t) {
				if strings.HasPrefix(key, "former/") {
					n++
				}
			}
			return n
		}
		if notes() != 1 {
			t.Fatalf("%d notes after the delete", notes())
		}
		for range 27 {
			passes(time.Hour)
			m.tick()
		}
		if notes() != 0 {
			t.Errorf("%d notes a day later", notes())
		}
	})
}
