// Who mints, and when? A Keeper: cache, single flight, budget and failure memory
// of every grant, as one type, since each of them is wrong without the others.

package zoho

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Account is one grant with all that is needed to mint from it.
type Account struct {
	// ID identifies the grant, see Fingerprint: same ID, same budget, same tokens.
	ID string
	// Setup is the fingerprint of everything else that a failure may depend on.
	Setup string
	// Name is what the grant is called in events.
	Name string
	// Variant tells apart the tokens that one grant mints for different scopes.
	Variant string
	Grant   Grant
	Client  *Client
	Limits  Limits
	// Connected is when the grant's first token was minted. It takes a place even
	// if a crash lost the record.
	Connected time.Time
	Shelf     Shelf
}

// Shelf is where a grant's record lives. A Keeper has at most one Save under way
// for each ID.
type Shelf interface {
	// Load returns the stored record, or nil without one.
	Load(ctx context.Context, id string) (*Record, error)
	Save(ctx context.Context, id string, r *Record) error
	// Rotated stores a refresh token that came with a refresh. Zoho documents none;
	// its SDKs would store one.
	Rotated(ctx context.Context, refreshToken Secret) error
	// ReadOnly tells that this node can't store: it may serve, never mint.
	ReadOnly() bool
}

// ErrReadOnly means that the read needs a mint and this node can't store one.
var ErrReadOnly = errors.New("a new token is needed, and this node cannot store one")

// Event is something that happened to a grant. Err is nil for a mint.
type Event struct {
	Account *Account
	Token   *Token
	Err     error
	// Until is the end of the wait that follows a failure.
	Until time.Time
	// Took is how long the call took.
	Took time.Duration
}

// refusedFor is how long a refusal is believed without asking again.
const refusedFor = 15 * time.Minute

// maxBackoff bounds the doubling wait while Zoho is unavailable.
const maxBackoff = time.Minute

// Keeper hands out access tokens and mints as few as it can. The zero value is
// not usable; see NewKeeper.
type Keeper struct {
	observe func(Event)
	records *lru.Cache[string, *Record]

	mu      sync.Mutex
	flights map[string]*flight // by Account.ID
	// changes counts invalidations and new records: one loaded before is not cached
	// after.
	changes uint64

	// landed counts mints: a token that landed after a reader arrived is as fresh
	// as one minted for it alone.
	landed atomic.Uint64
}

// flight is one piece of work on a grant that others wait for.
type flight struct {
	done chan struct{}
	// owner started it; nil for work other than a mint.
	owner *Account
	// err is set before done is closed.
	err error
	// record is what the flight brought, nil if it brought nothing. Memory may have
	// lost it to other grants' records before a waiter wakes up.
	record *Record
}

// NewKeeper returns a Keeper that holds up to size records in memory, and tells
// observe, which must not block, what happens. observe may be nil.
func NewKeeper(size int, observe func(Event)) *Keeper {
	records, err := lru.New[string, *Record](max(size, 1))
	if err != nil {
		panic(err) // only for a size below 1
	}
	if observe == nil {
		observe = func(Event) {}
	}
	return &Keeper{observe: observe, records: records, flights: make(map[string]*flight)}
}

// Fingerprint returns an identifier of secrets that does not reveal them.
func Fingerprint(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%d:", len(part)) // a hash never fails
		_, _ = io.WriteString(h, part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Token returns an access token that meets the wish as far as Zoho's limits let
// it. Errors: *ThrottledError, *TooLongError, *HeldError and ErrReadOnly, an
// *Error never (a failed call becomes a HeldError), storage errors as they come,
// and the context's own when the caller leaves: the mint goes on without it.
func (k *Keeper) Token(ctx context.Context, a *Account, w Want) (Served, error) {
	arrived := k.landed.Load()
	var flown *flight   // what this read waited for
	var brought *Record // what that brought, to be looked at first
	landed := 0
	for {
		r := brought
		if brought = nil; r == nil {
			r, _ = k.records.Get(a.ID)
		}
		if r == nil {
			var err error
			if r, err = k.record(ctx, a); err != nil {
				return Served{}, err
			}
		}
		d := decide(r, a.Limits, a.Setup, a.Variant, w, time.Now())
		d.served.Warm = d.served.Token != nil && !(r.landed > arrived && r.latest(d.served.Token))
		d.served.Shared = !d.served.Warm && flown != nil && flown.owner != a
		switch {
		case d.err != nil:
			return Served{}, d.err
		case d.ahead:
			_, _ = k.join(ctx, a, r) // and leave it to itself
			return d.served, nil
		case !d.mint:
			return d.served, nil
		case r.landed > arrived && !r.unsaved:
			now := time.Now()
			if t := r.newest(a.Variant, now); t != nil && r.latest(t) {
				s, err := fresh(t, w, now)
				s.Shared = flown != nil && flown.owner != a
				return s, err
			}
		}
		f, err := k.join(ctx, a, r)
		if err != nil {
			return Served{}, err
		}
		if f == nil {
			continue // the record changed meanwhile
		}
		flown = f
		select {
		case <-f.done:
		case <-ctx.Done():
			return Served{}, ctx.Err()
		}
		if f.err == nil && f.owner != nil && f.owner.Variant == a.Variant {
			if landed++; landed > 2 {
				// Tokens that are dead when they arrive: asking on would spend the budget.
				return Served{}, &Error{Kind: Unavailable, Server: a.Client.host(), Sent: true, reason: "access tokens that are dead on arrival; check the clock of this machine"}
			}
		}
		if f.err != nil && AsError(f.err) == nil && !errors.As(f.err, new(*ThrottledError)) {
			return k.makeDo(r, a, w, f.err)
		}
		// What the flight brought, a token or a failure to be waited out, is decided
		// on like any record.
		brought = f.record
	}
}

// makeDo answers a read while storage is in trouble: a live token does, if there
// is one.
func (k *Keeper) makeDo(r *Record, a *Account, w Want, err error) (Served, error) {
	now := time.Now()
	t := r.newest(a.Variant, now)
	if t == nil || w.Demand || r.unsaved {
		return Served{}, err
	}
	return Served{
		Token: t, Next: now.Add(maxBackoff), Held: true,
		Warning: "this access token was minted earlier and still lives, but no new one can be stored",
	}, nil
}

// fresh serves a token that was minted for this read.
func fresh(t *Token, w Want, now time.Time) (Served, error) {
	minTTL := w.MinTTL
	switch left := t.Expires.Sub(now); {
	case w.Demand && left < w.MinTTL:
		return Served{}, &TooLongError{left}
	case !w.Demand:
		minTTL = min(minTTL, t.Lifetime()/2)
	}
	next := t.Expires.Add(-minTTL)
	if w.MaxAge > 0 {
		next = earlier(next, t.Issued.Add(w.MaxAge))
	}
	return Served{Token: t, Next: next}, nil
}

// join returns the flight on the account's grant, and starts a mint if there is
// none: nil if the record is no longer the one that the reader decided on. The
// flight survives its callers, since a lost mint costs a tenth of the budget.
func (k *Keeper) join(ctx context.Context, a *Account, decidedOn *Record) (*flight, error) {
	if f := k.current(a.ID); f != nil {
		return f, nil
	}
	if a.Shelf.ReadOnly() {
		return nil, ErrReadOnly
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if f := k.flights[a.ID]; f != nil {
		return f, nil
	}
	if r, ok := k.records.Peek(a.ID); ok && r != decidedOn {
		return nil, nil
	}
	f := k.take(a.ID)
	f.owner = a
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*a.timeout())
		defer cancel()
		defer k.land(a.ID, f)
		defer func() {
			// A panic here would take every mount of the plugin with it.
			if p := recover(); p != nil {
				f.err = fmt.Errorf("internal fault while minting: %T", p)
			}
		}()
		_, f.err = k.mint(ctx, a)
	}()
	return f, nil
}

func (k *Keeper) current(id string) *flight {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.flights[id]
}

// take registers a flight; k.mu is held and no other flight is under way.
func (k *Keeper) take(id string) *flight {
	f := &flight{done: make(chan struct{})}
	k.flights[id] = f
	return f
}

func (k *Keeper) land(id string, f *flight) {
	k.mu.Lock()
	delete(k.flights, id)
	k.mu.Unlock()
	close(f.done)
}

// alone runs work as the only flight on a grant.
func (k *Keeper) alone(ctx context.Context, id string, work func() error) error {
	for {
		k.mu.Lock()
		f := k.flights[id]
		if f == nil {
			f = k.take(id)
			k.mu.Unlock()
			defer k.land(id, f)
			return work()
		}
		k.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (a *Account) timeout() time.Duration {
	if a.Client.Timeout > 0 {
		return a.Client.Timeout
	}
	return DefaultTimeout
}

func (a *Account) maxLifetime() time.Duration {
	if a.Client.MaxLifetime > 0 {
		return a.Client.MaxLifetime
	}
	return DefaultLifetime
}

// record returns what is known of a grant, from memory or storage.
func (k *Keeper) record(ctx context.Context, a *Account) (*Record, error) {
	if r, ok := k.records.Get(a.ID); ok {
		return r, nil
	}
	k.mu.Lock()
	changes := k.changes
	k.mu.Unlock()
	r, err := a.Shelf.Load(ctx, a.ID)
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = &Record{Version: recordVersion}
		if !a.Connected.IsZero() {
			r.Places = []Place{{At: a.Connected, Until: a.Connected.Add(a.maxLifetime())}}
		}
	}
	// The clock may have been set back since.
	r = r.pruned(a.Limits, a.maxLifetime(), a.timeout(), time.Now())
	k.mu.Lock()
	defer k.mu.Unlock()
	if known, ok := k.records.Get(a.ID); ok {
		return known, nil // a flight or another reader was faster
	}
	if k.changes == changes {
		k.records.Add(a.ID, r)
	}
	return r, nil
}

// mint is the flight: take a place, store it, ask Zoho, store the token.
func (k *Keeper) mint(ctx context.Context, a *Account) (*Token, error) {
	r, err := k.record(ctx, a)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	r = r.pruned(a.Limits, a.maxLifetime(), a.timeout(), now)
	if r.unsaved {
		if now.Sub(r.LastMint) < time.Minute {
			// Nobody has it yet: as good as minted for whoever waits for this flight.
			r.landed = k.landed.Add(1)
		}
		return k.save(ctx, a, r)
	}
	if wait := a.Limits.wait(r.Places, now, 0); wait > 0 {
		return nil, &ThrottledError{Wait: wait}
	}
	// Storing the place may take as long as the call.
	latest := now.Add(2 * a.timeout())
	place := Place{At: latest, Until: latest.Add(a.maxLifetime())}
	r.Places = append(r.Places, place)
	if err := a.Shelf.Save(ctx, a.ID, r); err != nil {
		return nil, fmt.Errorf("storing a place for the mint, before any call to Zoho: %w", err)
	}
	k.put(a.ID, r)

	call, cancel := context.WithDeadline(ctx, latest)
	answer, err := a.Client.Mint(call, a.Grant)
	cancel()
	done := time.Now()
	if err != nil {
		return nil, k.failed(ctx, a, r, AsError(err), now, done)
	}
	k.observe(Event{Account: a, Token: answer.Token, Took: done.Sub(now)})
	if answer.RefreshToken != "" {
		if err := a.Shelf.Rotated(ctx, answer.RefreshToken); err != nil {
			return nil, fmt.Errorf("storing the refresh token that came with a refresh: %w", err)
		}
	}
	next := r.pruned(a.Limits, a.maxLifetime(), a.timeout(), done)
	next.minted(answer, a.Variant)
	next.landed = k.landed.Add(1)
	return k.save(ctx, a, next)
}

// save stores a record that holds a minted token. If that fails the token is kept
// in memory and the next read stores it.
func (k *Keeper) save(ctx context.Context, a *Account, r *Record) (*Token, error) {
	r.unsaved = false
	err := a.Shelf.Save(ctx, a.ID, r)
	r.unsaved = err != nil
	k.put(a.ID, r)
	if err != nil {
		return nil, fmt.Errorf("storing a minted token: %w", err)
	}
	return r.Tokens[len(r.Tokens)-1], nil
}

// put makes a record the one in memory. A record in memory never changes.
func (k *Keeper) put(id string, r *Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++ // what was loaded before must not replace it
	k.records.Add(id, r)
	if f := k.flights[id]; f != nil {
		f.record = r
	}
}

// failed remembers a failed call and returns its error.
func (k *Keeper) failed(ctx context.Context, a *Account, r *Record, e *Error, start, done time.Time) error {
	next := r.pruned(a.Limits, a.maxLifetime(), a.timeout(), done)
	next.missed(e, a.maxLifetime(), done)
	f := &Failure{Kind: e.Kind, About: e.About, Code: e.Code, Text: e.Error(), Since: done.UTC(), Setup: a.Setup, Variant: a.Variant}
	switch e.Kind {
	case Refused:
		f.Until = done.Add(refusedFor)
		if e.About == AboutGrant || e.About == AboutUser {
			// A dead grant takes its access tokens with it. A changed client secret or
			// an organisation left out kills none.
			next.Tokens = nil
		}
	case Throttled:
		f.Until = done.Add(a.Limits.Window)
		if e.RetryAfter > 0 {
			f.Until = done.Add(e.RetryAfter)
		}
	default:
		f.Kind = Unavailable
		if last := r.known(a.Setup, a.Variant); last != nil && last.Kind == Unavailable {
			f.tries = last.tries
		}
		backoff := min(time.Second<<min(f.tries, 10), maxBackoff)
		f.Until = done.Add(backoff/2 + rand.N(backoff/2))
		f.tries++
	}
	f.Until = f.Until.UTC()
	next.remember(f)
	k.put(a.ID, next)
	if f.Kind != Unavailable {
		// Unavailability is not worth a write: after a restart one more call tells.
		if err := a.Shelf.Save(ctx, a.ID, next); err != nil {
			k.observe(Event{Account: a, Err: fmt.Errorf("storing that a call failed: %w", err)})
		}
	}
	k.observe(Event{Account: a, Err: e, Until: f.Until, Took: done.Sub(start)})
	return e
}

// Prove mints once for a grant that is about to be stored, whatever failure is
// being waited out, but never beyond the budget.
func (k *Keeper) Prove(ctx context.Context, a *Account) (*Token, error) {
	var token *Token
	err := k.alone(ctx, a.ID, func() (err error) {
		token, err = k.mint(ctx, a)
		return err
	})
	return token, err
}

// Install makes the token that came with a code the first on its grant's shelf.
func (k *Keeper) Install(ctx context.Context, a *Account, answer Answer) error {
	return k.alone(ctx, a.ID, func() error {
		r := &Record{Version: recordVersion, Places: make([]Place, 1), landed: k.landed.Add(1)}
		r.minted(answer, a.Variant)
		_, err := k.save(ctx, a, r)
		return err
	})
}

// Revoke makes Zoho forget every access token of the account's variant that was
// minted here and still lives. They are handed out no more from the first moment,
// even if Zoho can't be reached; those that could not be revoked are tried again
// by the next Revoke. It returns how many were revoked.
func (k *Keeper) Revoke(ctx context.Context, a *Account) (revoked int, err error) {
	err = k.alone(ctx, a.ID, func() error {
		r, err := k.record(ctx, a)
		if err != nil {
			return err
		}
		next := r.pruned(a.Limits, a.maxLifetime(), a.timeout(), time.Now())
		condemned := next.condemn(a.Variant)
		if len(condemned) == 0 {
			return nil
		}
		if err := a.Shelf.Save(ctx, a.ID, next); err != nil {
			return fmt.Errorf("storing that the tokens are to be revoked: %w", err)
		}
		k.put(a.ID, next)
		var failed error
		gone := map[Secret]bool{}
		for _, t := range condemned {
			if err := a.Client.Revoke(ctx, t.AccessToken, AccessToken); err != nil {
				failed = err
				continue
			}
			gone[t.AccessToken] = true
		}
		revoked = len(gone)
		last := next.pruned(a.Limits, a.maxLifetime(), a.timeout(), time.Now())
		last.Tokens = slices.DeleteFunc(last.Tokens, func(t *Token) bool { return gone[t.AccessToken] })
		k.put(a.ID, last)
		if err := a.Shelf.Save(ctx, a.ID, last); err != nil {
			return fmt.Errorf("storing that the tokens are revoked: %w", err)
		}
		return failed
	})
	return revoked, err
}

// Alone runs work while no mint of the grant is under way, and forgets what is in
// memory of it: work may change or delete the stored record.
func (k *Keeper) Alone(ctx context.Context, id string, work func() error) error {
	return k.alone(ctx, id, func() error {
		defer k.Forget(id)
		return work()
	})
}

// Forget drops a grant from memory: storage was changed by another node.
func (k *Keeper) Forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++
	k.records.Remove(id)
}

// State is what an operator may know of a grant; it holds no secret but Newest's,
// of which only the times are meant to be shown.
type State struct {
	// Newest is the newest live token, or nil.
	Newest *Token
	// LastMint is when a token was last minted; zero if none is known.
	LastMint time.Time
	// MintsLeft is how many mints the budget allows right now.
	MintsLeft int
	// Failure is the last one since a call succeeded, or nil; it is being waited out
	// until its Until.
	Failure *Failure
	// NextMint is when the budget allows the next mint: now, or later.
	NextMint time.Time
	// Tokens are the ones that this engine minted and that still live.
	Tokens []*Token
	// Alive is when the last access token that may have been handed out is dead.
	Alive time.Time
}

// Look returns the state of a grant. It never calls Zoho.
func (k *Keeper) Look(ctx context.Context, a *Account) (State, error) {
	r, err := k.record(ctx, a)
	if err != nil {
		return State{}, err
	}
	now := time.Now()
	r = r.pruned(a.Limits, a.maxLifetime(), a.timeout(), now)
	s := State{
		Newest: r.newest(a.Variant, now), LastMint: r.LastMint, Failure: r.known(a.Setup, a.Variant),
		MintsLeft: a.Limits.left(r.Places, now), NextMint: now.Add(a.Limits.wait(r.Places, now, 0)), Tokens: r.Tokens,
	}
	for _, p := range r.Places {
		if p.Until.After(s.Alive) {
			s.Alive = p.Until
		}
	}
	return s, nil
}
