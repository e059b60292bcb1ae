// Does the ledger's memory keep no more than it has to, and for no longer?

package ledger

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestForgottenGrantIsRememberedForAWhileAndNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(nil, nil)
		l.left("first")
		time.Sleep(unfinished)
		l.left("second")
		if !l.Gone("first") {
			t.Error("a mint that was on its way may bring back its record")
		}
		time.Sleep(time.Second)
		l.left("third")
		if l.Gone("first") || !l.Gone("second") {
			t.Errorf("remembered are %v", l.gone)
		}
	})
}

func TestDoubtThatCouldNotBeNotedIsLeftToTheSweep(t *testing.T) {
	ctx, l, s := context.Background(), New(nil, nil), &logical.InmemStorage{}
	s.FailPut(true)
	_, kept := l.Keep(ctx, s, Grant{ID: "kept"}, "crm")
	_, brought := l.Doubt(ctx, s, Grant{ID: "brought"}, Sentence{Name: "crm"})
	_, replaced := l.GoOn(ctx, s, Grant{ID: "new", Replaces: "old"}, "crm")
	if kept == nil || brought == nil || replaced == nil {
		t.Fatalf("storage does not fail: %v, %v, %v", kept, brought, replaced)
	}
	if len(l.doubts) != 0 {
		t.Errorf("%d doubts are somebody's still, who does not know of them", len(l.doubts))
	}
}
