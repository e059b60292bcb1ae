// Does the ledger's memory keep no more than it has to, and for no longer?

package ledger

import (
	"context"
	"strconv"
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

func TestNamesAreRememberedOfWhatIsDueAloneAndOfSoManyGrants(t *testing.T) {
	n := dueNames{of: map[string][]string{}}
	due := func(id string) *Grant { return &Grant{ID: id, Condemned: &Sentence{Name: "crm"}} }
	read := func(ids ...string) int { return len(n.mayBe(ids, "books")) }
	for i := range remembered + 1 {
		n.add(due(strconv.Itoa(i)))
	}
	if read("0", strconv.Itoa(remembered)) != 1 {
		t.Errorf("names of %d grants are remembered", len(n.of))
	}
	n.add(due("next")) // all but the first are gone by now
	if read("0", "next") != 0 {
		t.Error("what is gone stands in the way of what is due")
	}
}

// nobody is a mount without credentials.
type nobody struct{ World }

func (nobody) Still(_ string, work func() error) error { return work() }

func (nobody) Grants(context.Context, logical.Storage, string) (*Grant, []Former, error) {
	return nil, nil, nil
}

func TestDoubtIsForgottenWhenItIsSettled(t *testing.T) {
	ctx, l, s := context.Background(), New(nobody{}, nil), &logical.InmemStorage{}
	doubt, err := l.Doubt(ctx, s, Grant{ID: "brought"}, Sentence{Name: "crm"})
	if err != nil || !l.ours(doubt) {
		t.Fatalf("the doubt is not ours: %v", err)
	}
	if held, err := l.Settle(ctx, s, "brought", "crm", doubt); held || err != nil {
		t.Errorf("held is %v, %v", held, err)
	}
	doubts, err := l.GoOn(ctx, s, Grant{ID: "new", Replaces: "brought"}, "crm")
	if err != nil || !l.ours(doubts["crm"]) {
		t.Fatalf("the doubt about what replaces it is not ours: %v", err)
	}
	if held, err := l.Settle(ctx, s, "new", "crm", doubts["crm"]); held || err != nil {
		t.Errorf("held is %v, %v", held, err)
	}
	if len(l.doubts) != 0 {
		t.Errorf("memory keeps %d doubts", len(l.doubts))
	}
	if held, err := l.Settle(ctx, s, "gone", "crm", doubt); held || err != nil {
		t.Errorf("of what is gone, held is %v, %v", held, err)
	}
}

func TestWriteThatFailedHidesNobodysDueFromThem(t *testing.T) {
	ctx, s := context.Background(), &logical.InmemStorage{}
	if _, err := New(nobody{}, nil).Keep(ctx, s, Grant{ID: "known"}, "other"); err != nil {
		t.Fatal(err)
	}
	l := New(nobody{}, nil) // which has read nothing yet
	s.FailPut(true)
	if _, err := l.Keep(ctx, s, Grant{ID: "known"}, "crm"); err == nil {
		t.Fatal("storage does not fail")
	}
	if due, err := l.Due(ctx, s, "other"); len(due) != 1 || err != nil {
		t.Errorf("due are %v, %v", due, err)
	}
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
