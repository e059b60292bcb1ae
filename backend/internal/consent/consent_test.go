// A consent is ended by the caller that started it, and its result is kept.

package consent

import (
	"context"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestConsentThatWasSpentMeanwhileIsEndedByNobodyElse(t *testing.T) {
	ctx, s := context.Background(), &logical.InmemStorage{}
	p := New(func(string, *Consent) {})
	started := &Consent{Flow: Code, State: "state", Expires: time.Now().Add(time.Hour)}
	if err := p.Start(ctx, s, "crm", started, func(*Consent, error) error { return nil }); err != nil {
		t.Fatal(err)
	}
	claim, err := p.Spend(ctx, s, "crm", "code", func(*Consent) (bool, error) { return true, nil })
	if err != nil {
		t.Fatal(err)
	}
	spent := claim.Spent
	if err := p.Finish(ctx, s, "crm", started, Outcome{Result: Declined}); err != nil {
		t.Fatal(err)
	}
	if now, err := p.Get(ctx, s, "crm"); err != nil || !now.same(spent) || now.Outcome != nil {
		t.Errorf("what waits for the answer to its code is now %+v, %v", now, err)
	}
	if err := p.Finish(ctx, s, "crm", spent, Outcome{Result: Connected}); err != nil {
		t.Fatal(err)
	}
	if now, err := p.Get(ctx, s, "crm"); err != nil || now.Outcome == nil || now.Outcome.Result != Connected || now.Outcome.Code != spent.Spent {
		t.Errorf("what came of it is not kept: %+v, %v", now, err)
	}
}
