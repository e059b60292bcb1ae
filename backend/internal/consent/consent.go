// Package consent owns the stored consents: at most one for each credential name. It
// alone writes and deletes them, and compares before it does: a caller ends the consent
// that it started and no other.
//
//	(nothing) --Start--> waiting --Spend--> in progress --Finish--> finished
//	                      |  ^                  |
//	                      |  +-----Unspend------+    the code was never sent
//	                      |  +-----Reopen-------+    another account consented
//	                      +--------Finish----------> finished: declined, or without a code
//	                      +--------Withdraw--------> (nothing)
//
// A finished consent keeps its result, without secrets, for the time Kept, so that the
// caller that sent the link can list it and the person can load the page again. Sweep
// deletes it afterwards. The fingerprint of a code that was sent is kept until the code
// has certainly expired and its consent is over.
package consent

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"strings"
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

// ErrEnded means that a consent was withdrawn or replaced, or has ended.
var ErrEnded = errors.New("the consent was withdrawn or replaced")

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
	ID string `json:"id"`
	// ClientID is the OAuth client that asks.
	ClientID string `json:"client_id,omitempty"`
	// State comes back with the code.
	State       string      `json:"state,omitempty"`
	RedirectURI string      `json:"redirect_uri,omitempty"`
	Scopes      []string    `json:"scopes,omitempty"`
	DataCenter  string      `json:"data_center,omitempty"`
	Verifier    zoho.Secret `json:"verifier,omitempty"`
	Expires     time.Time   `json:"expires"`
	// Flow is how the person consents.
	Flow string `json:"flow,omitempty"`
	// GrantID is the grant that gains scopes. Had are the scopes that it is known to have
	// had when the consent was started.
	GrantID string   `json:"grant_id,omitempty"`
	Had     []string `json:"had,omitempty"`
	// Spent is the fingerprint of the code that was sent to finish this consent, at SpentAt.
	Spent   string    `json:"spent,omitempty"`
	SpentAt time.Time `json:"spent_at,omitzero"`
	// Outcome is the result of the last attempt to finish it; nil before the first.
	Outcome *Outcome `json:"outcome,omitempty"`
	// Ended is when it was finished; zero while it is not.
	Ended time.Time `json:"ended,omitzero"`
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

// Outcome is the result of an attempt to finish a consent. There is no secret in it.
type Outcome struct {
	// Code is the fingerprint of the code that was sent, if one was.
	Code   string `json:"code,omitempty"`
	Result Result `json:"result"`
	// Status is the HTTP status of the page for the browser.
	Status int `json:"status"`
	// Word is the error word of Zoho's redirect, checked by zoho.ParseCallback.
	Word string `json:"word,omitempty"`
	// GrantID is the grant that the credential got.
	GrantID    string   `json:"grant_id,omitempty"`
	DataCenter string   `json:"data_center,omitempty"`
	Granted    []string `json:"granted,omitempty"`
	Refused    []string `json:"refused,omitempty"`
	// Detail is the error text for the person and for operators. Public is the same without
	// the account that consented, for callers that start consents; empty if it is the same.
	Detail string `json:"detail,omitempty"`
	Public string `json:"public,omitempty"`
	// At is when the attempt ended.
	At time.Time `json:"at,omitzero"`
}

// Result is how an attempt to finish a consent ended.
type Result string

// Results.
const (
	Connected Result = "connected"
	Declined  Result = "declined"
	Failed    Result = "failed"
	// WrongAccount: another account than the expected one consented, or the account cannot
	// consent. A consent in a browser keeps waiting for another account.
	WrongAccount Result = "wrong_account"
	// Superseded: the credential was connected without this consent.
	Superseded Result = "superseded"
)

// Values of Status, besides Connected, Declined and Failed.
const (
	Waiting    = "waiting"
	InProgress = "in_progress" // its code is being exchanged
	Expired    = "expired"
)

// interrupted is longer than an exchange takes: two calls of a minute at most, and
// storage. An older one was interrupted when its process ended.
const interrupted = 5 * time.Minute

// Status is Waiting, InProgress, Expired, or the result of a consent that ended.
func (c *Consent) Status(now time.Time) string {
	switch {
	case c.Open() && !now.Before(c.Expires):
		return Expired
	case c.Open():
		return Waiting
	case c.Ended.IsZero() && now.Sub(c.SpentAt) < interrupted:
		return InProgress
	case c.Outcome == nil:
		return string(Failed)
	}
	return string(c.Outcome.Result)
}

// Waits reports whether a person can still finish it.
func (c *Consent) Waits(now time.Time) bool {
	return c.Open() && now.Before(c.Expires)
}

// Open reports whether it was not finished, expired or not.
func (c *Consent) Open() bool {
	return c != nil && c.Spent == "" && c.Ended.IsZero()
}

// InProgress reports whether its code was sent and the result is not stored yet.
func (c *Consent) InProgress() bool {
	return c != nil && c.Spent != "" && c.Ended.IsZero()
}

// HasState compares the state of a consent in constant time.
func (c *Consent) HasState(state string) bool {
	return subtle.ConstantTimeCompare([]byte(c.State), []byte(state)) == 1
}

// Handle names the consent to the caller that started it: the state, or for a device consent,
// to which no browser comes back, its id.
func (c *Consent) Handle() string {
	if c.State == "" {
		return c.ID
	}
	return c.State
}

// hasHandle compares the handle of a consent in constant time.
func (c *Consent) hasHandle(handle string) bool {
	return subtle.ConstantTimeCompare([]byte(c.Handle()), []byte(handle)) == 1
}

// Expected describes the expected account, for a sentence; empty if any account may consent.
func (c *Consent) Expected() string {
	var parts []string
	if c.ExpectedUser != "" {
		parts = append(parts, "the account "+c.ExpectedUser)
	}
	if c.ExpectedDataCenter != "" {
		parts = append(parts, "data center "+c.ExpectedDataCenter)
	}
	return strings.Join(parts, " in ")
}

// same reports whether two are one consent in one state of being spent.
func (c *Consent) same(other *Consent) bool {
	return c.ID == other.ID && c.Spent == other.Spent
}

// ended is a consent with its final result.
func (c *Consent) ended(o Outcome) *Consent {
	ended := c.withoutSecrets()
	ended.Ended = time.Now().UTC().Truncate(time.Second)
	o.Code, o.At = c.Spent, ended.Ended
	ended.Outcome = &o
	return ended
}

// withoutSecrets is the part of a consent that is kept after it ended.
func (c *Consent) withoutSecrets() *Consent {
	kept := *c
	kept.Verifier, kept.DeviceCode, kept.UserCode = "", "", ""
	return &kept
}

// Consents owns the consents of one mount.
type Consents struct {
	// locks has one for each name, codes one for each code; the former comes first.
	locks, codes *store.Locks
	// changed is called after each write with the consent, nil if it was deleted.
	changed func(name string, c *Consent)

	mu sync.Mutex
	// next is when Sweep has to look again; zero: not known.
	next time.Time
	// swept is when it last did.
	swept time.Time
}

// New returns the consents of a mount. changed is called after every change.
func New(changed func(name string, c *Consent)) *Consents {
	return &Consents{locks: store.NewLocks(), codes: store.NewLocks(), changed: changed}
}

// Get returns the consent of a name, whatever its status, or nil. An error for which
// store.Unreadable is true concerns this entry alone.
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

// List returns the names that have a stored consent, in order.
func (p *Consents) List(ctx context.Context, s logical.Storage) ([]string, error) {
	return s.List(ctx, Prefix)
}

// Start stores a consent. mayReplace is asked about the stored one first.
func (p *Consents) Start(ctx context.Context, s logical.Storage, name string, c *Consent, mayReplace func(stored *Consent, unreadable error) error) error {
	c.ID = rand.Text()
	return p.locks.Locked(name, func() error {
		if err := p.MayStart(ctx, s, name, mayReplace); err != nil {
			return err
		}
		return p.put(ctx, s, name, c)
	})
}

// MayStart checks what Start will check, before work that would be wasted.
func (p *Consents) MayStart(ctx context.Context, s logical.Storage, name string, mayReplace func(stored *Consent, unreadable error) error) error {
	stored, err := p.Get(ctx, s, name)
	if err != nil && !store.Unreadable(err) {
		return err
	}
	return mayReplace(stored, err)
}

// A Claim is a code that was sent, with the consent that it finishes.
type Claim struct {
	// Code is the fingerprint of the code.
	Code string
	// Before is the consent as it was, nil if the code finishes none.
	Before *Consent
	// Spent is the consent as it is stored now, nil likewise.
	Spent *Consent
}

// Spend marks a code as sent, and the consent of the name as spent by it if the code
// finishes it. admit is asked first, with the stored consent or nil, under the lock of
// the name. Spend fails with ErrSpent if the code was sent before, whatever name it was
// written to. A code that finishes no consent leaves the stored one as it is.
func (p *Consents) Spend(ctx context.Context, s logical.Storage, name string, code zoho.Secret, admit func(stored *Consent) (finishes bool, err error)) (*Claim, error) {
	claim := &Claim{Code: zoho.Fingerprint(string(code))}
	err := p.locks.Locked(name, func() error {
		stored, err := p.Get(ctx, s, name)
		if err != nil {
			return err
		}
		finishes, err := admit(stored)
		if err != nil {
			return err
		}
		known := time.Now().Add(CodeLife).UTC()
		if finishes && stored.Expires.After(known) {
			known = stored.Expires // the consent may wait for another code until then, and a browser keep this one
		}
		if err := p.spend(ctx, s, claim.Code, known); err != nil || !finishes {
			return err
		}
		claim.Before, claim.Spent = stored, stored.withoutSecrets()
		claim.Spent.Spent, claim.Spent.SpentAt, claim.Spent.Outcome = claim.Code, time.Now().UTC().Truncate(time.Second), nil
		if err := p.put(ctx, s, name, claim.Spent); err != nil {
			// The code was not sent. If this delete fails, the code cannot be used any more.
			_ = store.Delete(ctx, s, SpentPrefix+claim.Code)
			return err
		}
		return nil
	})
	return claim, err
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
		defer p.due(expires.Add(codeKept))
		return store.Put(ctx, s, SpentPrefix+fingerprint, &spentCode{Expires: expires})
	})
}

// Unspend takes a claim back: the code was never sent.
func (p *Consents) Unspend(ctx context.Context, s logical.Storage, name string, claim *Claim) error {
	if err := p.swap(ctx, s, name, claim.Spent, claim.Before); err != nil {
		return err
	}
	return store.Delete(ctx, s, SpentPrefix+claim.Code)
}

// Reopen lets a consent wait again after an attempt that failed, with the result of it.
// stored is the consent as it is stored, before as it was before a code was sent.
func (p *Consents) Reopen(ctx context.Context, s logical.Storage, name string, stored, before *Consent, o Outcome) error {
	again := *before
	o.Code, o.At = stored.Spent, time.Now().UTC().Truncate(time.Second)
	again.Outcome = &o
	return p.swap(ctx, s, name, stored, &again)
}

// Finish ends a consent with its result, unless another one was started since.
func (p *Consents) Finish(ctx context.Context, s logical.Storage, name string, c *Consent, o Outcome) error {
	if c == nil {
		return nil
	}
	return p.swap(ctx, s, name, c, c.ended(o))
}

// Withdraw deletes the consent of a name that waits or is in progress, the one with a handle
// if a handle is given. may is asked about it first. An entry that cannot be read is deleted
// if no handle is given.
func (p *Consents) Withdraw(ctx context.Context, s logical.Storage, name, handle string, may func(*Consent) error) error {
	return p.locks.Locked(name, func() error {
		stored, err := p.Get(ctx, s, name)
		switch {
		case handle == "" && store.Unreadable(err):
			return p.put(ctx, s, name, nil)
		case err != nil || !stored.Open() && !stored.InProgress() || handle != "" && !stored.hasHandle(handle):
			return err
		}
		if err := may(stored); err != nil {
			return err
		}
		return p.put(ctx, s, name, nil)
	})
}

// Supersede ends the consent of a name that waits or is in progress, since the credential
// was connected without it, and returns it as it was; nil if there was none.
func (p *Consents) Supersede(ctx context.Context, s logical.Storage, name string) (was *Consent, err error) {
	err = p.locks.Locked(name, func() error {
		stored, err := p.Get(ctx, s, name)
		if err != nil || !stored.Waits(time.Now()) && !stored.InProgress() {
			return err
		}
		was = stored
		return p.put(ctx, s, name, stored.ended(Outcome{
			Result: Superseded, Status: 400, Detail: "the credential was connected without this consent; start another one if it is still wanted",
		}))
	})
	return was, err
}

// Claimed fails with ErrEnded if a consent is no longer the stored one in the state in
// which the caller claimed it.
func (p *Consents) Claimed(ctx context.Context, s logical.Storage, name string, claimed *Consent) error {
	stored, err := p.Get(ctx, s, name)
	if err == nil && (stored == nil || !stored.same(claimed) || !stored.Ended.IsZero()) {
		err = ErrEnded
	}
	return err
}

// Change stores a consent that keeps waiting, unless another one was started since.
func (p *Consents) Change(ctx context.Context, s logical.Storage, name string, c *Consent) error {
	return p.swap(ctx, s, name, c, c)
}

// Drop deletes the consent of a name that is being deleted, readable or not.
func (p *Consents) Drop(ctx context.Context, s logical.Storage, name string) error {
	return p.locks.Locked(name, func() error { return p.put(ctx, s, name, nil) })
}

// DropAll deletes every consent: the client that they belong to is being deleted.
func (p *Consents) DropAll(ctx context.Context, s logical.Storage) error {
	names, err := p.List(ctx, s)
	for _, name := range names {
		err = errors.Join(err, p.Drop(ctx, s, name))
	}
	return err
}

// ClaimPoll returns the device consent that waits for a name, nil without one, and
// whether the caller may ask Zoho about it now. The claim is stored before the
// question, so that no two readers or nodes ask within one interval. It lasts long
// enough for the answer, from which the next interval counts. readOnly is returned
// where a write is needed and not allowed. An expired consent is returned unclaimed.
func (p *Consents) ClaimPoll(ctx context.Context, s logical.Storage, name string, readOnly error) (c *Consent, claimed bool, err error) {
	err = p.locks.Locked(name, func() error {
		if c, err = p.Get(ctx, s, name); err != nil || c == nil {
			return err
		}
		if c.Flow != Device || !c.Open() {
			c = nil
			return nil
		}
		now := time.Now()
		if !now.Before(c.Expires) || now.Before(c.NextPoll) {
			return nil
		}
		if readOnly != nil {
			return readOnly
		}
		c.NextPoll = now.Add(time.Minute + c.Interval).UTC()
		claimed = true
		return p.put(ctx, s, name, c)
	})
	return c, claimed, err
}

// swap replaces a consent by the next, or by nothing, if it is still the stored one.
func (p *Consents) swap(ctx context.Context, s logical.Storage, name string, c, next *Consent) error {
	if c == nil {
		return nil
	}
	return p.locks.Locked(name, func() error {
		stored, err := p.Get(ctx, s, name)
		if err != nil || stored == nil || !stored.same(c) || !stored.Ended.IsZero() {
			return err
		}
		return p.put(ctx, s, name, next)
	})
}

// put stores a consent, or deletes the stored one.
func (p *Consents) put(ctx context.Context, s logical.Storage, name string, c *Consent) error {
	defer p.changed(name, c)
	if c == nil {
		return store.Delete(ctx, s, Prefix+name)
	}
	defer p.due(c.deletable())
	return store.Put(ctx, s, Prefix+name, c)
}
