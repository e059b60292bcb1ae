// Giving up a grant while Zoho is asked to revoke it.

package backend_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// tripper is an http.RoundTripper of one function.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// give up while Zoho is being asked, and import again.
func TestGrantIsNotGivenUpWhileZohoIsAskedToRevokeIt(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		grant, id := m.unrevokable("crm", zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_client"})
		m.zoho.ClearFaults()
		var others sync.WaitGroup
		hold := make(chan struct{})
		orig := m.wire.zoho
		m.wire.zoho = tripper(func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.Path, "revoke") {
				<-hold
			}
			return orig.RoundTrip(r)
		})
		others.Go(func() { _, _ = m.try(logical.UpdateOperation, "retired/"+id, nil) })
		synctest.Wait()
		m.refused(logical.UpdateOperation, "retired/"+id, nil, 503, "is being revoked right now")
		m.refused(logical.DeleteOperation, "retired/"+id, nil, 503, "is being revoked right now")
		_, gave := m.try(logical.DeleteOperation, "retired/"+id, nil)
		_, imported := m.try(logical.UpdateOperation, "creds/crm", data{"refresh_token": grant})
		close(hold)
		others.Wait()
		if imported == nil && !m.lives(grant) {
			t.Errorf("gave up: %v; imported: %v; and the grant that crm holds was revoked at Zoho", gave, imported)
		}
	})
}

// give up while the sweep's own revocation is in flight, then a retry.
func TestDeleteDoesNotGiveUpAGrantThatZohoIsAskedToRevoke(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		grant, _ := m.unrevokable("crm", zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_client"})
		m.zoho.ClearFaults()
		hold := make(chan struct{})
		orig := m.wire.zoho
		m.wire.zoho = tripper(func(r *http.Request) (*http.Response, error) {
			if strings.Contains(r.URL.Path, "revoke") {
				<-hold
			}
			return orig.RoundTrip(r)
		})
		passes(2 * time.Minute)
		m.minute()
		synctest.Wait()
		m.refused(logical.DeleteOperation, "creds/crm", data{"revoke": false}, 503, "is being revoked right now")
		_, gave := m.try(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		_, imported := m.try(logical.UpdateOperation, "creds/crm", data{"refresh_token": grant})
		close(hold)
		synctest.Wait()
		if imported == nil && !m.lives(grant) {
			t.Errorf("gave up: %v; imported: %v; and the grant that crm holds was revoked at Zoho", gave, imported)
		}
	})
}

func TestRevocationThatADeadProcessBeganCanBeGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		grant, id := m.unrevokable("crm", zohotest.Fault{Kind: zohotest.Refuse, Error: "invalid_client"})
		m.restart()
		m.delete("retired/" + id)
		m.zoho.ClearFaults()
		m.write("creds/crm", data{"refresh_token": grant})
		m.hours()
		if !m.lives(grant) {
			t.Error("a grant that was given up and imported again is revoked")
		}
	})
}
