// Package gate decides which grant a credential may point to.
//
// A consent asks for a grant, in one flow and perhaps from one account. A grant
// arrives as evidence: an authorization code, the answer to a device poll, a refresh
// token. One table says which evidence completes which consent, and one list of
// conditions applies to all of them.
//
// The gate is asked twice. Admit checks what is known before something is spent (a
// code, a poll, a mint). Pass checks everything before a credential points to the
// grant; there a condition whose input is not known refuses. Only Pass makes a Passed,
// and the writer of credentials takes nothing else.
package gate

import (
	"context"
	"fmt"
	"time"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/zoho"
)

// ProfileScope allows an access token to ask Zoho for its user.
const ProfileScope = "AaaServer.profile.READ"

// Evidence is what arrived.
type Evidence string

// Kinds of evidence.
const (
	CodeWithState Evidence = "an authorization code with its state"
	CodeAlone     Evidence = "an authorization code without a state"
	DeviceAnswer  Evidence = "the answer to a device poll"
	// ScopesAdded is a redirect that says that the person accepted more scopes. It proves
	// nothing: a mint shows the scopes of the grant before Pass.
	ScopesAdded Evidence = "the news that scopes were added"
	// Refusal is an answer without a code: the person or Zoho declined.
	Refusal           Evidence = "a refusal"
	RefreshToken      Evidence = "a refresh token"
	ClientCredentials Evidence = "client credentials"
)

// Evidences lists every kind.
var Evidences = []Evidence{CodeWithState, CodeAlone, DeviceAnswer, ScopesAdded, Refusal, RefreshToken, ClientCredentials}

// effect is what evidence does to the consent that waits.
type effect int

const (
	refused   effect = iota
	completes        // it is the answer to the consent
	overrides        // it needs no consent; one that waits ends when the credential is connected
)

// noConsent is the row of the table for a name for which no consent waits.
const noConsent = ""

// table says what each kind of evidence does to each kind of consent. A pair that is not
// in it is refused.
var table = map[Evidence]map[string]effect{
	CodeWithState:     {consent.Code: completes, consent.Organization: completes},
	CodeAlone:         {noConsent: overrides, consent.Device: overrides},
	DeviceAnswer:      {consent.Device: completes},
	ScopesAdded:       {consent.Scopes: completes},
	Refusal:           {consent.Code: completes, consent.Organization: completes, consent.Scopes: completes},
	RefreshToken:      {noConsent: overrides, consent.Code: overrides, consent.Organization: overrides, consent.Device: overrides, consent.Scopes: overrides},
	ClientCredentials: {noConsent: overrides, consent.Code: overrides, consent.Organization: overrides, consent.Device: overrides, consent.Scopes: overrides},
}

// Arrived is what is known before anything is spent.
type Arrived struct {
	// Name is the credential that is to be connected.
	Name     string
	Evidence Evidence
	// State came with the evidence; StateName is the credential for which this mount made
	// it, empty for a state that it did not make.
	State, StateName string
	// Code is the fingerprint of the code, if one arrived.
	Code string
	// ConsentID is the consent that was claimed for a device poll.
	ConsentID string
	// ClientID is the OAuth client in force.
	ClientID string
	// DataCenter is the account's data center, empty while it is not known.
	DataCenter string
	// HoldsGrant reports whether the credential points to a grant now. It is asked only
	// about scopes that were added.
	HoldsGrant func(grantID string) bool
}

// Obtained is what Zoho answered.
type Obtained struct {
	// GrantID is the grant that was obtained, or that was proven by a mint.
	GrantID string
	// DataCenter is where it was obtained.
	DataCenter string
	// RefreshToken tells whether there was a refresh token in the answer.
	RefreshToken bool
	// Granted are the scopes that the answer listed; none if it listed none.
	Granted []string
	// Identity asks Zoho whose account it is. It is called once at most.
	Identity func(context.Context) (zoho.Person, error)
}

// Admitted is evidence that may be spent. Only Admit makes one that Pass accepts.
type Admitted struct {
	arrived Arrived
	// completes is the consent that the evidence completes, nil if it needs none.
	completes *consent.Consent
	admitted  bool
}

// Passed is the permission to make one credential point to one grant, or to extend
// that grant. Only Pass makes one that its methods accept.
type Passed struct {
	name, grantID string
	scopes        []string
	person        zoho.Person
	warnings      []string
	passed        bool
}

// Admit checks evidence against the stored consent of the name, nil without one.
func Admit(stored *consent.Consent, a Arrived, now time.Time) (*Admitted, error) {
	if a.StateName != "" && a.StateName != a.Name {
		return nil, belongsToOther(a)
	}
	if stored != nil && stored.Spent != "" && a.Code != "" && stored.Spent == a.Code {
		return nil, UsedCode(a.Name)
	}
	row, asked := noConsent, (*consent.Consent)(nil)
	if stored.Waits(now) {
		row, asked = stored.Flow, stored
	}
	admitted := &Admitted{arrived: a, admitted: true}
	switch table[a.Evidence][row] {
	case refused:
		return nil, notTheEvidence(stored, a, now)
	case completes:
		admitted.completes = asked
	case overrides:
	}
	if err := admitted.checkKnown(); err != nil {
		return nil, err
	}
	return admitted, nil
}

// checkKnown checks the conditions whose input is known before Zoho was asked.
func (a *Admitted) checkKnown() error {
	f := &facts{asked: a.completes, arrived: &a.arrived}
	for _, c := range conditions {
		if c.applies(f) && c.known(f) {
			if err := c.check(context.Background(), f); err != nil {
				return err
			}
		}
	}
	return nil
}

// Locate adds the account's data center to what is known, and checks again.
func (a *Admitted) Locate(dataCenter string) error {
	a.arrived.DataCenter = dataCenter
	return a.checkKnown()
}

// Completes is the consent that the evidence completes, nil if it needs none.
func (a *Admitted) Completes() *consent.Consent {
	if a == nil {
		return nil
	}
	return a.completes
}

// Pass checks everything, with what Zoho answered. It may ask Zoho whose account it is.
func (a *Admitted) Pass(ctx context.Context, got Obtained) (Passed, error) {
	if a == nil || !a.admitted {
		return Passed{}, Refuse("the evidence was not admitted; this is a defect of the engine")
	}
	f := &facts{asked: a.completes, arrived: &a.arrived, got: &got}
	for _, c := range conditions {
		if !c.applies(f) {
			continue
		}
		if !c.known(f) {
			return Passed{}, Refuse("%s of the grant for %q is not known, so nothing was connected; start again with authorize/%s", c.name, a.arrived.Name, a.arrived.Name)
		}
		if err := c.check(ctx, f); err != nil {
			return Passed{}, err
		}
	}
	p := Passed{name: a.arrived.Name, grantID: got.GrantID, person: f.person, passed: true}
	if a.completes != nil {
		p.scopes = a.completes.Scopes
	}
	p.warnings = ScopeWarnings(p.scopes, got.Granted)
	return p, nil
}

// Allows reports whether a credential may point to a grant; never for the zero value.
func (p Passed) Allows(name, grantID string) bool {
	return p.passed && grantID != "" && p.name == name && p.grantID == grantID
}

// Person is whose account it is; its fields are empty if no condition asked.
func (p Passed) Person() zoho.Person { return p.person }

// Warnings says which scopes were asked for and not granted.
func (p Passed) Warnings() []string { return p.warnings }

// facts are the inputs of the conditions.
type facts struct {
	asked   *consent.Consent // nil: the evidence needs no consent
	arrived *Arrived
	got     *Obtained // nil before anything is spent
	person  zoho.Person
}

func (f *facts) dataCenter() string {
	if f.got != nil {
		return f.got.DataCenter
	}
	return f.arrived.DataCenter
}

// condition is one row of the list that applies to every flow.
type condition struct {
	name    string
	applies func(*facts) bool
	known   func(*facts) bool
	check   func(context.Context, *facts) error
}

// always and answered report whether the input of a condition is known.
func always(*facts) bool     { return true }
func answered(f *facts) bool { return f.got != nil }

// conditions are checked in this order: those that need no call to Zoho come first.
var conditions = []condition{
	{
		name:    "the state",
		applies: func(f *facts) bool { return f.asked != nil },
		known:   always,
		check:   checkState,
	},
	{
		name:    "the client",
		applies: func(f *facts) bool { return f.asked != nil },
		known:   always,
		check:   checkClient,
	},
	{
		name:    "the data center",
		applies: func(f *facts) bool { return f.asked != nil && f.asked.ExpectedDataCenter != "" },
		known:   func(f *facts) bool { return f.dataCenter() != "" },
		check:   checkDataCenter,
	},
	{
		name: "the grant",
		applies: func(f *facts) bool {
			return f.asked != nil && f.asked.Flow == consent.Scopes && f.arrived.Evidence != Refusal
		},
		known: func(f *facts) bool { return f.arrived.HoldsGrant != nil },
		check: checkGrant,
	},
	{
		name:    "the refresh token",
		applies: func(f *facts) bool { return f.arrived.Evidence.givesGrant() },
		known:   answered,
		check:   checkRefreshToken,
	},
	{
		name:    "the user",
		applies: func(f *facts) bool { return f.asked != nil && f.asked.ExpectedUser != "" },
		known:   func(f *facts) bool { return f.got != nil && f.got.Identity != nil },
		check:   checkUser,
	},
}

// givesGrant reports whether Zoho gives a new grant for this evidence.
func (e Evidence) givesGrant() bool {
	return e == CodeWithState || e == CodeAlone || e == DeviceAnswer
}

// checkState compares the state in constant time, and the identity of a device consent.
// Zoho does not promise a state in a redirect for added scopes: there the grant decides.
func checkState(_ context.Context, f *facts) error {
	switch {
	case f.arrived.Evidence == DeviceAnswer && f.arrived.ConsentID == f.asked.ID:
		return nil
	case f.arrived.Evidence == DeviceAnswer:
		return Refuse("the device consent for %q was replaced or withdrawn, so nothing was connected; start again with authorize/%s flow=device", f.arrived.Name, f.arrived.Name)
	case f.arrived.Evidence == ScopesAdded && f.arrived.State == "":
		return nil
	case f.arrived.State == "":
		return noState(f.asked, f.arrived.Name)
	case !f.asked.HasState(f.arrived.State):
		return Refuse("the state is not that of the consent that is waiting for %q; write the address of the consent started last, or start again with authorize/%s", f.arrived.Name, f.arrived.Name)
	}
	return nil
}

// checkClient refuses evidence for a client that config no longer names: Zoho gave it to
// that client.
func checkClient(_ context.Context, f *facts) error {
	if f.asked.ClientID == f.arrived.ClientID {
		return nil
	}
	return Refuse("config names another client_id than when the consent for %q was started, so nothing was connected; start again with authorize/%s", f.arrived.Name, f.arrived.Name)
}

func checkDataCenter(_ context.Context, f *facts) error {
	if f.dataCenter() == f.asked.ExpectedDataCenter {
		return nil
	}
	where := "data center " + f.dataCenter()
	return OtherAccount(f.arrived.Name, f.asked, where, where)
}

// checkGrant makes sure that added scopes are about the grant that they were asked for,
// that the credential still has it, and, after the mint, that it gained one of them.
func checkGrant(_ context.Context, f *facts) error {
	name, asked := f.arrived.Name, f.asked
	if !f.arrived.HoldsGrant(asked.GrantID) || f.got != nil && !f.arrived.HoldsGrant(f.got.GrantID) {
		return &Refused{Text: fmt.Sprintf("the scopes were added to a grant that credential %q no longer has: the credential was connected again or deleted; start again with authorize/%s add_scopes=%s", name, name, zoho.FormatScopes(asked.Scopes))}
	}
	if f.got != nil && len(f.got.Granted) > 0 && !gained(asked, f.got.Granted) {
		return &Refused{
			Text:  fmt.Sprintf("the grant of credential %q has none of the scopes %s, so the person has not accepted them yet; open the link of authorize/%s again, or start again with authorize/%s add_scopes=%s", name, zoho.FormatScopes(asked.Scopes), name, name, zoho.FormatScopes(asked.Scopes)),
			Waits: true,
		}
	}
	return nil
}

// gained reports whether a grant has one of the scopes that were asked for, and that it was
// not known to have when the consent was started.
func gained(asked *consent.Consent, granted []string) bool {
	return len(zoho.MissingScopes(asked.Scopes, zoho.NewScopes(granted, asked.Had))) < len(asked.Scopes)
}

func checkRefreshToken(_ context.Context, f *facts) error {
	if f.got.RefreshToken {
		return nil
	}
	return Refuse("Zoho's accounts server for data center %q gave an access token but no refresh token, so nothing could be kept: the consent was not asked for offline access; start it with authorize/%s, which asks for access_type=offline and prompt=consent", f.got.DataCenter, f.arrived.Name)
}

// checkUser asks Zoho whose account it is. If Zoho does not say, it refuses the grant.
func checkUser(ctx context.Context, f *facts) error {
	name, asked := f.arrived.Name, f.asked
	person, err := f.got.Identity(ctx)
	if err == nil {
		err = identified(asked.ExpectedUser, person)
	}
	if err != nil {
		return Refuse("the consent for %q is for %s, and Zoho did not say whose account consented (%s), so nothing was connected; start again with authorize/%s, with the scope %s", name, asked.Expected(), err, name, ProfileScope)
	}
	if !Expects(asked.ExpectedUser, person) {
		who := person.Email
		if who == "" {
			who = person.ZUID
		}
		return OtherAccount(name, asked, who, "")
	}
	f.person = person
	return nil
}
