// Who mints, and when? A Keeper: cache, single flight, budget and failure memory
// of every grant, as one type, since each of them is wrong without the others.

package zoho

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Event is something that happened to a grant, or to its accounts server. Without Err, Check
// and Outage it is a mint.
type Event struct {
	Account *Account
	Token   *Token
	Err     error
	// Until is the end of the wait that follows a failure.
	Until time.Time
	// Took is how long the call took.
	Took time.Duration
	// Shared: the throttle concerns all grants of the client. Server: the failure concerns all
	// grants of the accounts server.
	Shared, Server bool
	// Check: the call asked whether the accounts server answers again.
	Check bool
	// Outage is how long the accounts server did not answer; set when it does again.
	Outage time.Duration
}

// Keeper hands out access tokens and mints as few as it can. The zero value is
// not usable; see NewKeeper.
type Keeper struct {
	observe func(Event)
	records *lru.Cache[string, *Record]

	mu      sync.Mutex
	flights map[string]*flight // by Account.ID
	// unstored is, by Account.ID, what the cache must not be the only one to know.
	unstored map[string]*unstored
	servers  servers
	clients  clientBudgets
	swept    time.Time // when what is over of it was last dropped
	closed   bool
	// changes counts invalidations and new records: one loaded before is not cached
	// after.
	changes uint64

	// stopping ends calls that are under way, see Close.
	stopping context.Context
	stop     context.CancelFunc

	// landed counts mints: a token that landed after a reader arrived is as fresh
	// as one minted for it alone.
	landed atomic.Uint64
	// epochs is replaced with mu held.
	epochs atomic.Pointer[Epochs]
}

// NewKeeper returns a Keeper that holds up to size records in memory, and tells observe what
// happens. observe must not block, and is called by several goroutines at once. It may be nil.
func NewKeeper(size int, observe func(Event)) *Keeper {
	records, err := lru.New[string, *Record](max(size, 1))
	if err != nil {
		panic(err) // only for a size below 1
	}
	if observe == nil {
		observe = func(Event) {}
	}
	k := &Keeper{observe: observe, records: records, flights: make(map[string]*flight), unstored: make(map[string]*unstored)}
	k.servers.observe = observe
	k.epochs.Store(&Epochs{})
	k.stopping, k.stop = context.WithCancel(context.Background())
	return k
}

// Token returns an access token that meets the wish as far as Zoho's limits let
// it. Errors: *ThrottledError, *TooLongError, *HeldError, ErrReadOnly, ErrClosed,
// ErrBusy and ErrMoved, an *Error only if tokens are dead on arrival (a failed call becomes a
// HeldError), storage errors as they come, and the context's own when the caller
// leaves: the mint goes on without it.
func (k *Keeper) Token(ctx context.Context, a *Account, w Want) (Served, error) {
	arrived, asked := k.landed.Load(), a
	var flown *flight   // what this read waited for
	var brought *Record // what that brought, to be looked at first
	var hurry time.Time // when a token at hand is served, if there is one
	mints, refused := 0, 0
	for {
		r, waited := brought, brought != nil
		if brought = nil; r == nil {
			var err error
			if r, err = k.record(ctx, a); err != nil {
				return Served{}, err
			}
		}
		if r.successor != nil {
			if a = a.as(r.successor); waited {
				brought = r.successor.record // the cache may have lost it by now
			}
			continue
		}
		now := time.Now()
		var dead *Token // what the reader's complaint is about, if it is believed
		var doubtful string
		if w.Rejected != nil {
			dead, doubtful = w.complaint(r, a.Variant, k.epoch(), now)
		}
		if dead != nil && a.Shelf.ReadOnly() {
			return Served{}, ErrReadOnly
		}
		var around surroundings
		d := decision{mint: true}
		if dead == nil {
			d = decide(r, a.Limits, a.Setup, a.Variant, k.epoch(), w, now, k.around(a, now, flown != nil, &around))
			d.served.warn(doubtful)
		}
		d.served.Warm = d.served.Token != nil && !(r.landed > arrived && r.latest(d.served.Token))
		d.served.Shared = !d.served.Warm && flown != nil && flown.owner != asked
		var f *flight
		switch {
		case d.err != nil:
			// The place that is missing may be the one that a token is being minted for.
			if errors.As(d.err, new(*ThrottledError)) {
				f = k.current(a.ID)
			}
			if f == nil {
				return Served{}, d.err
			}
		case d.ahead && a != asked:
			return d.served, nil
		case d.ahead:
			_, _ = k.join(ctx, a, r, nil, true) // and leave it to itself
			return d.served, nil
		case !d.mint:
			return d.served, nil
		case r.landed > arrived && !r.unstored() && dead == nil:
			if t := r.newest(a.Variant, k.epoch(), now); t != nil && r.latest(t) {
				s, err := fresh(t, w, now)
				s.Shared = flown != nil && flown.owner != asked
				return s, err
			}
		}
		if f == nil && a != asked {
			if s, ok := k.impatient(ctx, r, a, w, movedOn); ok && dead == nil {
				return s, nil
			}
			return Served{}, ErrMoved
		}
		var err error
		if f == nil {
			f, err = k.join(ctx, a, r, dead, d.enough)
		}
		if err != nil {
			return Served{}, err
		}
		if f == nil {
			continue // the record changed meanwhile
		}
		flown = f
		if d.enough && hurry.IsZero() {
			hurry = time.Now().Add(patience)
		}
		landed, err := f.wait(ctx, d.enough, hurry)
		if !landed && err == nil {
			if s, ok := k.impatient(ctx, r, a, w, slow); ok {
				return s, nil
			}
			_, err = f.wait(ctx, false, hurry)
		}
		if err != nil {
			return Served{}, err
		}
		if f.err == nil && f.owner != nil && f.owner.Variant == a.Variant {
			if mints++; mints > 2 {
				// Tokens that are dead when they arrive: asking on would spend the budget.
				return Served{}, &Error{Kind: Unavailable, Server: a.Client.host(), Sent: true, reason: "access tokens that are dead on arrival; check the clock of this machine"}
			}
		}
		if errors.Is(f.err, ErrClosed) {
			return Served{}, ErrClosed
		}
		if errors.Is(f.err, ErrBusy) {
			if s, ok := k.impatient(ctx, r, a, w, crowded); ok && w.Rejected == nil {
				return s, nil
			}
			return Served{}, f.err
		}
		if errors.As(f.err, new(*HeldError)) {
			if refused++; refused > 1 { // what is waited out began again and again
				return k.makeDo(ctx, r, a, w, f.err)
			}
		} else if f.err != nil && AsError(f.err) == nil && !errors.As(f.err, new(*ThrottledError)) {
			if w.Rejected != nil {
				return Served{}, f.err // what there is may be what the complaint is about
			}
			return k.makeDo(ctx, r, a, w, f.err)
		}
		// What the flight brought, a token or a failure to be waited out, is decided
		// on like any record.
		brought = f.record
	}
}

// Warm returns what Token would, if memory alone tells and nothing has to be done: no
// mint, and none ahead. It neither waits nor calls, and the account needs no shelf.
func (k *Keeper) Warm(a *Account, w Want) (Served, bool) {
	r, found := k.records.Get(a.ID)
	if !found || w.Rejected != nil {
		return Served{}, false
	}
	d := decide(r, a.Limits, a.Setup, a.Variant, k.epoch(), w, time.Now(), nil)
	if d.ahead || d.served.Token == nil { // an error, a mint or a successor comes without
		return Served{}, false
	}
	d.served.Warm = true
	return d.served, true
}

// impatient answers a read that does not wait for Zoho, or no longer, if a token does
// meanwhile.
func (k *Keeper) impatient(ctx context.Context, r *Record, a *Account, w Want, warning string) (Served, bool) {
	r, now := k.byNow(ctx, r, a), time.Now()
	t := r.newest(a.Variant, k.epoch(), now)
	if t == nil || t.Expires.Sub(now) < w.reserve(t) || r.unstored() {
		return Served{}, false
	}
	return meanwhile(t, now, warning, nil), true
}

// byNow returns what is known of a grant since r was decided on: a flight, or a
// revocation, may have learned that a token is dead.
func (k *Keeper) byNow(ctx context.Context, r *Record, a *Account) *Record {
	if current, err := k.record(ctx, a); err == nil {
		return current
	}
	return r
}

// makeDo answers a read while storage is in trouble: a live token does, if there
// is one.
func (k *Keeper) makeDo(ctx context.Context, r *Record, a *Account, w Want, err error) (Served, error) {
	r, now := k.byNow(ctx, r, a), time.Now()
	t := r.newest(a.Variant, k.epoch(), now)
	if t == nil || w.Demand && t.Expires.Sub(now) < w.MinTTL || r.unstored() {
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
