// A credential points to what passed the gate, and to nothing else.

package credential_test

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/credential"
	"vault-plugin-secrets-zoho/backend/internal/gate"
)

// none is a cache of a mount without credentials.
type none struct{}

func (none) Stored(context.Context, logical.Storage, string) (*credential.Credential, error) {
	return nil, nil
}
func (none) Forget(string) {}

func TestOnlyWhatPassedTheGateIsConnected(t *testing.T) {
	ctx, edit := context.Background(), func(*credential.Settings) error { return nil }
	admitted, err := gate.Admit(nil, gate.Arrived{Name: "crm", Evidence: gate.RefreshToken}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	next := &credential.Credential{ClientID: "client", AccountsURL: "https://accounts.zoho.com", GrantType: credential.GrantRefresh, RefreshToken: "1000.x.y"}
	id, _ := next.Grant()
	passed, err := admitted.Pass(ctx, gate.Obtained{GrantID: id})
	if err != nil {
		t.Fatal(err)
	}
	otherGrant, err := admitted.Pass(ctx, gate.Obtained{GrantID: "another"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		name   string
		passed gate.Passed
		ok     bool
	}{
		"nothing passed":       {"crm", gate.Passed{}, false},
		"another grant passed": {"crm", otherGrant, false},
		"for another name":     {"books", passed, false},
		"this one":             {"crm", passed, true},
	} {
		s := &logical.InmemStorage{}
		store := credential.NewStore(none{})
		a := store.Begin(c.name)
		_, err := store.Connect(ctx, s, a, c.passed, next, edit)
		store.End(a)
		keys, _ := s.List(ctx, credential.Prefix)
		if (err == nil) != c.ok || len(keys) != map[bool]int{true: 1}[c.ok] {
			t.Errorf("%s: %v, stored are %v", name, err, keys)
		}
	}
	// A request that was stopped meanwhile connects nothing.
	store, s := credential.NewStore(none{}), &logical.InmemStorage{}
	a := store.Begin("crm")
	store.Cancel("crm", "", "it was deleted")
	if _, err := store.Connect(ctx, s, a, passed, next, edit); err == nil {
		t.Error("a stopped attempt connects the credential")
	}
}
