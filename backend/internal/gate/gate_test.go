// The gate by itself: every cell of its table, and every condition.

package gate_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/zoho"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// waiting is a consent of a flow that waits, nil for none.
func waiting(flow string) *consent.Consent {
	if flow == "" {
		return nil
	}
	return &consent.Consent{
		ID: "id", ClientID: "client", State: "state", Flow: flow, GrantID: "grant", Scopes: []string{"a.READ", "b.READ"},
		Expires: now.Add(time.Minute),
	}
}

// right is evidence that completes whatever consent it can complete.
func right(e gate.Evidence) gate.Arrived {
	a := gate.Arrived{Name: "crm", Evidence: e, ClientID: "client", HoldsGrant: func(id string) bool { return id == "grant" }}
	switch e {
	case gate.CodeWithState, gate.ScopesAdded, gate.Refusal:
		a.State, a.StateName = "state", "crm"
	case gate.DeviceAnswer:
		a.ConsentID = "id"
	}
	return a
}

func answered() gate.Obtained {
	return gate.Obtained{
		GrantID: "grant", DataCenter: "us", RefreshToken: true, Granted: []string{"a.READ"},
		Identity: func(context.Context) (zoho.Person, error) {
			return zoho.Person{ZUID: "1", Email: "ann@example.com"}, nil
		},
	}
}

func TestTableSaysWhichEvidenceCompletesWhichConsent(t *testing.T) {
	const no, done, alone = "refused", "completed", "needs none"
	flows := []string{"", consent.Code, consent.Organization, consent.Device, consent.Scopes}
	want := map[gate.Evidence][]string{
		gate.CodeWithState:     {no, done, done, no, no},
		gate.CodeAlone:         {alone, no, no, alone, no},
		gate.DeviceAnswer:      {no, no, no, done, no},
		gate.ScopesAdded:       {no, no, no, no, done},
		gate.Refusal:           {no, done, done, no, done},
		gate.RefreshToken:      {alone, alone, alone, alone, alone},
		gate.ClientCredentials: {alone, alone, alone, alone, alone},
	}
	for _, e := range gate.Evidences {
		for i, flow := range flows {
			got := no
			admitted, err := gate.Admit(waiting(flow), right(e), now)
			switch {
			case err == nil && admitted.Completes() != nil:
				got = done
			case err == nil:
				got = alone
			case len(err.Error()) < 20 || !errors.As(err, new(*gate.Refused)):
				t.Errorf("%s for %q: no reason is given: %v", e, flow, err)
			}
			if got != want[e][i] {
				t.Errorf("%s for flow %q is %s, want %s: %v", e, flow, got, want[e][i], err)
			}
		}
	}
}

func TestEveryConditionRefuses(t *testing.T) {
	type input struct {
		stored  *consent.Consent
		arrived gate.Arrived
		got     gate.Obtained
	}
	completes := map[gate.Evidence][]string{
		gate.CodeWithState: {consent.Code, consent.Organization}, gate.DeviceAnswer: {consent.Device}, gate.ScopesAdded: {consent.Scopes},
	}
	spoil := map[string]struct {
		for_ func(e gate.Evidence) bool
		do   func(*input)
		// before: known before anything is spent.
		before bool
	}{
		"another state":      {func(e gate.Evidence) bool { return e != gate.DeviceAnswer }, func(i *input) { i.arrived.State = "other" }, true},
		"no state":           {func(e gate.Evidence) bool { return e == gate.CodeWithState }, func(i *input) { i.arrived.State = "" }, true},
		"another device":     {func(e gate.Evidence) bool { return e == gate.DeviceAnswer }, func(i *input) { i.arrived.ConsentID = "other" }, true},
		"another name's":     {nil, func(i *input) { i.arrived.StateName = "books" }, true},
		"expired":            {nil, func(i *input) { i.stored.Expires = now }, true},
		"ended":              {nil, func(i *input) { i.stored.Ended = now }, true},
		"in progress":        {nil, func(i *input) { i.stored.Spent = "code" }, true},
		"another client":     {nil, func(i *input) { i.arrived.ClientID = "other" }, true},
		"data center, early": {nil, func(i *input) { i.stored.ExpectedDataCenter, i.arrived.DataCenter = "eu", "us" }, true},
		"data center":        {nil, func(i *input) { i.stored.ExpectedDataCenter = "eu" }, false},
		"no data center":     {nil, func(i *input) { i.stored.ExpectedDataCenter, i.got.DataCenter = "us", "" }, false},
		"another user":       {nil, func(i *input) { i.stored.ExpectedUser = "bob@example.com" }, false},
		"another user id":    {nil, func(i *input) { i.stored.ExpectedUser = "2" }, false},
		"the Kelvin sign": {nil, func(i *input) {
			i.stored.ExpectedUser = "\u212aim@example.com"
			i.got.Identity = func(context.Context) (zoho.Person, error) { return zoho.Person{Email: "kim@example.com"}, nil }
		}, false},
		"nobody to ask": {nil, func(i *input) { i.stored.ExpectedUser, i.got.Identity = "1", nil }, false},
		"Zoho does not say who": {nil, func(i *input) {
			i.stored.ExpectedUser = "ann@example.com"
			i.got.Identity = func(context.Context) (zoho.Person, error) { return zoho.Person{ZUID: "1"}, nil }
		}, false},
		"no refresh token":        {func(e gate.Evidence) bool { return e != gate.ScopesAdded }, func(i *input) { i.got.RefreshToken = false }, false},
		"another grant":           {func(e gate.Evidence) bool { return e == gate.ScopesAdded }, func(i *input) { i.stored.GrantID = "other" }, true},
		"another grant was asked": {func(e gate.Evidence) bool { return e == gate.ScopesAdded }, func(i *input) { i.got.GrantID = "other" }, false},
		"none of the scopes":      {func(e gate.Evidence) bool { return e == gate.ScopesAdded }, func(i *input) { i.got.Granted = []string{"c.READ"} }, false},
	}
	for evidence, flows := range completes {
		for _, flow := range flows {
			for name, s := range spoil {
				if s.for_ != nil && !s.for_(evidence) {
					continue
				}
				i := input{waiting(flow), right(evidence), answered()}
				s.do(&i)
				admitted, err := gate.Admit(i.stored, i.arrived, now)
				if (err != nil) != s.before {
					t.Errorf("%s, %s: admitting says %v", evidence, name, err)
				}
				if err != nil {
					continue
				}
				passed, err := admitted.Pass(context.Background(), i.got)
				if err == nil || len(err.Error()) < 20 || passed.Allows("crm", i.got.GrantID) {
					t.Errorf("%s, %s: it passes, or no reason is given: %v", evidence, name, err)
				}
			}
			i := input{waiting(flow), right(evidence), answered()}
			i.stored.ExpectedUser, i.stored.ExpectedDataCenter = "ANN@example.com", "us"
			admitted, err := gate.Admit(i.stored, i.arrived, now)
			if err != nil {
				t.Fatalf("%s: %v", evidence, err)
			}
			passed, err := admitted.Pass(context.Background(), i.got)
			if err != nil || !passed.Allows("crm", "grant") || passed.Allows("books", "grant") || passed.Allows("crm", "other") || len(passed.Warnings()) != 1 || passed.Person().ZUID != "1" {
				t.Errorf("%s: right evidence: %+v, %v", evidence, passed, err)
			}
		}
	}
}

func TestNothingPassesThatWasNotAdmitted(t *testing.T) {
	var none *gate.Admitted
	for _, admitted := range []*gate.Admitted{none, {}} {
		if passed, err := admitted.Pass(context.Background(), answered()); err == nil || passed.Allows("", "grant") {
			t.Errorf("%+v passes", admitted)
		}
	}
	if (gate.Passed{}).Allows("", "") || (gate.Passed{}).Allows("crm", "grant") {
		t.Error("the zero value allows a grant")
	}
}
