// Damage of what the ledger and others stored: reads, deletes and revocations go on.

package backend_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// appRemoved ends every grant at Zoho, as a user does under Connected Apps.
func (m *mount) appRemoved() {
	for _, grant := range m.zoho.RefreshTokens() {
		m.zoho.RevokeRefreshToken(grant.Token)
	}
}

// damage replaces what is stored under a prefix by something that cannot be read, and
// returns how many entries there were.
func damage(m *mount, prefix string) (n int) {
	for key := range m.storage.contents(m.t) {
		if strings.HasPrefix(key, prefix) {
			n++
			_ = m.storage.Storage.Put(context.Background(), &logical.StorageEntry{Key: key, Value: []byte(`{"version":99}`)})
		}
	}
	return n
}

// damaged grant/ of the credential's own.
func TestDamagedGrantDoesNotBlockItsCredential(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.tick()
		damage(m, "grant/")
		m.token("crm")
		if _, err := m.try(logical.UpdateOperation, "revoke/crm", nil); err != nil {
			t.Errorf("revoke: %v", err)
		}
		landed := m.consent("crm", nil, zohotest.Consent{})
		if _, err := m.try(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}); err != nil {
			t.Errorf("connect: %v", err)
		}
		if _, err := m.try(logical.DeleteOperation, "creds/crm", nil); err != nil {
			t.Errorf("delete: %v", err)
		}
		if _, err := m.try(logical.DeleteOperation, "creds/crm", data{"revoke": false}); err != nil {
			t.Errorf("delete revoke=false: %v", err)
		}
	})
}

// an unreadable former grant of one's own.
func TestUnreadableFormerGrantDoesNotBlockItsCredential(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.connect("crm")
		token := m.token("crm")
		if damage(m, "due/") != 1 {
			t.Fatal("nothing is due")
		}
		resp, err := m.try(logical.UpdateOperation, "revoke/crm", nil)
		t.Log("revoke", resp, err, "alive", m.zoho.Alive(token))
		if err != nil {
			t.Errorf("revoke: %v", err)
		}
		for _, d := range []data{nil, {"revoke": false}} {
			if _, err := m.try(logical.DeleteOperation, "creds/crm", d); err != nil {
				t.Errorf("delete %v: %v", d, err)
			}
		}
		m.appRemoved()
	})
}

// one damaged due/ entry.
func TestDamagedRetiredGrantOfAnotherNameIsSkipped(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.unrevokable("old", zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_client"})
		m.zoho.ClearFaults()
		m.connect("crm")
		if damage(m, "due/") == 0 {
			t.Fatal("nothing due")
		}
		m.restart()
		passes(2 * time.Hour) // no token lives
		if _, err := m.try(logical.UpdateOperation, "revoke/crm", nil); err != nil {
			t.Errorf("revoke/crm: %v", err)
		}
		if w := warnings(m.delete("creds/crm")); w != "" {
			t.Errorf("delete warns %q, grants at Zoho %d", w, len(m.zoho.RefreshTokens()))
		}
		m.appRemoved()
	})
}

// damaged former grant: status.
func TestStatusShowsWhatCanBeReadBesideAnUnreadableFormerGrant(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.connect("crm")
		damage(m, "due/")
		if _, err := m.try(logical.ReadOperation, "status/crm", nil); err != nil {
			t.Errorf("status: %v", err)
		}
		m.appRemoved()
	})
}

// an unreadable retired grant.
func TestUnreadableRetiredGrantIsLoggedRarelyAndCanBeGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		_, id := m.unrevokable("old", zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_client"})
		damage(m, "due/")
		before := strings.Count(m.logs.String(), "cannot be read")
		for range 24 * 60 {
			passes(time.Minute)
			m.tick()
		}
		if n := strings.Count(m.logs.String(), "cannot be read") - before; n > 24 {
			t.Errorf("%d log lines in a day about one grant", n)
		}
		if _, err := m.try(logical.DeleteOperation, "retired/"+id, nil); err != nil {
			t.Errorf("give up: %v", err)
		}
		m.appRemoved()
	})
}

// A former grant with an unreadable token record.
func TestFormerGrantWithUnreadableTokensIsRevoked(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		old := m.grant()
		oldID := m.heldBy("crm")
		m.connect("crm")
		damage(m, "token/"+oldID)
		m.restart()
		for range 50 {
			passes(time.Hour)
			m.tick()
		}
		if m.lives(old) {
			t.Error("the replaced grant lives after two days")
		}
	})
}

func TestDamagedGrantOfTwoCredentialsIsNotRevokedWithOne(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("a")
		grant := m.grant()
		m.write("creds/b", data{"refresh_token": grant})
		m.tick()
		if damage(m, "grant/") == 0 {
			t.Fatal("no grant is held")
		}
		if w := warnings(m.delete("creds/b")); !strings.Contains(w, "another credential of this mount uses the same grant") || !m.lives(grant) {
			t.Errorf("a delete of b warns %q, and the grant of a lives: %t", w, m.lives(grant))
		}
		m.delete("creds/a")
		if m.lives(grant) {
			t.Error("the grant lives after its last credential is deleted")
		}
	})
}

func TestUnreadableRetiredGrantSaysHowToRemoveIt(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		grant, id := m.unrevokable("crm", zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_client"})
		m.zoho.ClearFaults()
		damage(m, "due/")
		m.refused(logical.ReadOperation, "retired/"+id, nil, 400, "delete of retired/"+id)
		m.refused(logical.UpdateOperation, "retired/"+id, nil, 400, "delete of retired/"+id)
		m.refused(logical.UpdateOperation, "creds/crm", data{"refresh_token": grant}, 400, "delete of retired/"+id)
		if w := warnings(m.delete("retired/" + id)); !strings.Contains(w, "Connected Apps") {
			t.Errorf("giving up an unreadable grant warns %q", w)
		}
		m.refused(logical.ReadOperation, "retired/"+id, nil, 404, "no retired grant")
		m.write("creds/crm", data{"refresh_token": grant})
		m.token("crm")
	})
}

func TestDamagedGrantThatACredentialUsesIsNotGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.tick()
		id := m.heldBy("crm")
		damage(m, "grant/")
		m.refused(logical.DeleteOperation, "retired/"+id, nil, 400, "a credential uses the grant")
	})
}

func TestRevokeWorksWithoutReadableConfig(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		token := m.token("crm")
		damage(m, "config")
		m.restart()
		for _, path := range []string{"revoke/crm", "revoke"} {
			if resp, err := m.try(logical.UpdateOperation, path, nil); err != nil {
				t.Errorf("%s: %v %v", path, resp, err)
			}
		}
		if m.zoho.Alive(token) {
			t.Error("the token lives after revoke")
		}
		grant := m.grant()
		if w := warnings(m.delete("creds/crm")); w != "" || m.lives(grant) {
			t.Errorf("a delete warns %q, and the grant lives: %t", w, m.lives(grant))
		}
	})
}

// A panic while many grants are read at once is the failure of the request, and not the end
// of the process, which serves other mounts too.
func TestPanicWhileRetiredGrantsAreReadEndsOnlyTheRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"verify": false})
		m.connect("crm")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
		m.delete("creds/crm")
		hook := func(op, key string) error {
			if op == "get" && strings.HasPrefix(key, "due/") {
				panic("torn apart")
			}
			return nil
		}
		m.storage.before.Store(&hook)
		m.refused(logical.DeleteOperation, "creds/crm", data{"revoke": false}, 500)
		m.storage.working()
		m.zoho.ClearFaults()
		m.delete("creds/crm")
	})
}
