// A credential points to what passed the gate, and to nothing else.

package credential_test

import (
	"context"
	"errors"
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
		_, err := store.Connect(ctx, s, a, next, credential.Connection{Passed: c.passed, Edit: edit})
		store.End(a)
		keys, _ := s.List(ctx, credential.Prefix)
		if (err == nil) != c.ok || len(keys) != map[bool]int{true: 1}[c.ok] {
			t.Errorf("%s: %v, stored are %v", name, err, keys)
		}
	}
	// A credential that exists is not replaced by the create capability, nor one whose consent
	// has ended.
	for name, w := range map[string]credential.Connection{
		"create":  {Passed: passed, Edit: edit, Create: true},
		"claimed": {Passed: passed, Edit: edit, Claimed: func() error { return errors.New("withdrawn") }},
	} {
		store, s := credential.NewStore(one{next}), &logical.InmemStorage{}
		if _, err := store.Connect(ctx, s, store.Begin("crm"), next, w); err == nil {
			t.Errorf("%s: it is connected", name)
		}
	}
}

// one is a cache with one credential of every name.
type one struct{ c *credential.Credential }

func (o one) Stored(context.Context, logical.Storage, string) (*credential.Credential, error) {
	return o.c, nil
}
func (one) Forget(string) {}
