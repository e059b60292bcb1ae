// What has to be done about grants, and when? Everything at due is looked at each
// minute: what a crash cut short is brought to its end, what is condemned is revoked
// when its time has come, and tried until Zoho agrees.

package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// sweeping is what the sweeps remember of one another.
type sweeping struct {
	mu sync.Mutex
	// empty: storage was seen to hold nothing that is due, and nothing was added
	// since. Idle mounts are not listed again and again.
	empty, running bool
	// writes counts what was added, so that what comes during a sweep is not
	// overlooked.
	writes int
	// waiting is what the last sweep found to be revoked.
	waiting Waiting
	// rests says until when an accounts server that failed is left alone. Only one
	// sweep runs at a time, and this is its alone.
	rests map[string]rest
	// formerNames is when notes of former names were last looked through, and formerLeft
	// whether there may be any.
	formerNames time.Time
	formerLeft  bool
}

// Waiting is the grants that nobody holds any more and that are still to be revoked at
// Zoho: when their tokens have run out, or when Zoho agrees.
type Waiting struct {
	Grants int
	Oldest time.Time // when the first of them was given up; zero without any
}

func (w *Waiting) add(g *Grant) {
	if !g.doomed() || !g.Condemned.Revoke {
		return
	}
	if w.Grants++; w.Oldest.IsZero() || g.Condemned.Since.Before(w.Oldest) {
		w.Oldest = g.Condemned.Since
	}
}

// Waiting returns what the last sweep found, a minute ago at most, at no cost.
func (l *Ledger) Waiting() Waiting {
	l.sweeping.mu.Lock()
	defer l.sweeping.mu.Unlock()
	return l.sweeping.waiting
}

type rest struct {
	until  time.Time
	length time.Duration
}

const (
	// An accounts server that does not revoke is asked again after a minute, then
	// less and less often.
	firstRest = time.Minute
	maxRest   = time.Hour
	// unfinished is longer than any write takes that leaves a doubt: calls of a minute
	// at most, and storage. An older doubt was left by a crash.
	unfinished = 5 * time.Minute
)

func (w *sweeping) added() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.empty = false
	w.writes++
}

// Begin reports whether a sweep is due, and if so claims it.
func (l *Ledger) Begin() bool {
	l.mu.Lock()
	owed := len(l.owed) > 0
	l.mu.Unlock()
	w := &l.sweeping
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running || w.empty && !owed {
		return false
	}
	w.running = true
	return true
}

// Sweep does what can be done. It is claimed with Begin.
func (l *Ledger) Sweep(ctx context.Context, s logical.Storage) {
	w := &l.sweeping
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.running = false
	}()
	l.payDebts(ctx, s, false)
	w.mu.Lock()
	writes := w.writes
	w.mu.Unlock()
	left := l.sweepFormerNames(ctx, s)
	ids, err := s.List(ctx, DuePrefix)
	var waiting Waiting
	if err == nil {
		defer func() {
			if ctx.Err() == nil {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.waiting = waiting
			}
		}()
	}
	w.mu.Lock()
	w.empty = err == nil && len(ids) == 0 && !left && w.writes == writes
	w.mu.Unlock()
	// Told last: no grant waits behind a log line about another.
	var told []func()
	defer func() {
		for _, tell := range told {
			tell()
		}
	}()
	for _, id := range ids {
		if ctx.Err() != nil {
			return
		}
		g, err := l.find(ctx, s, id)
		if err != nil {
			told = append(told, l.notRead(id, err))
			continue
		}
		if g == nil {
			continue
		}
		last := w.rests[g.AccountsURL]
		asked, err := l.consider(ctx, s, g, time.Now().Before(last.until))
		if !asked {
			waiting.add(g)
		}
		switch {
		case err == nil && asked:
			delete(w.rests, g.AccountsURL)
		case err != nil:
			told = append(told, l.notRevoked(ctx, s, g, err, last))
		}
	}
}

// notRead returns what tells that the entry of a grant cannot be read.
func (l *Ledger) notRead(id string, cause error) (tell func()) {
	if store.Unreadable(cause) && !l.damaged.due(id) {
		return func() {}
	}
	return func() { l.log().Warn("what is known of a grant cannot be read", "grant", id, "error", cause) }
}

// notRevoked notes that a grant could not be revoked, and returns what tells of it. last
// is for how long its server rested before.
func (l *Ledger) notRevoked(ctx context.Context, s logical.Storage, g *Grant, cause error, last rest) (tell func()) {
	var wait time.Duration
	if e := zoho.AsError(cause); e == nil || e.Kind == zoho.Refused {
		// Only this grant failed: other grants of the same server are not delayed.
		wait = l.failed(ctx, s, g.ID, cause, after)
	} else {
		wait = min(max(2*last.length, firstRest), maxRest)
		l.sweeping.rests[g.AccountsURL] = rest{time.Now().Add(wait - firstRest/2), wait}
		l.failed(ctx, s, g.ID, cause, func(int) time.Duration { return wait - firstRetry/2 })
	}
	return func() {
		l.log().Warn("a grant is not yet revoked", "credential", g.Name(), "grant", g.ID, "error", cause, "again_in", wait.String())
	}
}

// Name returns the name of a credential that has the grant, or had it; "" if none is known.
func (g *Grant) Name() string {
	switch {
	case g.Condemned != nil:
		return g.Condemned.Name
	case len(g.Holders) > 0:
		return g.Holders[0].Name
	}
	return ""
}

// consider does what is due about one grant; resting tells that its server is left
// alone. asked tells that Zoho was asked, and agreed.
func (l *Ledger) consider(ctx context.Context, s logical.Storage, g *Grant, resting bool) (asked bool, err error) {
	for _, h := range g.Holders {
		behind, err := l.behind(ctx, s, g, h)
		if err != nil {
			return false, err
		}
		if behind && !l.ours(h.Doubt.ID) || h.Doubt != nil && l.overdue(h.Doubt) {
			_, err := l.Settle(ctx, s, g.ID, h.Name, h.Doubt.ID)
			return false, err
		}
	}
	switch {
	case len(g.Holders) > 0, g.Condemned == nil:
		if g.quiet() || g.Uncounted { // a crash came between the two places
			return false, l.tidy(ctx, s, g.ID)
		}
		return false, nil
	case !g.Condemned.Revoke:
		return false, l.Forget(ctx, s, g.ID)
	case resting, g.Condemned.Attempts.waiting(time.Now()):
		return false, nil
	case !g.Condemned.AtOnce:
		var alive time.Time
		// The token that came with its code may be on its way to the record still.
		err := l.world.Alone(ctx, g.ID, func() (err error) {
			alive, _, err = l.lifetimes(ctx, s, g)
			return err
		})
		if err != nil || alive.After(time.Now()) {
			return false, err
		}
	}
	held, err := l.revoke(ctx, s, g.ID)
	if errors.Is(err, ErrUndecided) {
		return false, nil // the next sweep looks again
	}
	return err == nil && !held, err
}

// settleLeft settles what a grant's holders left unsettled: the doubts of a dead process,
// those of this one being for whoever raised them, and who points elsewhere by now.
func (l *Ledger) settleLeft(ctx context.Context, s logical.Storage, g *Grant) error {
	for _, h := range g.Holders {
		switch {
		case h.Doubt == nil:
			if err := l.releaseLeft(ctx, s, g.ID, h.Name); err != nil {
				return err
			}
		case !l.ours(h.Doubt.ID):
			if _, err := l.Settle(ctx, s, g.ID, h.Name, h.Doubt.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleDead settles the doubts of dead processes about a grant, or, if it has no holder,
// about others with its refresh token: a write that a crash cut short connects no credential
// any more. It reports whether the grant is still to be revoked then. Another request may
// settle the same doubts at the same time.
func (l *Ledger) settleDead(ctx context.Context, s logical.Storage, id string) (retired bool, err error) {
	g, err := l.find(ctx, s, id)
	if err != nil || g == nil {
		return false, err
	}
	grants := []*Grant{g}
	if len(g.Holders) == 0 {
		if grants, err = l.twins(ctx, s, g); err != nil {
			return false, err
		}
	}
	for _, each := range grants {
		for _, h := range each.Holders {
			if h.Doubt == nil || l.ours(h.Doubt.ID) {
				continue
			}
			if _, err := l.Settle(ctx, s, each.ID, h.Name, h.Doubt.ID); err != nil {
				return false, err
			}
		}
	}
	g, err = l.find(ctx, s, id)
	return err == nil && g.Retired(), err
}

// releaseLeft releases a grant that a credential had before, if that was not noted yet.
func (l *Ledger) releaseLeft(ctx context.Context, s logical.Storage, id, name string) error {
	return l.world.Still(name, func() error {
		current, former, err := l.world.Grants(ctx, s, name)
		if err != nil || current == nil {
			return err
		}
		former = slices.DeleteFunc(former, func(f Former) bool { return f.ID != id })
		return l.releaseAll(ctx, s, current.ID, former, name, false)
	})
}

// tidy moves a grant to where it belongs.
func (l *Ledger) tidy(ctx context.Context, s logical.Storage, id string) error {
	return l.grants.Locked(id, func() error {
		g, err := l.find(ctx, s, id)
		if err != nil || g == nil {
			return err
		}
		return l.settle(ctx, s, g)
	})
}

// Revoke has Zoho revoke a condemned grant, and forgets it when Zoho agrees. It does
// nothing to a grant that a credential holds, or may come to hold, and reports that. A grant whose
// refresh token another held grant also has is only forgotten, and reported as held. It fails
// with ErrUndecided if another grant with its refresh token may come to be held.
func (l *Ledger) Revoke(ctx context.Context, s logical.Storage, id string) (held bool, err error) {
	held, err = l.revoke(ctx, s, id)
	if held || errors.Is(err, ErrUndecided) {
		retired, failed := l.settleDead(ctx, s, id)
		if failed != nil {
			return held, failed
		}
		if retired { // otherwise a credential holds it, or it is only to be forgotten
			held, err = l.revoke(ctx, s, id)
		}
	}
	if _, asked := err.(*zoho.Error); asked { // an error that wraps it says why Zoho was not asked
		l.failed(ctx, s, id, err, nil)
	}
	return held, err
}

// revoke is Revoke without a note of an attempt that failed.
func (l *Ledger) revoke(ctx context.Context, s logical.Storage, id string) (held bool, err error) {
	var g *Grant
	var forget string
	err = l.grants.Locked(id, func() (err error) {
		if g, err = l.find(ctx, s, id); err != nil || g == nil {
			return err
		}
		if !g.doomed() || !g.Condemned.Revoke {
			held, g = len(g.Holders) > 0, nil
			return nil
		}
		if g.Condemned.Revoking {
			l.beginCall(id)
			return nil
		}
		return l.tokenLocked(g, func() error {
			shared, err := l.shared(ctx, s, g)
			if err != nil {
				return err
			}
			if shared { // another grant has this token and is in use
				if err := l.discount(ctx, s, g); err != nil {
					return err
				}
				held, forget = true, id
				g.Uncounted, g.Condemned.Revoke, g.Condemned.Attempts = false, false, nil
			} else {
				// Stored before Zoho is asked: from here on no credential can acquire it.
				g.Condemned.Revoking = true
			}
			if err := l.putDue(ctx, s, g); err != nil || forget != "" {
				return err
			}
			l.beginCall(id)
			return nil
		})
	})
	if err == nil && forget != "" {
		return held, l.Forget(ctx, s, forget)
	}
	if err != nil || g == nil {
		return held, err
	}
	defer l.endCall(id)
	if err := l.world.Revoke(ctx, s, g); err != nil {
		return false, err
	}
	if err := l.Forget(ctx, s, id); err != nil {
		return false, err
	}
	l.log().Info("grant revoked at Zoho", "credential", g.Condemned.Name)
	return false, nil
}

// Forget deletes what is known of a grant that Zoho has revoked, or that is only to
// be forgotten, once nothing in its record matters.
func (l *Ledger) Forget(ctx context.Context, s logical.Storage, id string) error {
	return l.world.Alone(ctx, id, func() error {
		return l.grants.Locked(id, func() error {
			g, err := l.find(ctx, s, id)
			if err != nil || !g.doomed() {
				return err
			}
			if !g.Condemned.Revoking {
				if g.Condemned.Revoke {
					return nil
				}
				_, matters, err := l.lifetimes(ctx, s, g)
				if err != nil || matters.After(time.Now()) {
					return err
				}
			}
			if g.RefreshToken != "" {
				l.left(id)
			}
			if err := l.world.DropTokens(ctx, s, id); err != nil {
				return fmt.Errorf("forgetting the tokens: %w", err)
			}
			// One that Zoho did not revoke still counts there.
			if g.Condemned.Revoking {
				if err := l.discount(ctx, s, g); err != nil {
					return err
				}
			}
			if err := store.Delete(ctx, s, GrantPrefix+id); err != nil {
				return err
			}
			if err := l.unindex(ctx, s, g); err != nil {
				return err
			}
			if err := cmp.Or(l.unused(ctx, s, g), l.dropFormerNotes(ctx, s, g)); err != nil {
				return err
			}
			return store.Delete(ctx, s, DuePrefix+id)
		})
	})
}

// payDebts tries again to store, or to have revoked, what could be neither. One that
// replaces a grant in use is revoked only if this process is ending: then nobody can
// come to use it any more.
func (l *Ledger) payDebts(ctx context.Context, s logical.Storage, ending bool) {
	l.mu.Lock()
	owed := slices.Collect(maps.Values(l.owed))
	l.mu.Unlock()
	for _, g := range owed {
		if g.Replaces != "" {
			_, err := l.GoOn(ctx, s, *g, g.Holders[0].Name)
			if err != nil && ending && l.world.Revoke(ctx, s, g) == nil {
				l.paid(g.ID)
			}
			continue
		}
		stored := l.grants.Locked(g.ID, func() error {
			if known, err := l.find(ctx, s, g.ID); err != nil || known != nil {
				return err // whatever failed had been done, or was tried again
			}
			return l.putDue(ctx, s, g)
		})
		if stored == nil || l.world.Revoke(ctx, s, g) == nil {
			l.paid(g.ID)
		}
	}
}

// SettleDebts pays them while the process is about to end. It returns when none is
// left, or when the context ends.
func (l *Ledger) SettleDebts(ctx context.Context, s logical.Storage) error {
	for {
		l.payDebts(ctx, s, true)
		l.mu.Lock()
		left := len(l.owed)
		l.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("grants are left that are neither stored nor revoked")
		case <-time.After(time.Second):
		}
	}
}

// Left returns what is known of a condemned grant that nobody holds, after the doubts
// that a dead process left were settled; nil otherwise. Somebody may be about to hold it.
func (l *Ledger) Left(ctx context.Context, s logical.Storage, id string) (*Grant, error) {
	g, err := l.find(ctx, s, id)
	if err != nil || g == nil {
		return nil, err
	}
	if err := l.settleLeft(ctx, s, g); err != nil {
		return nil, err
	}
	if g, err = l.find(ctx, s, id); err != nil || g == nil || g.Condemned == nil || g.Held() {
		return nil, err
	}
	return g, nil
}

// Condemned returns what is known of a condemned grant that nobody holds; nil
// otherwise.
func (l *Ledger) Condemned(ctx context.Context, s logical.Storage, id string) (*Grant, error) {
	g, err := l.find(ctx, s, id)
	if err != nil || !g.doomed() {
		return nil, err
	}
	return g, nil
}

// Pardon has a condemned grant forgotten without revoking it: an operator says that its
// server is gone for ever. What counts of its mints counts on.
func (l *Ledger) Pardon(ctx context.Context, s logical.Storage, id string) error {
	err := l.grants.Locked(id, func() error {
		g, err := l.find(ctx, s, id)
		if err != nil || !g.doomed() {
			return err
		}
		if l.inFlight(id) {
			return ErrInFlight
		}
		g.Condemned.Revoke, g.Condemned.Revoking, g.Condemned.Attempts = false, false, nil
		return l.putDue(ctx, s, g)
	})
	if err != nil {
		return err
	}
	return l.Forget(ctx, s, id)
}
