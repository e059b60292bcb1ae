// Retired grants: those that no credential holds any more and that are still to be
// revoked at Zoho. An operator can list them, retry one, and give one up.

package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// ErrHeld means that a credential holds a grant, or is about to.
var ErrHeld = errors.New("a credential uses the grant, or another request is connecting a credential with it")

// ErrNotRetired means that no such grant waits to be revoked.
var ErrNotRetired = errors.New("no such grant is retired")

// Attempts is what is known of the attempts to revoke a grant at Zoho.
type Attempts struct {
	Count int `json:"count"`
	// Refusals are the attempts that Zoho refused or that failed in storage: the wait
	// doubles with each. An outage of the server does not lengthen the wait of a grant.
	Refusals int       `json:"refusals,omitempty"`
	Next     time.Time `json:"next,omitzero"` // not before then, but for a retry by hand
	Error    string    `json:"error"`         // of the last one
}

const (
	firstRetry = time.Minute
	maxRetry   = 24 * time.Hour
)

// after returns how long to wait after so many refusals: half a minute
// less than a whole number of minutes, since the sweep runs once a minute.
func after(refusals int) time.Duration {
	return min(firstRetry<<min(max(refusals, 1)-1, 12), maxRetry) - firstRetry/2
}

// waiting reports whether the next attempt is not due yet. One that is further away than
// any wait is long was noted before the clock was set back.
func (a *Attempts) waiting(now time.Time) bool {
	return a != nil && a.Next.After(now) && a.Next.Sub(now) <= maxRetry
}

// beginCall notes that this process is about to ask Zoho to revoke a grant, whose lock is
// held. endCall notes that the call is over, and its result stored.
func (l *Ledger) beginCall(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[id]++
}

func (l *Ledger) endCall(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls[id]--; l.calls[id] <= 0 {
		delete(l.calls, id)
	}
}

// inFlight reports whether this process is asking Zoho to revoke a grant, whose lock is
// held. A mark that another process stored is of a call that ended with that process.
func (l *Ledger) inFlight(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls[id] > 0
}

// failed notes that an attempt to revoke a grant failed. wait returns how long to wait
// after so many refusals; it is nil for an attempt that a request asked for. The note is lost if storage fails too.
func (l *Ledger) failed(ctx context.Context, s logical.Storage, id string, cause error, wait func(refusals int) time.Duration) (waits time.Duration) {
	text := "storage failed; see Vault's log"
	e := zoho.AsError(cause)
	if e != nil {
		text = e.Error()
	}
	_ = l.grants.Locked(id, func() error {
		g, err := l.find(ctx, s, id)
		if err != nil || !g.doomed() || !g.Condemned.Revoke {
			return err
		}
		a := Attempts{Count: 1, Error: text}
		if wait != nil && (e == nil || e.Kind == zoho.Refused) {
			a.Refusals = 1
		}
		if last := g.Condemned.Attempts; last != nil {
			a.Count, a.Refusals = a.Count+last.Count, a.Refusals+last.Refusals
		}
		if wait != nil {
			waits = wait(a.Refusals)
			a.Next = time.Now().UTC().Add(waits)
		}
		g.Condemned.Attempts = &a
		return l.putDue(ctx, s, g)
	})
	return waits
}

// Retired reports whether a grant is retired: no credential uses it or is about to, and it
// is still to be revoked at Zoho.
func (g *Grant) Retired() bool { return g.doomed() && g.Condemned.Revoke }

// Retry asks Zoho now to revoke a retired grant, and forgets earlier attempts.
func (l *Ledger) Retry(ctx context.Context, s logical.Storage, id string) error {
	err := l.decide(ctx, s, id, func(g *Grant) { g.Condemned.AtOnce, g.Condemned.Attempts = true, nil })
	if err != nil {
		return err
	}
	held, err := l.Revoke(ctx, s, id)
	if err == nil && held || errors.Is(err, ErrUndecided) {
		return ErrHeld
	}
	return err
}

// GiveUp forgets a retired grant without revoking it at Zoho, and returns what was known
// of it: nil if its entry cannot be read, which is deleted then.
func (l *Ledger) GiveUp(ctx context.Context, s logical.Storage, id string) (given *Grant, err error) {
	err = l.decide(ctx, s, id, func(g *Grant) {
		known := *g
		given = &known
		g.Condemned.Revoke, g.Condemned.Revoking, g.Condemned.Attempts = false, false, nil
	})
	if store.Unreadable(err) {
		return nil, l.giveUpUnreadable(ctx, s, id)
	}
	if err != nil {
		return nil, err
	}
	return given, l.Forget(ctx, s, id)
}

// decide stores a decision about a retired grant; it fails with ErrHeld, ErrNotRetired
// or ErrInFlight.
func (l *Ledger) decide(ctx context.Context, s logical.Storage, id string, change func(*Grant)) error {
	g, err := l.find(ctx, s, id)
	if err != nil {
		return err
	}
	if g != nil { // what a dead process left may not be noted yet
		if err := l.settleLeft(ctx, s, g); err != nil {
			return err
		}
	}
	return l.grants.Locked(id, func() error {
		g, err := l.find(ctx, s, id)
		switch {
		case err != nil:
			return err
		case g != nil && len(g.Holders) > 0:
			return ErrHeld
		case !g.Retired():
			return ErrNotRetired
		case l.inFlight(id):
			return ErrInFlight
		}
		change(g)
		return l.putDue(ctx, s, g)
	})
}
