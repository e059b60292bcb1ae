// How is work on one grant done once, whoever asks? One flight at a time for each
// grant; it outlives its callers, and no lock is held while it flies.

package zoho

import (
	"context"
	"fmt"
	"time"
)

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

// join returns the flight on the account's grant, and starts a mint if there is
// none: nil if the record is no longer the one that the reader decided on. dead, if
// there is one, is a token that the reader's complaint is about. nicer: the reader has a
// token that will do. The
// flight survives its callers, since a lost mint costs a tenth of the budget.
func (k *Keeper) join(ctx context.Context, a *Account, decidedOn *Record, dead *Token, nicer bool) (*flight, error) {
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
		_, f.err = k.mint(ctx, a, dead, mintOptions{nicer: nicer})
	}()
	return f, nil
}

// wait returns true when the flight has landed, and false at a moment until which a
// reader in a hurry waits at most.
func (f *flight) wait(ctx context.Context, hurry bool, until time.Time) (landed bool, err error) {
	var over <-chan time.Time
	if hurry {
		over = time.After(time.Until(until))
	}
	select {
	case <-f.done:
		return true, nil
	case <-over:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
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
