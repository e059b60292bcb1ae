// What happens on a flight? A place is taken and stored, Zoho is asked, and what
// comes of it is stored before anybody is answered.

package zoho

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// refusedFor is how long a refusal is believed without asking again.
const refusedFor = 15 * time.Minute

const (
	// longBlock is longer than any block that Zoho's users tell of: about an hour, which
	// each attempt inside it begins anew.
	longBlock = 65 * time.Minute
	// throttlesInARow are sat out a window each; another one means a longer block.
	throttlesInARow = 3
)

// maxBackoff bounds the doubling wait while Zoho is unavailable.
const maxBackoff = time.Minute

// mintOptions tell who asks for a mint.
type mintOptions struct {
	// nicer: whoever asks has a token that will do.
	nicer bool
	// regardless asks Zoho even while an outage is waited out, and before those who wait for
	// their turn: an operator asks.
	regardless bool
}

// mint is the flight: take a place, store it, ask Zoho, store the token. dead, if not
// nil, is a token whose rejection is stored first, or with the place.
func (k *Keeper) mint(ctx context.Context, a *Account, dead *Token, o mintOptions) (*Token, error) {
	r, err := k.record(ctx, a)
	if err != nil || r.successor != nil { // whoever waits asks again with that
		return nil, err
	}
	now := time.Now()
	r = r.pruned(a, now).ended(k.epochs.Load(), a.ID)
	if r.unstored() {
		if now.Sub(r.LastMint) < time.Minute {
			// Nobody has it yet: as good as minted for whoever waits for this flight.
			r.landed = k.landed.Add(1)
		}
		return k.save(ctx, a, r)
	}
	queueing, turned := k.calling(ctx)
	last := r.known(a.Setup, a.Variant)
	admitted, busy := k.servers.of(a).enter(queueing, a, entry{
		doubtful: last != nil && last.Kind == Unavailable, regardless: o.regardless,
		rich: a.Limits.left(r.Places, now) > a.Limits.Mints/2,
	})
	turned()
	called := false
	if busy == nil {
		defer func() {
			if !called {
				admitted.left()
			}
		}()
	}
	if busy != nil || admitted.waited { // another node may have changed the record meanwhile
		if r, err = k.record(ctx, a); err != nil || r.successor != nil {
			return nil, err
		}
		now = time.Now()
		if r = r.pruned(a, now).ended(k.epochs.Load(), a.ID); r.unstored() {
			return nil, nil
		}
	}
	wait := a.Limits.wait(r.Places, now, 0)
	if dead != nil {
		if !r.reject(dead, now) {
			return nil, nil // another complaint was first: whoever waits decides again
		}
		if busy != nil || wait > 0 || k.isClosed() || r.failing(a.Setup, a.Variant, now) != nil {
			return nil, k.mark(ctx, a, r)
		}
	}
	if k.isClosed() {
		return nil, ErrClosed
	}
	if wait > 0 {
		return nil, &ThrottledError{Wait: wait}
	}
	if busy != nil {
		return nil, busy
	}
	if f := r.failing(a.Setup, a.Variant, now); o.regardless && f != nil && f.Kind == Throttled {
		return nil, &HeldError{Failure: *f, Wait: f.Until.Sub(now)} // a try within the block may extend it
	}
	// Storing the place may take as long as the call.
	latest := now.Add(2 * a.timeout())
	client := k.clients.of(a)
	ofClient, err := client.reserve(ctx, a, !o.nicer, o.regardless, now, latest)
	if err != nil {
		if dead != nil {
			return nil, k.mark(ctx, a, r)
		}
		return nil, err
	}
	settled := ofClient == nil
	defer func() {
		if !settled { // after a panic: Zoho may have counted it
			client.ends(*ofClient, time.Now())
		}
	}()
	place := Place{At: latest, Until: latest.Add(a.maxLifetime()), Pending: true}
	r.Places = append(r.Places, place)
	if err := a.Shelf.Save(ctx, a.ID, r); err != nil {
		if ofClient != nil {
			settled = true
			client.ends(*ofClient, time.Time{})
		}
		if dead != nil { // it is believed dead all the same
			r.settle()
			r.dirty = true
			k.put(a.ID, r)
		}
		return nil, fmt.Errorf("storing a place for the mint, before any call to Zoho: %w", err)
	}
	k.put(a.ID, r)

	// After the place is stored: a revocation of all tokens that begins later finds it.
	epoch := k.epoch()
	call, cancel := context.WithDeadline(ctx, latest)
	call, release := k.calling(call)
	answer, err := a.Client.Mint(call, a.Grant)
	release()
	cancel()
	done := time.Now()
	if err != nil && k.stopping.Err() != nil {
		return nil, ErrClosed // Zoho did not fail, and the place is stored
	}
	outage, ended := false, time.Duration(0)
	defer func() { // last: what must happen waits behind no log line
		if ended > 0 {
			k.observe(Event{Account: a, Outage: ended})
		}
	}()
	if done.Before(latest) { // else storage left no time for the call
		called = true
		outage, ended = admitted.done(a, AsError(err), done)
	}
	if err != nil {
		own := len(a.Limits.inWindow(r.Places, now, nil)) - 1
		settled = true
		shared := client.failed(ctx, a, ofClient, AsError(err), own, now, done)
		return nil, k.failed(ctx, a, r, AsError(err), now, done, outage, admitted.check, shared)
	}
	settled = true
	client.minted(a, ofClient, now, done)
	next := r.pruned(a, done)
	next.minted(answer, a, epoch)
	next.landed = k.landed.Add(1)
	next.rotated = answer.RefreshToken
	token, err := k.save(ctx, a, next)
	// Last: what must happen waits behind no log line.
	k.observe(Event{Account: a, Token: answer.Token, Took: done.Sub(now)})
	return token, err
}

// save stores a record with what is not stored of it, and returns the last of the
// tokens among that. If it fails they are kept in memory and the next flight stores
// them before it does anything else.
func (k *Keeper) save(ctx context.Context, a *Account, r *Record) (*Token, error) {
	if r.rotated != "" {
		return k.rotate(ctx, a, r)
	}
	var token *Token
	if n := len(r.unsaved); n > 0 {
		token = r.unsaved[n-1]
	}
	err := a.Shelf.Save(ctx, a.ID, r)
	if err == nil {
		r.unsaved = nil
	}
	k.put(a.ID, r)
	if err != nil {
		return nil, fmt.Errorf("storing a minted token: %w", err)
	}
	return token, nil
}

// put makes a record the one in memory. A record in memory never changes.
func (k *Keeper) put(id string, r *Record) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++ // what was loaded before must not replace it
	k.records.Add(id, r)
	k.keep(id, r, time.Now())
	if f := k.flights[id]; f != nil {
		f.record = r
	}
}

// failed remembers a failed call and returns its error. outage: the failure is the server's,
// which remembers it for all grants. check: it was known before. shared is a throttle of the client's grants, who
// remember it together.
func (k *Keeper) failed(ctx context.Context, a *Account, r *Record, e *Error, start, done time.Time, outage, check bool, shared *Failure) error {
	next := r.pruned(a, done)
	next.missed(e, a.maxLifetime(), done)
	if outage || shared != nil {
		until := done
		if f, _, _ := k.servers.outage(a, done); outage && f != nil {
			until = f.Until
		} else if shared != nil {
			until = shared.Until
		}
		k.put(a.ID, next)
		k.observe(Event{Account: a, Err: e, Until: until, Took: done.Sub(start), Shared: shared != nil, Server: outage && !check, Check: check})
		return e
	}
	f := &Failure{Kind: e.Kind, About: e.About, Code: e.Code, Text: e.Error(), Since: done.UTC(), Setup: a.Setup, Variant: a.Variant}
	switch e.Kind {
	case Refused:
		f.Until = done.Add(refusedFor)
		if e.About == AboutServer { // a filter that is put right need not be waited for
			if last := r.known(a.Setup, a.Variant); last != nil && last.About == AboutServer {
				f.tries = last.tries
			}
			f.Until = done.Add(min(time.Minute<<min(f.tries, 10), refusedFor))
			f.tries++
		}
		if a.Grant.RefreshToken != "" && (e.About == AboutGrant || e.About == AboutUser) {
			// A dead grant takes its access tokens with it. A changed client secret or
			// an organisation left out kills none.
			next.Tokens = nil
		}
	case Throttled:
		t := throttle(e, r.known(a.Setup, a.Variant), a.Limits, start, done)
		f.InARow, f.Until = t.InARow, t.Until
	default:
		f.Kind = Unavailable
		if last := r.known(a.Setup, a.Variant); last != nil && last.Kind == Unavailable {
			f.tries = last.tries
		}
		f.Until = done.Add(a.backoff(next, f.tries, e.RetryAfter, done))
		f.tries++
	}
	f.Until = f.Until.UTC()
	next.remember(f)
	// Unavailability is not worth a write: after a restart one more call tells.
	if f.unstored = f.Kind == Unavailable; !f.unstored {
		if err := a.Shelf.Save(ctx, a.ID, next); err != nil {
			f.unstored, next.dirty = true, true
			k.observe(Event{Account: a, Err: fmt.Errorf("storing that a call failed: %w", err)})
		}
	}
	k.put(a.ID, next)
	k.observe(Event{Account: a, Err: e, Until: f.Until, Took: done.Sub(start)})
	return e
}

// throttle is the failure of a throttled call that began at begun. last is the one before, or
// nil: one that was not sat out before the call is the same block.
func throttle(e *Error, last *Failure, l Limits, begun, now time.Time) *Failure {
	f := &Failure{Kind: Throttled, Text: e.Error(), Since: now.UTC()}
	again := last != nil && last.Kind == Throttled && begun.Sub(last.Until) < longBlock
	same := again && begun.Before(last.Until)
	if again {
		f.InARow = last.InARow
	}
	if again && !same {
		f.InARow++
	}
	switch {
	case e.RetryAfter > 0:
		f.Until = now.Add(e.RetryAfter).UTC()
	case f.InARow%(throttlesInARow+1) == throttlesInARow:
		// Not each time from here on: others may simply be faster.
		f.Until = now.Add(max(longBlock, l.Window)).UTC()
	default:
		f.Until = now.Add(l.Window).UTC()
	}
	if same {
		f.Until = later(f.Until, last.Until)
	}
	return f
}

// backoff is how long a grant waits whose own call failed, though its server answers others.
// Each try may have cost one of Zoho's mints. After half of them the tries are so far apart
// that one is always left for the moment at which Zoho answers again.
func (a *Account) backoff(r *Record, tries int, retryAfter time.Duration, now time.Time) time.Duration {
	wait := min(time.Second<<min(tries, 10), maxBackoff)
	wait = max(wait/2+rand.N(wait/2), min(retryAfter, maxRetryAfter))
	if half := max(1, a.Limits.Mints/2); tries > 0 && a.Limits.left(r.Places, now) <= half {
		wait = max(wait, a.Limits.Window/time.Duration(half))
	}
	return wait
}

// Prove mints once for a grant that is about to be stored. It waits for the end of a throttle,
// with a *HeldError, and of no other failure. It never mints beyond the budget.
func (k *Keeper) Prove(ctx context.Context, a *Account) (*Token, error) {
	var token *Token
	for token == nil {
		if k.follow(a) != a {
			return nil, ErrMoved
		}
		if err := k.alone(ctx, a.ID, func() error {
			r, err := k.record(ctx, a)
			if err != nil {
				return err
			}
			if r.unstored() {
				left, err := k.mint(ctx, a, nil, mintOptions{regardless: true}) // stores what an earlier mint left
				if k.follow(a) != a {
					token = left // the grant moved with that, which proves it as well
				}
				return err
			}
			token, err = k.mint(ctx, a, nil, mintOptions{regardless: true})
			return err
		}); err != nil {
			return nil, k.throttledFor(a, err)
		}
	}
	return token, nil
}

// throttledFor adds to the error of a throttled call how long the throttle is waited out.
func (k *Keeper) throttledFor(a *Account, err error) error {
	e, now := AsError(err), time.Now()
	if e == nil || e.Kind != Throttled {
		return err
	}
	wait := time.Duration(0)
	if r, known := k.records.Peek(a.ID); known {
		if f := r.failing(a.Setup, a.Variant, now); f != nil {
			wait = f.Until.Sub(now)
		}
	}
	if client := k.clients.inForce(a, now); client != nil {
		wait = max(wait, client.blockedFor(now))
	}
	told := *e
	told.RetryAfter = max(e.RetryAfter, wait)
	return &told
}
