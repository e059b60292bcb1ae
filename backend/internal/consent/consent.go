// Package consent knows the consents that wait: started, spent, finished. It alone
// writes and deletes what is stored of them, and compares it first: whoever started
// a consent ends that one and no other.
//
//	(nothing) --Start--> started --Spend--> spent --Finish--> finished
//	                      ^   |               |
//	                      |   +----Finish-----|--> declined, or without a code
//	                      +----Unspend--------+    the code never left
//	                      +----Reopen---------+    somebody else consented
//
// Start takes the place of a consent that waits only for whoever may do that. One that
// came with a state is kept after its end with what came of it, for whoever loads
// the page again; the others are deleted. Sweep deletes each some time after it has
// expired. That a code was sent is known until it is surely dead, and its consent over.
package consent

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

const (
	// Prefix + name is the key of the consent that waits for a credential.
	Prefix = "pending/"
	// SpentPrefix + the fingerprint of a code says that it was sent to Zoho, whatever
	// name it was written to.
	SpentPrefix = "spent/"
)

// ErrSpent means that a code was sent to Zoho before.
var ErrSpent = errors.New("the code was sent before")

// spentCode is what is stored of a code that was sent.
type spentCode struct {
	store.Versioned
	Expires time.Time `json:"expires"`
}

// CodeLife is longer than any code lives. Zoho, "self-client": up to ten minutes.
const CodeLife = 15 * time.Minute

// Flows of a consent.
const (
	Code   = "code"
	Device = "device"
	Scopes = "scopes" // more of them for a connected grant
	// Organization is a consent that an administrator gives for all of an organization:
	// its grant outlives them. Zoho, "instance-level".
	Organization = "organization"
)

// Consent is one that was started.
type Consent struct {
	store.Versioned
	// ID tells apart consents of one name.
	ID string `json:"id,omitempty"`
	// State comes back with the code.
	State       string      `json:"state,omitempty"`
	RedirectURI string      `json:"redirect_uri,omitempty"`
	Scopes      []string    `json:"scopes,omitempty"`
	DataCenter  string      `json:"data_center,omitempty"`
	Verifier    zoho.Secret `json:"verifier,omitempty"`
	Expires     time.Time   `json:"expires"`
	// Flow is how the person consents; empty for a code that no consent here led to.
	Flow string `json:"flow,omitempty"`
	// GrantID is the grant that gains scopes.
	GrantID string `json:"grant_id,omitempty"`
	// Spent is the fingerprint of a code that was sent: then the consent is spent.
	Spent string `json:"spent,omitempty"`
	// Outcome is what came of the last code, or of none.
	Outcome *Outcome `json:"outcome,omitempty"`
	// SOID is the organization that is asked, <service>.<id>.
	SOID string `json:"soid,omitempty"`
	// ExpectedUser is whose account it must be, an e-mail address or a Zoho user id.
	ExpectedUser       string `json:"expected_user,omitempty"`
	ExpectedDataCenter string `json:"expected_data_center,omitempty"`
	// ReturnURL is where the browser goes on to, with ReturnState.
	ReturnURL   string `json:"return_url,omitempty"`
	ReturnState string `json:"return_state,omitempty"`
	// Starter identifies who started it, StartedBy is what people call them.
	Starter   string    `json:"starter,omitempty"`
	StartedBy string    `json:"started_by,omitempty"`
	Started   time.Time `json:"started,omitzero"`
	// The rest belongs to the device flow.
	DeviceCode      zoho.Secret   `json:"device_code,omitempty"`
	UserCode        string        `json:"user_code,omitempty"`
	VerificationURL string        `json:"verification_url,omitempty"`
	Interval        time.Duration `json:"interval,omitempty"`
	NextPoll        time.Time     `json:"next_poll,omitzero"`
}

// Outcome is what came of a consent. There is no secret in it.
type Outcome struct {
	// Code is the fingerprint of the code that it came of.
	Code   string `json:"code,omitempty"`
	Result Result `json:"result"`
	// Status is that of HTTP for the browser that waits.
	Status int `json:"status"`
	// GrantID is the grant that the credential got.
	GrantID    string   `json:"grant_id,omitempty"`
	DataCenter string   `json:"data_center,omitempty"`
	Granted    []string `json:"granted,omitempty"`
	Refused    []string `json:"refused,omitempty"`
	// Detail is what an operator is told.
	Detail string `json:"detail,omitempty"`
}

// Result is how a consent ended.
type Result string

// Results.
const (
	Connected    Result = "connected"
	Declined     Result = "declined"
	Failed       Result = "failed"
	OtherAccount Result = "other_account" // not the account that was expected; the consent waits on
)

// Waits reports whether a person can still finish it.
func (c *Consent) Waits(now time.Time) bool {
	return c.Open() && now.Before(c.Expires)
}

// Open reports whether it was not finished, expired or not.
func (c *Consent) Open() bool {
	return c != nil && c.Spent == "" && c.Flow != "" && (c.Outcome == nil || c.Outcome.Result == OtherAccount)
}

// same reports whether two are one consent. Format 1 gave no IDs.
func (c *Consent) same(other *Consent) bool {
	return c.ID == other.ID && c.State == other.State && c.DeviceCode == other.DeviceCode
}

// Consents are those of one mount.
type Consents struct {
	// locks has one for each name, codes one for each code; the former comes first.
	locks, codes *store.Locks
	// changed is told of each consent that was written, nil: deleted.
	changed func(name string, c *Consent)

	mu sync.Mutex
	// next is when Sweep has to look again; zero: it does not know.
	next time.Time
	// swept is when it last did.
	swept time.Time
}

// New returns the consents of a mount. changed is told of every change.
func New(changed func(name string, c *Consent)) *Consents {
	return &Consents{locks: store.NewLocks(), codes: store.NewLocks(), changed: changed}
}

// Get returns the consent of a name, whatever its state, or nil.
func (p *Consents) Get(ctx context.Context, s logical.Storage, name string) (*Consent, error) {
	var c Consent
	switch err := store.Get(ctx, s, Prefix+name, &c); {
	case errors.Is(err, store.ErrAbsent):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &c, nil
}

// Start stores a consent. replaces is asked about the one that waits, nil where none
// does, before that is replaced.
func (p *Consents) Start(ctx context.Context, s logical.Storage, name string, c *Consent, replaces func(*Consent) error) error {
	c.ID = rand.Text()
	return p.locks.Locked(name, func() error {
		if err := p.MayStart(ctx, s, name, replaces); err != nil {
			return err
		}
		return p.put(ctx, s, name, c)
	})
}

// MayStart asks what Start will ask, for work that should not be done in vain.
func (p *Consents) MayStart(ctx context.Context, s logical.Storage, name string, replaces func(*Consent) error) error {
	now, err := p.Get(ctx, s, name)
	if err != nil {
		return err
	}
	if !now.Waits(time.Now()) {
		now = nil
	}
	return replaces(now)
}

// Spend marks a code as sent, and the consent of a name as spent by it, after check
// has agreed to that and told whether the code finishes it; check gets nil where none
// is stored. It returns the consent as it was, or ErrSpent.
func (p *Consents) Spend(ctx context.Context, s logical.Storage, name string, code zoho.Secret, check func(*Consent) (finishes bool, err error)) (before, spent *Consent, err error) {
	err = p.locks.Locked(name, func() error {
		now, err := p.Get(ctx, s, name)
		if err != nil {
			return err
		}
		finishes, err := check(now)
		if err != nil {
			return err
		}
		before = now
		fingerprint, expires := zoho.Fingerprint(string(code)), time.Now().Add(CodeLife).UTC()
		known := expires
		if finishes && now.Expires.After(known) {
			known = now.Expires // it may wait for another code until then, and a browser keep this one
		}
		if err := p.spend(ctx, s, fingerprint, known); err != nil {
			return err
		}
		spent = &Consent{ID: rand.Text(), Spent: fingerprint, Expires: expires}
		if finishes {
			// What is not needed any more is not kept: secrets above all.
			spent.State, spent.Flow, spent.ReturnURL, spent.ReturnState = now.State, now.Flow, now.ReturnURL, now.ReturnState
		}
		if err := p.put(ctx, s, name, spent); err != nil {
			// The code was not sent; if this can't be deleted it is good for nothing more.
			_ = store.Delete(ctx, s, SpentPrefix+fingerprint)
			return err
		}
		return nil
	})
	return before, spent, err
}

// spend stores that a code is being sent, unless it was before.
func (p *Consents) spend(ctx context.Context, s logical.Storage, fingerprint string, expires time.Time) error {
	return p.codes.Locked(fingerprint, func() error {
		err := store.Get(ctx, s, SpentPrefix+fingerprint, &spentCode{})
		if err == nil {
			return ErrSpent
		}
		if !errors.Is(err, store.ErrAbsent) {
			return err
		}
		defer p.due(expires)
		return store.Put(ctx, s, SpentPrefix+fingerprint, &spentCode{Expires: expires})
	})
}

// Unspend puts a consent back that was spent for a code that never left; before is
// nil where there was none.
func (p *Consents) Unspend(ctx context.Context, s logical.Storage, name string, spent, before *Consent) error {
	if err := p.swap(ctx, s, name, spent, before); err != nil {
		return err
	}
	return store.Delete(ctx, s, SpentPrefix+spent.Spent)
}

// Reopen lets a spent consent wait for another code: what came of the last one is not
// what was hoped for, and nothing was kept of it.
func (p *Consents) Reopen(ctx context.Context, s logical.Storage, name string, spent, before *Consent, o Outcome) error {
	again := *before
	o.Code = spent.Spent
	again.Outcome = &o
	return p.swap(ctx, s, name, spent, &again)
}

// Finish ends a consent, unless another one was started since.
func (p *Consents) Finish(ctx context.Context, s logical.Storage, name string, c *Consent, o Outcome) error {
	if c == nil || c.State == "" {
		return p.swap(ctx, s, name, c, nil) // nobody can ask again
	}
	o.Code = c.Spent
	return p.swap(ctx, s, name, c, &Consent{
		ID: c.ID, State: c.State, Flow: c.Flow, Spent: c.Spent, Outcome: &o,
		ReturnURL: c.ReturnURL, ReturnState: c.ReturnState, Expires: time.Now().UTC().Truncate(time.Second),
	})
}

// Cancel ends the consent with a state, whichever waits if that is empty.
func (p *Consents) Cancel(ctx context.Context, s logical.Storage, name, state string) error {
	return p.locks.Locked(name, func() error {
		now, err := p.Get(ctx, s, name)
		if err != nil || !now.Open() || state != "" && now.State != state {
			return err
		}
		return p.put(ctx, s, name, nil)
	})
}

// Change stores a consent that goes on, unless another one was started since.
func (p *Consents) Change(ctx context.Context, s logical.Storage, name string, c *Consent) error {
	return p.swap(ctx, s, name, c, c)
}

// Drop ends whatever consent there is for a name that is being deleted.
func (p *Consents) Drop(ctx context.Context, s logical.Storage, name string) error {
	return p.locks.Locked(name, func() error { return p.put(ctx, s, name, nil) })
}

// ClaimPoll returns the device consent that waits for a name, nil without one, and
// whether the caller may ask Zoho about it now. The claim is stored before the
// question, so that no two readers or nodes ask within one interval; it is long
// enough for the answer, from which the next interval counts. readOnly is returned
// where a write is needed and not allowed; expired tells that its time is over.
func (p *Consents) ClaimPoll(ctx context.Context, s logical.Storage, name string, readOnly error) (c *Consent, claimed, expired bool, err error) {
	err = p.locks.Locked(name, func() error {
		if c, err = p.Get(ctx, s, name); err != nil || c == nil {
			return err
		}
		if c.Flow != Device || c.Spent != "" {
			c = nil
			return nil
		}
		now := time.Now()
		expired = !now.Before(c.Expires)
		switch {
		case !expired && now.Before(c.NextPoll):
			return nil
		case readOnly != nil:
			return readOnly
		case expired:
			return p.put(ctx, s, name, nil)
		}
		c.NextPoll = now.Add(time.Minute + c.Interval).UTC()
		claimed = true
		return p.put(ctx, s, name, c)
	})
	return c, claimed, expired, err
}

// swap replaces a consent by the next, or by nothing, if it is still the one there.
func (p *Consents) swap(ctx context.Context, s logical.Storage, name string, c, next *Consent) error {
	if c == nil {
		return nil
	}
	return p.locks.Locked(name, func() error {
		now, err := p.Get(ctx, s, name)
		if err != nil || now == nil || !now.same(c) {
			return err
		}
		return p.put(ctx, s, name, next)
	})
}

// put stores a consent, or nothing.
func (p *Consents) put(ctx context.Context, s logical.Storage, name string, c *Consent) error {
	defer p.changed(name, c)
	if c == nil {
		return store.Delete(ctx, s, Prefix+name)
	}
	defer p.due(c.Expires)
	return store.Put(ctx, s, Prefix+name, c)
}
