// Package ledger knows what may become of a grant: who holds it, whether it is
// condemned, whether Zoho is being told. It alone writes and deletes what is stored
// of that, under one lock for each grant; everything else asks.
//
//	   (nothing)
//	       | Keep: Zoho gave it, or Doubt: somebody brings it
//	       v
//	   in doubt <---- Leave: its credential is about to go ----+
//	    |     |                                                |
//	    |     +-- Settle: a credential points to it -------> held
//	    |                                                      |
//	    +-- Settle: none does          Settle: its credential  |
//	    v                              points elsewhere now    |
//	condemned <------------------------------------------------+
//	    |     at once, or when its last token has run out;
//	    |     until then a Doubt and Settle may save it
//	    |
//	    +-- Revoke --> revoking -- Zoho agrees --> (nothing)
//	    |
//	    +-- only to be forgotten, nothing in its record matters --> (nothing)
//
// What a credential points to is the truth, and is changed by one write. A doubt is
// noted before that write and settled after it, by looking at the credential; one
// that a crash left is settled by Sweep. So it does not matter where a crash comes.
//
// A grant about which something has to be done is at due/<id>; one that is simply
// held at grant/<id>. Where both exist, due counts: a change from one to the other
// writes the new place before it deletes the old.
package ledger

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// Prefixes of the keys that the ledger owns.
const (
	DuePrefix   = "due/"   // + grant id: something has to be done
	GrantPrefix = "grant/" // + grant id: held, and nothing to do
	// Format 1 had these; they are read, moved forward and deleted.
	OldRetiredPrefix = "retired/" // + grant id
	OldHolderPrefix  = "holder/"  // + grant id + / + name
)

// Grant is what is known of a grant besides its tokens.
type Grant struct {
	store.Versioned
	ID string `json:"id"`
	// RefreshToken is empty for client credentials: there is nothing to revoke, and
	// whoever has the client holds the grant, so that holders are not noted.
	RefreshToken zoho.Secret `json:"refresh_token,omitempty"`
	ClientID     string      `json:"client_id"`
	AccountsURL  string      `json:"accounts_url"`
	DataCenter   string      `json:"data_center,omitempty"`
	// ZUID is the Zoho user who gave it, where that is known.
	ZUID string `json:"zuid,omitempty"`
	// Uncounted: it is still to be stored that the grant is one of that user's.
	Uncounted bool `json:"uncounted,omitempty"`
	// Replaces is the grant that this one goes on with, after Zoho replaced its refresh
	// token: whoever points to that one has to point to this one.
	Replaces string   `json:"replaces,omitempty"`
	Holders  []Holder `json:"holders,omitempty"`
	// FormerNames are those with a note at FormerPrefix, which goes with the grant.
	FormerNames []string `json:"former_names,omitempty"`
	// Condemned is what is to become of it when nobody holds it.
	Condemned *Sentence `json:"condemned,omitempty"`

	// Variant tells which tokens of client credentials are a credential's; it is not stored.
	Variant string `json:"-"`
	// indexed: the index is known to have this grant.
	indexed bool
}

// Holder is a credential that mints from a grant, or may.
type Holder struct {
	Name  string `json:"name"`
	Held  bool   `json:"held,omitempty"`
	Doubt *Doubt `json:"doubt,omitempty"`
}

// Doubt says that a write is under way, after which the credential points to the
// grant, or does not.
type Doubt struct {
	// ID tells who settles it: a later doubt takes the place of an earlier one.
	ID    string    `json:"id"`
	Since time.Time `json:"since"`
	// Otherwise is what becomes of the grant if the credential does not point to it.
	Otherwise Sentence `json:"otherwise"`
}

// Sentence says how a grant ends.
type Sentence struct {
	// Name is the credential that had it.
	Name  string    `json:"name,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Revoke: at Zoho; otherwise it is only forgotten, when nothing in its record
	// matters any more.
	Revoke bool `json:"revoke,omitempty"`
	// AtOnce: whatever tokens of it still live.
	AtOnce bool `json:"at_once,omitempty"`
	// Revoking: Zoho was told, or is being told. There is no way back.
	Revoking bool `json:"revoking,omitempty"`
	// Attempts is what is known of those that failed; nil without any.
	Attempts *Attempts `json:"attempts,omitempty"`
	// Deleted are the credentials that had client credentials and are gone.
	Deleted []Deleted `json:"deleted,omitempty"`
}

// ErrRevoking means that a grant is lost: Zoho is being told to revoke it.
var ErrRevoking = errors.New("the grant is being revoked")

// ErrInFlight means that a request to Zoho that revokes a grant is not answered yet.
// Until then the grant can be neither given up nor revoked by another request.
var ErrInFlight = errors.New("the accounts server is being asked to revoke the grant right now")

// Former is a grant that a credential pointed to before.
type Former struct {
	Grant
	// Revoke: when its last token has run out; otherwise it is only forgotten.
	Revoke bool
	// Until is when the credential came to point to another.
	Until time.Time
}

// World is the rest of the mount, as the ledger asks it.
type World interface {
	// Grants returns the grant that a credential points to, nil without one, and
	// those that it pointed to before.
	Grants(ctx context.Context, s logical.Storage, name string) (*Grant, []Former, error)
	// Holders returns the names of the credentials that point to a grant, read from storage
	// one by one. A credential that cannot be read is skipped.
	Holders(ctx context.Context, s logical.Storage, id string) ([]string, error)
	// Still runs work while the credential of a name does not change.
	Still(name string, work func() error) error
	// Replace makes a credential, the lock of whose name is held, point to the grant with
	// which its own goes on.
	Replace(ctx context.Context, s logical.Storage, name string, g *Grant) error
	// Remember makes a credential remember a grant that it had before.
	Remember(ctx context.Context, s logical.Storage, name string, f Former) error
	// Revoke asks Zoho once to forget a grant.
	Revoke(ctx context.Context, s logical.Storage, g *Grant) error
	// Tokens returns until when tokens of a grant live that somebody may hold, and
	// from when on nothing in its record matters.
	Tokens(ctx context.Context, s logical.Storage, id string) (alive, matters time.Time, err error)
	// Alone runs work while no token is minted from the grant.
	Alone(ctx context.Context, id string, work func() error) error
	// DropTokens deletes the record of a grant.
	DropTokens(ctx context.Context, s logical.Storage, id string) error
}

// Ledger is the ledger of one mount.
type Ledger struct {
	world World
	log   func() hclog.Logger
	// grants has a lock for each grant, tokens one for each refresh token. Neither is
	// held while Zoho is asked. Order: the flight of a grant, the lock of a credential's
	// name, that of a grant, that of its refresh token.
	grants, tokens *store.Locks
	sweeping       sweeping
	names          dueNames
	damaged        damaged
	// forward is set when storage holds nothing of format 1 any more.
	forward atomic.Bool

	mu sync.Mutex
	// owed are grants that Zoho gave and that storage did not take; nor did Zoho take them
	// back, unless they replace one that is in use.
	owed map[string]*Grant
	// gone are grants that were forgotten a short while ago: a mint that was on its
	// way must not bring a record back that nobody owns.
	gone map[string]time.Time
	// doubts are the unsettled doubts of this process, each with the time when it was
	// raised, by the monotonic clock. Any other doubt was left by an earlier process.
	doubts map[string]time.Time
	// calls counts the requests to Zoho of this process that revoke a grant and are not
	// answered yet, by grant id.
	calls map[string]int
}

// New returns the ledger of a mount.
func New(world World, log func() hclog.Logger) *Ledger {
	return &Ledger{
		world: world, log: log, grants: store.NewLocks(), tokens: store.NewLocks(),
		sweeping: sweeping{rests: map[string]rest{}}, names: dueNames{of: map[string][]string{}}, damaged: damaged{logged: map[string]logged{}}, owed: map[string]*Grant{}, gone: map[string]time.Time{}, doubts: map[string]time.Time{}, calls: map[string]int{},
	}
}

// Keep notes a grant that Zoho has just given for a name, and returns the doubt to
// settle. It writes before it reads: until then the grant is in memory alone. If no
// credential comes to point to it, it is revoked.
//
// Zoho gives a new refresh token for each code. Should it give one that is known, those
// who hold it stay known; lost would be what is due about it, or all with a crash before
// the second write. To read first would leave every grant in memory alone for longer.
func (l *Ledger) Keep(ctx context.Context, s logical.Storage, g Grant, name string) (doubt string, err error) {
	return l.raise(g.ID, Sentence{Name: name, Revoke: true, AtOnce: true}, func(d *Doubt) error {
		l.returned(g.ID)
		g.Holders = nil
		g.doubt(d)
		if err := l.tokenLocked(&g, func() error { return l.putDue(ctx, s, &g) }); err != nil {
			return err
		}
		var quiet Grant
		if err := store.Get(ctx, s, GrantPrefix+g.ID, &quiet); err != nil {
			if errors.Is(err, store.ErrAbsent) {
				return nil
			}
			if !store.Unreadable(err) {
				return err
			}
			known, err := l.rebuild(ctx, s, g, err)
			if err != nil {
				return nil // no credential has it, and it is stored at due by now
			}
			quiet = *known
		}
		quiet.doubt(d)
		return l.putDue(ctx, s, &quiet)
	})
}

// Doubt notes that a credential is about to point to a grant, and returns the doubt
// to settle. It fails with ErrRevoking if the grant is lost already.
func (l *Ledger) Doubt(ctx context.Context, s logical.Storage, g Grant, otherwise Sentence) (doubt string, err error) {
	return l.raise(g.ID, otherwise, func(d *Doubt) error {
		known, err := l.usable(ctx, s, g)
		if err != nil {
			return err
		}
		return l.tokenLocked(known, func() error {
			if revoked, err := l.revoked(ctx, s, known); err != nil || revoked {
				return cmp.Or(err, ErrRevoking)
			}
			known.doubt(d)
			if err := l.putDue(ctx, s, known); err != nil {
				return err
			}
			return l.use(ctx, s, &g, otherwise.Name)
		})
	})
}

// Leave notes that a credential, the lock of whose name is held, is about to go, and
// returns the doubt to settle. Since it points to its grant now, whatever doubt there
// was says nothing any more. It fails with ErrRevoking if the grant is lost already.
func (l *Ledger) Leave(ctx context.Context, s logical.Storage, name string, otherwise Sentence) (doubt string, err error) {
	current, former, err := l.world.Grants(ctx, s, name)
	if err != nil || current == nil {
		return "", err
	}
	// Nobody can tell what it had before when it is gone.
	if err := l.releaseAll(ctx, s, current.ID, former, name, otherwise.Revoke); err != nil {
		return "", err
	}
	return l.raise(current.ID, otherwise, func(d *Doubt) error {
		known, err := l.usable(ctx, s, *current)
		if err != nil {
			return err
		}
		h := known.holder(name)
		h.Held, h.Doubt = true, d
		if known.RefreshToken != "" {
			known.Condemned = nil
		} else {
			// Deleted before, some of its credentials may have left tokens.
			d.Otherwise.deleted(Deleted{Name: name, Variant: current.Variant, Since: time.Now().UTC()})
		}
		return l.putDue(ctx, s, known)
	})
}

// raise has note store a doubt about a grant, as the only change of it. If that fails
// the doubt is left to the sweep: it may be stored all the same.
func (l *Ledger) raise(id string, otherwise Sentence, note func(*Doubt) error) (doubt string, err error) {
	err = l.grants.Locked(id, func() error {
		d := l.newDoubt(otherwise)
		doubt = d.ID
		return note(d)
	})
	if err != nil {
		l.abandon(doubt)
		return "", err
	}
	return doubt, nil
}

// doubt notes a doubt about the credential that its sentence names.
func (g *Grant) doubt(d *Doubt) {
	h := g.holder(d.Otherwise.Name)
	if h.Doubt != nil {
		// Whoever began that one leaves it to us to settle, and its sentence.
		d.Otherwise = d.Otherwise.or(h.Doubt.Otherwise)
	}
	h.Doubt = d
}

// usable returns what is known of a grant, or ErrRevoking if it is lost already. The
// grant's lock is held.
func (l *Ledger) usable(ctx context.Context, s logical.Storage, g Grant) (*Grant, error) {
	known, err := l.load(ctx, s, g)
	if err != nil {
		return nil, err
	}
	if c := known.Condemned; c != nil && c.Revoking {
		return nil, ErrRevoking
	}
	l.returned(g.ID)
	return known, nil
}

// or returns the harder of two sentences. Whoever makes it one that is carried out at
// once is who asks what became of it.
func (c Sentence) or(other Sentence) Sentence {
	if other.AtOnce && !c.AtOnce {
		c.Name = other.Name
	}
	c.Revoke, c.AtOnce = c.Revoke || other.Revoke, c.AtOnce || other.AtOnce
	for _, d := range other.Deleted {
		c.deleted(d)
	}
	return c
}

func (l *Ledger) newDoubt(otherwise Sentence) *Doubt {
	d := &Doubt{ID: rand.Text(), Since: time.Now().UTC(), Otherwise: otherwise}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doubts[d.ID] = time.Now()
	return d
}

// abandon leaves a doubt to the sweep, as if its process were dead: nobody settles it any
// more, or it is settled.
func (l *Ledger) abandon(doubt string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.doubts, doubt)
}

// ours reports whether a doubt is one of this process.
func (l *Ledger) ours(doubt string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ours := l.doubts[doubt]
	return ours
}

// overdue reports whether a doubt is older than any write takes that raises one. Those of
// this process are measured by the monotonic clock: a change of the system clock must not end
// a running write. A doubt that is dated in the future was noted before the clock was set back.
func (l *Ledger) overdue(d *Doubt) bool {
	l.mu.Lock()
	raised, ours := l.doubts[d.ID]
	l.mu.Unlock()
	if ours {
		return time.Since(raised) > unfinished
	}
	return time.Since(d.Since).Abs() > unfinished
}

// Settle looks at where a credential points, and ends a doubt by that: the grant is
// held, or its holder is gone. It reports whether any credential holds it. A doubt
// that is not the last one is left to whoever came later. A credential that points to
// the grant with which this one goes on is made to point to this one first.
func (l *Ledger) Settle(ctx context.Context, s logical.Storage, id, name, doubt string) (held bool, err error) {
	defer l.abandon(doubt)
	client := false
	err = l.world.Still(name, func() (err error) {
		current, former, err := l.world.Grants(ctx, s, name)
		if err != nil {
			return err
		}
		points := current != nil && current.ID == id
		if current != nil && !points {
			if current, former, err = l.replace(ctx, s, id, name, current, former); err != nil {
				return err
			}
			points = current != nil && current.ID == id
		}
		if points {
			if err := l.releaseAll(ctx, s, id, former, name, false); err != nil {
				return err
			}
		}
		defer func() {
			if client && err == nil { // it may have tried scopes that it does not use
				err = l.Unuse(ctx, s, id, name)
			}
		}()
		return l.grants.Locked(id, func() error {
			g, err := l.find(ctx, s, id)
			if points && store.Unreadable(err) {
				held = true
				return l.settleRebuilt(ctx, s, current, err)
			}
			if err != nil || g == nil {
				return err
			}
			client = g.RefreshToken == ""
			held = points || len(g.Holders) > 0
			h := g.holder(name)
			if h.Doubt != nil && h.Doubt.ID != doubt || h.Doubt == nil && (h.Held || !points) {
				return nil
			}
			if points {
				g.hold(h)
				return l.settle(ctx, s, g)
			}
			err = l.settleLeaver(ctx, s, g, name, h.Doubt.Otherwise, former)
			held = len(g.Holders) > 0
			return err
		})
	})
	return held, err
}

// settleRebuilt stores a grant that a credential points to and whose entry cannot be read.
// The grant's lock is held.
func (l *Ledger) settleRebuilt(ctx context.Context, s logical.Storage, current *Grant, cause error) error {
	g, err := l.rebuild(ctx, s, *current, cause)
	if err != nil {
		return err
	}
	return l.settle(ctx, s, g)
}

// settleLeaver ends a doubt about a grant that a credential does not point to. The grant's
// lock is held.
func (l *Ledger) settleLeaver(ctx context.Context, s logical.Storage, g *Grant, name string, otherwise Sentence, former []Former) error {
	for _, f := range former {
		if f.ID == g.ID { // it did come to point to it, and was used
			otherwise = Sentence{Name: name, Revoke: f.Revoke}
		}
	}
	if g.drop(name); !g.Held() {
		g.condemn(otherwise)
	}
	if err := l.noteFormerName(ctx, s, g, name); err != nil {
		return err
	}
	return l.settle(ctx, s, g)
}

// replace makes a credential point to a grant that replaces its own, if it does, and returns
// what it points to then. The lock of its name is held.
func (l *Ledger) replace(ctx context.Context, s logical.Storage, id, name string, current *Grant, former []Former) (*Grant, []Former, error) {
	g, err := l.find(ctx, s, id)
	if err != nil || g == nil || g.Replaces != current.ID || g.Condemned != nil && g.Condemned.Revoking {
		return current, former, err
	}
	if err := l.world.Replace(ctx, s, name, g); err != nil {
		return nil, nil, err
	}
	return l.world.Grants(ctx, s, name)
}

// hold makes a credential a holder of a grant.
func (g *Grant) hold(h *Holder) {
	h.Held, h.Doubt = true, nil
	if g.RefreshToken == "" {
		g.drop(h.Name) // and what is known of credentials that are gone stays
		return
	}
	if c := g.Condemned; c != nil && !c.Revoking {
		g.Condemned = nil
	}
}

// releaseAll releases what a credential pointed to before the grant that it has.
func (l *Ledger) releaseAll(ctx context.Context, s logical.Storage, current string, former []Former, name string, atOnce bool) error {
	for _, f := range former {
		if f.ID == current {
			continue // client credentials with other scopes
		}
		if err := l.release(ctx, s, f, name, atOnce); err != nil {
			return err
		}
	}
	return nil
}

// release notes that a credential points to a former grant no more, which goes when its
// last token has run out, or at once.
func (l *Ledger) release(ctx context.Context, s logical.Storage, f Former, name string, atOnce bool) error {
	return l.grants.Locked(f.ID, func() error {
		g, err := l.find(ctx, s, f.ID)
		if store.Unreadable(err) {
			l.warnDamaged(f.ID, err)
			if f.Variant == "" {
				return nil // its refresh token is nowhere else
			}
			g, err = nil, nil
		}
		if err != nil {
			return err
		}
		if g == nil {
			if f.Revoke {
				return nil // gone
			}
			g = &f.Grant // client credentials, of which only the record is left
		}
		noted := !g.leave(name) && (len(g.Holders) > 0 || g.Condemned != nil)
		if g.RefreshToken == "" { // others may have left tokens of theirs
			noted = g.Condemned != nil && slices.ContainsFunc(g.Condemned.Deleted, func(d Deleted) bool { return d.Name == name && d.Variant == f.Variant })
		}
		if noted && !(atOnce && g.Condemned != nil && !g.Condemned.AtOnce) {
			return nil
		}
		if !g.Held() {
			otherwise := Sentence{Name: name, Revoke: f.Revoke, AtOnce: atOnce}
			if g.RefreshToken == "" {
				otherwise.deleted(Deleted{Name: name, Variant: f.Variant, Since: time.Now().UTC()})
			}
			g.condemn(otherwise)
		}
		if err := l.noteFormerName(ctx, s, g, name); err != nil {
			return err
		}
		return l.settle(ctx, s, g)
	})
}

// Know makes sure that the ledger knows the grant that a credential points to, and
// those before it. The lock of its name is held.
func (l *Ledger) Know(ctx context.Context, s logical.Storage, name string) error {
	current, former, err := l.world.Grants(ctx, s, name)
	if err != nil || current == nil || current.RefreshToken == "" {
		return err
	}
	known, err := l.find(ctx, s, current.ID)
	if err != nil && !store.Unreadable(err) || known != nil && known.indexed && slices.ContainsFunc(known.Holders, func(h Holder) bool { return h.Name == name && h.Held }) {
		return err
	}
	if err := l.releaseAll(ctx, s, current.ID, former, name, false); err != nil {
		return err
	}
	return l.grants.Locked(current.ID, func() error {
		known, err := l.load(ctx, s, *current)
		if err != nil {
			return err
		}
		known.hold(known.holder(name))
		return l.settle(ctx, s, known)
	})
}

// Hasten makes a grant that a credential pointed to go at once. It returns nil if
// nothing is known of it, or if a credential holds it.
func (l *Ledger) Hasten(ctx context.Context, s logical.Storage, id, name string) (hastened *Grant, err error) {
	known, err := l.find(ctx, s, id)
	if err != nil || known == nil {
		return nil, err
	}
	if err := l.settleLeft(ctx, s, known); err != nil {
		return nil, err
	}
	err = l.world.Still(name, func() error {
		current, _, err := l.world.Grants(ctx, s, name)
		if err != nil || current != nil && current.ID == id {
			return err
		}
		return l.grants.Locked(id, func() error {
			g, err := l.find(ctx, s, id)
			if err != nil || g == nil {
				return err
			}
			g.leave(name) // a crash may have come between pointing elsewhere and settling
			if !g.Held() {
				g.condemn(Sentence{Name: name, Revoke: true, AtOnce: true})
			}
			if len(g.Holders) == 0 {
				hastened = g
			}
			return l.settle(ctx, s, g)
		})
	})
	return hastened, err
}

// condemn adds a sentence; of two, the harder counts.
func (g *Grant) condemn(sentence Sentence) {
	sentence.Revoke = sentence.Revoke && g.RefreshToken != ""
	if g.Condemned != nil {
		*g.Condemned = g.Condemned.or(sentence)
		return
	}
	if sentence.Since.IsZero() {
		sentence.Since = time.Now().UTC()
	}
	g.Condemned = &sentence
}

// holder returns the entry of a name, which is made if there is none.
func (g *Grant) holder(name string) *Holder {
	i := slices.IndexFunc(g.Holders, func(h Holder) bool { return h.Name == name })
	if i < 0 {
		i = len(g.Holders)
		g.Holders = append(g.Holders, Holder{Name: name})
	}
	return &g.Holders[i]
}

func (g *Grant) drop(name string) {
	g.Holders = slices.DeleteFunc(g.Holders, func(h Holder) bool { return h.Name == name })
}

// leave notes that a name holds a grant no more, and reports whether it did. One in
// doubt stays, since it is about to point to the grant again.
func (g *Grant) leave(name string) (held bool) {
	i := slices.IndexFunc(g.Holders, func(h Holder) bool { return h.Name == name })
	if i < 0 {
		return false
	}
	held = g.Holders[i].Held
	if g.Holders[i].Held = false; g.Holders[i].Doubt == nil {
		g.drop(name)
		return true
	}
	return held
}

// Held reports whether any credential is known to hold a grant. Where those that may
// come to hold it are all, a sentence stands until one of them does.
func (g *Grant) Held() bool {
	return slices.ContainsFunc(g.Holders, func(h Holder) bool { return h.Held })
}

// doomed reports whether a grant is condemned and nobody holds it, or may; not of nil.
func (g *Grant) doomed() bool { return g != nil && g.Condemned != nil && len(g.Holders) == 0 }

// quiet reports whether nothing has to be done about a grant.
func (g *Grant) quiet() bool {
	return g.Condemned == nil && !g.Uncounted && !slices.ContainsFunc(g.Holders, func(h Holder) bool { return h.Doubt != nil })
}

// find returns what is stored of a grant, nil if nothing is. The grant's lock is
// held, or the answer is only to be looked at.
func (l *Ledger) find(ctx context.Context, s logical.Storage, id string) (*Grant, error) {
	generation := l.names.generation()
	for _, prefix := range []string{DuePrefix, GrantPrefix} {
		var g Grant
		err := store.Get(ctx, s, prefix+id, &g)
		if err == nil {
			if prefix == DuePrefix {
				l.names.found(&g, generation)
			}
			g.indexed = prefix == GrantPrefix || l.isIndexed(&g)
			return &g, nil
		}
		if !errors.Is(err, store.ErrAbsent) {
			return nil, err
		}
	}
	return nil, nil
}

// load returns what is stored of a grant, or what is known of it otherwise.
func (l *Ledger) load(ctx context.Context, s logical.Storage, g Grant) (*Grant, error) {
	known, err := l.find(ctx, s, g.ID)
	if store.Unreadable(err) {
		return l.rebuild(ctx, s, g, err)
	}
	if err != nil || known != nil {
		return known, err
	}
	known = &g
	known.Holders, known.Condemned, known.Uncounted = nil, nil, known.ZUID != "" && known.RefreshToken != ""
	return known, l.oldHolders(ctx, s, known)
}

// settle stores a grant where it belongs: at due while something has to be done,
// then at grant, or nowhere if nobody holds it.
func (l *Ledger) settle(ctx context.Context, s logical.Storage, g *Grant) error {
	if g.Uncounted && l.count(ctx, s, g) != nil {
		g.Uncounted = true // the sweep tries again; nothing else waits for it
	}
	if !g.quiet() {
		if err := l.putDue(ctx, s, g); err != nil {
			return err
		}
		return store.Delete(ctx, s, GrantPrefix+g.ID)
	}
	if len(g.Holders) > 0 {
		if !g.indexed && g.RefreshToken != "" {
			if err := l.putDue(ctx, s, g); err != nil {
				return err
			}
		}
		if err := store.Put(ctx, s, GrantPrefix+g.ID, g); err != nil {
			return err
		}
	} else if err := store.Delete(ctx, s, GrantPrefix+g.ID); err != nil {
		return err
	}
	return store.Delete(ctx, s, DuePrefix+g.ID)
}

// Get returns what is known of a grant, nil if nothing is.
func (l *Ledger) Get(ctx context.Context, s logical.Storage, id string) (*Grant, error) {
	return l.find(ctx, s, id)
}

// Owe remembers a grant that could neither be stored nor revoked. Sweep goes on
// trying both for as long as this process lives.
func (l *Ledger) Owe(g Grant, name string) {
	g.Holders, g.Condemned = nil, &Sentence{Name: name, Since: time.Now().UTC(), Revoke: true, AtOnce: true}
	l.owe(&g)
}

func (l *Ledger) owe(g *Grant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owed[g.ID] = g
}

func (l *Ledger) paid(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.owed, id)
}

// Gone reports whether a grant was forgotten a short while ago.
func (l *Ledger) Gone(id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, gone := l.gone[id]
	return gone
}

// left notes that a grant was forgotten; returned that it is known again.
func (l *Ledger) left(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for old, at := range l.gone {
		if now.Sub(at) > unfinished {
			delete(l.gone, old)
		}
	}
	l.gone[id] = now
}

func (l *Ledger) returned(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.gone, id)
}
