// clientBudget: the mint limit of one client, for the case that Zoho counts by client. Zoho's
// pages disagree: ten access tokens in ten minutes for a refresh token, or for an app
// (zoho-oauth, 4 and 14.4). A grant's own count is right in the first case. In the second one
// all grants of a client share ten: then a throttle comes that no grant's own count explains.

package zoho

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// MintKey says what Zoho counts minted access tokens by.
type MintKey string

const (
	// KeyAuto counts by grant until a throttle shows that Zoho counts by client.
	KeyAuto MintKey = "auto"
	// KeyGrant counts by grant, whatever Zoho answers.
	KeyGrant MintKey = "refresh_token"
	// KeyClient counts by client.
	KeyClient MintKey = "client"
)

const (
	// firstShared is how long a client's grants share one limit after a throttle that showed
	// it, if no other throttle comes. It doubles up to maxShared each time that a throttle
	// comes after it.
	firstShared = 6 * time.Hour
	maxShared   = 7 * 24 * time.Hour
	// refutedFor is for how long it is known that Zoho does not count by client, after more
	// tokens than that would allow.
	refutedFor = 24 * time.Hour
	// turnHolds is how much later than it was told a reader may come back without losing its
	// turn.
	turnHolds = 30 * time.Second
)

// ClientRecord is what is stored of a client whose grants share one mint limit.
type ClientRecord struct {
	Version int `json:"version"`
	// Until is when its grants have limits of their own again; zero if they always had.
	Until time.Time `json:"until,omitzero"`
	// Period is how long they shared one the last time.
	Period time.Duration `json:"period,omitempty"`
	// Places are the mints of all grants.
	Places []Place `json:"places,omitempty"`
	// Failure is the throttle that is waited out, until a mint succeeds.
	Failure *Failure `json:"failure,omitempty"`
}

// clientRecordVersion is the format that this code writes.
const clientRecordVersion = 1

// ParseClientRecord reads a stored record. One of a newer format is refused.
func ParseClientRecord(data []byte) (*ClientRecord, error) {
	var r ClientRecord
	err := json.Unmarshal(data, &r)
	if r.Version > clientRecordVersion {
		return nil, ErrNewerFormat
	}
	if err != nil { // the decoder's error may quote what is stored
		return nil, fmt.Errorf("%w: the mint limit of the client is not the JSON this engine writes", ErrDamagedRecord)
	}
	return &r, nil
}

// clientKey tells clients apart.
type clientKey struct{ url, id string }

// clientBudgets has one for each client and accounts server.
type clientBudgets struct {
	mu    sync.Mutex
	known map[clientKey]*clientBudget
	// shared counts those in force, so that a read asks for one only if there is any.
	shared atomic.Int32
}

// clientBudget is one client's. All but the record is in memory only.
type clientBudget struct {
	id     string
	shared *atomic.Int32

	mu      sync.Mutex
	loaded  bool
	counted bool // in shared
	newer   bool // a newer release's record is stored, which is left as it is
	record  ClientRecord
	// recent are the tokens of the last window, whatever grant they are of, oldest first.
	recent []time.Time
	// refuted is when there were last too many for a limit by client.
	refuted time.Time
	// suspect is the grant that was throttled last without being the cause, since then. No
	// other grant got a token by a call that began later.
	suspect string
	since   time.Time
	line    []*waiting
	// met are the grants that the throttle which is waited out has refused since it began.
	met map[string]bool

	// saving serializes writes, without the lock above.
	saving sync.Mutex
}

// waiting is one grant in the line for the next mint.
type waiting struct {
	grant string
	told  time.Time // when its turn comes, as it was last told
}

func (c *clientBudgets) of(a *Account) *clientBudget {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := clientKey{a.Client.AccountsURL, a.Client.ID}
	if b := c.known[key]; b != nil {
		return b
	}
	if c.known == nil {
		c.known = map[clientKey]*clientBudget{}
	}
	if len(c.known) >= knownMost {
		for other, b := range c.known {
			if b.idle(time.Now()) {
				delete(c.known, other)
			}
		}
	}
	b := &clientBudget{id: Fingerprint("client", key.url, key.id), shared: &c.shared}
	c.known[key] = b
	return b
}

// idle reports whether nothing in memory is missed.
func (b *clientBudget) idle(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recount(now)
	return !b.counted && b.pending(now) == nil && len(b.line) == 0
}

// inForce returns the budget of an account's client while its grants share it, or nil.
func (c *clientBudgets) inForce(a *Account, now time.Time) *clientBudget {
	if a.Limits.Key == KeyGrant || a.Limits.Key != KeyClient && c.shared.Load() == 0 {
		return nil
	}
	b := c.of(a)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.inForce(a, now) {
		return nil
	}
	return b
}

// inForce reports whether the client's grants share one limit; b.mu is held.
func (b *clientBudget) inForce(a *Account, now time.Time) bool {
	switch a.Limits.Key {
	case KeyGrant:
		return false
	case KeyClient:
		return true
	}
	return b.record.Until.After(now)
}

// load reads what is stored, once.
func (b *clientBudget) load(ctx context.Context, a *Account, now time.Time) error {
	b.mu.Lock()
	loaded := b.loaded
	b.mu.Unlock()
	if loaded {
		return nil
	}
	r, err := a.Shelf.LoadClient(ctx, b.id)
	newer := errors.Is(err, ErrNewerFormat)
	if err != nil && !newer && !errors.Is(err, ErrDamagedRecord) { // a damaged one is learned again
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.loaded {
		return nil
	}
	b.loaded, b.newer = true, newer
	if r != nil {
		for i := range r.Places { // a process that ended made them
			r.Places[i].Pending = false
		}
		r.Places = append(r.Places, b.record.Places...)
		b.record = *r
	}
	b.prune(a, now)
	return nil
}

// recount keeps the number of budgets in force; b.mu is held.
func (b *clientBudget) recount(now time.Time) {
	if in := b.record.Until.After(now); in != b.counted {
		b.counted = in
		if in {
			b.shared.Add(1)
		} else {
			b.shared.Add(-1)
		}
	}
}

// prune drops what no longer counts, and bounds what a clock that was ahead has stored; b.mu
// is held.
func (b *clientBudget) prune(a *Account, now time.Time) {
	l := a.Limits
	over := func(at time.Time) bool { return !at.Add(l.Window + slack).After(now) }
	b.recent = slices.DeleteFunc(b.recent, func(at time.Time) bool { return over(at) || at.After(now.Add(slack)) })
	b.record.Places = slices.DeleteFunc(b.record.Places, func(p Place) bool { return over(p.At) })
	for i, p := range b.record.Places {
		b.record.Places[i].At = earlier(p.At, now.Add(2*a.timeout()))
	}
	if most := now.Add(maxShared); b.record.Until.After(most) {
		b.record.Until = now.Add(firstShared).UTC()
	}
	if f := b.record.Failure; f != nil && f.Until.After(now.Add(max(longBlock, l.Window, time.Hour))) {
		bounded := *f
		bounded.Until = now.Add(l.Window).UTC()
		b.record.Failure = &bounded
	}
	b.line = slices.DeleteFunc(b.line, func(w *waiting) bool { return now.Sub(w.told) > turnHolds })
	b.recount(now)
}

// wait returns how long a grant has to wait for its turn, 0 if it may mint now. A grant that
// needs a token gets a place in the line; one that has a token which will do gets none, and
// leaves places free. f is the throttle that is waited out, if that is why.
func (b *clientBudget) wait(a *Account, needed bool, now time.Time) (wait time.Duration, f *Failure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prune(a, now)
	return b.turn(a, needed, now)
}

// turn is wait with b.mu held.
func (b *clientBudget) turn(a *Account, needed bool, now time.Time) (wait time.Duration, f *Failure) {
	l := a.Limits
	if f = b.record.Failure; f != nil {
		if wait = f.Until.Sub(now); wait <= 0 {
			// Whether the block is over, one call tells.
			if p := b.pending(now); p != nil {
				wait = max(time.Second, p.At.Sub(now))
			}
		}
		if wait > 0 {
			if needed {
				b.stand(a.ID, now.Add(wait))
			}
			return wait, f
		}
	}
	if !needed {
		if wait = vacancy(l.inWindow(b.record.Places, now, nil), l.Mints-spare, now); len(b.line) > 0 {
			wait = max(again, wait)
		}
		return wait, nil
	}
	at := slices.IndexFunc(b.line, func(w *waiting) bool { return w.grant == a.ID })
	if at < 0 {
		at = len(b.line)
	}
	// As many as the limit wait for the next places. The others come back after a window, to
	// show that they still wait.
	if at >= l.Mints {
		wait = l.Window + slack
	} else {
		wait = vacancy(l.inWindow(b.record.Places, now, nil), l.Mints-at, now)
	}
	if wait > 0 {
		b.stand(a.ID, now.Add(wait))
	}
	return wait, nil
}

// blockedFor is how long a throttle of the client is still waited out.
func (b *clientBudget) blockedFor(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.record.Failure == nil {
		return 0
	}
	return max(0, b.record.Failure.Until.Sub(now))
}

// stand notes that a grant waits, and what it was told; b.mu is held.
func (b *clientBudget) stand(grant string, told time.Time) {
	for _, w := range b.line {
		if w.grant == grant {
			w.told = told
			return
		}
	}
	b.line = append(b.line, &waiting{grant: grant, told: told})
}

// pending returns the place of a mint that is under way, or nil; b.mu is held.
func (b *clientBudget) pending(now time.Time) *Place {
	for i, p := range b.record.Places {
		if p.Pending && p.At.After(now) {
			return &b.record.Places[i]
		}
	}
	return nil
}

// reserve takes a place for one mint and stores it, or returns a *ThrottledError or a
// *HeldError. Without a limit that grants share it does nothing and returns a nil place. front
// is for an operator, who does not wait in the line. Whether a throttle of other grants is one
// of the client is a guess, which one call may disprove; a grant that met it waits for its end.
func (b *clientBudget) reserve(ctx context.Context, a *Account, needed, front bool, now, latest time.Time) (*Place, error) {
	if a.Limits.Key == KeyGrant {
		return nil, nil
	}
	if err := b.load(ctx, a, now); err != nil && a.Limits.Key == KeyClient {
		return nil, err
	}
	b.mu.Lock()
	if !b.inForce(a, now) {
		b.mu.Unlock()
		return nil, nil
	}
	b.prune(a, now)
	var wait time.Duration
	var f *Failure
	switch blocked := b.record.Failure; {
	case !front:
		wait, f = b.turn(a, needed, now)
	case blocked != nil && blocked.Until.After(now) && b.met[a.ID]:
		wait, f = blocked.Until.Sub(now), blocked
	default:
		wait = vacancy(a.Limits.inWindow(b.record.Places, now, nil), a.Limits.Mints, now)
	}
	if wait > 0 {
		b.mu.Unlock()
		if f != nil && f.Until.After(now) {
			return nil, &HeldError{Failure: *f, Wait: wait}
		}
		return nil, &ThrottledError{Wait: wait, Shared: true}
	}
	b.line = slices.DeleteFunc(b.line, func(w *waiting) bool { return w.grant == a.ID })
	p := Place{At: latest, Until: latest, Pending: true}
	b.record.Places = append(b.record.Places, p)
	b.mu.Unlock()
	if err := b.save(ctx, a); err != nil {
		b.ends(p, time.Time{})
		return nil, err
	}
	return &p, nil
}

// ends settles a place; zero gives it back, since Zoho never received the mint.
func (b *clientBudget) ends(p Place, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle(p, at)
}

// settle puts the moment at which Zoho can have counted a mint in its place, or nothing if it
// is zero; b.mu is held.
func (b *clientBudget) settle(p Place, at time.Time) {
	i := slices.Index(b.record.Places, p)
	switch {
	case i < 0:
	case at.IsZero():
		b.record.Places = slices.Delete(b.record.Places, i, i+1)
	default:
		b.record.Places[i] = Place{At: at, Until: at}
	}
}

// minted notes a token. p is the place that was reserved, nil without one; begun is when the
// call began.
func (b *clientBudget) minted(a *Account, p *Place, begun, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prune(a, at)
	b.recent = append(b.recent, at)
	// Windows that begin with their first token allow twice the limit in one that slides.
	most, within := 2*a.Limits.Mints, 0
	for _, t := range b.recent {
		if at.Sub(t) < a.Limits.Window-slack {
			within++
		}
	}
	if within > most {
		b.refuted = at
	}
	if len(b.recent) > 2*most {
		b.recent = slices.Clone(b.recent[len(b.recent)-2*most:])
	}
	if b.suspect != a.ID && begun.After(b.since) {
		b.suspect = "" // a block of the client would have met this grant too
	}
	switch {
	case p != nil:
		b.settle(*p, at)
		if f := b.record.Failure; f != nil && begun.After(f.Since) {
			b.record.Failure, b.met = nil, nil
		}
	case b.inForce(a, at):
		b.record.Places = append(b.record.Places, Place{At: at, Until: at})
	}
}

// failed notes a failed mint. It returns the throttle that it makes for all grants of the
// client, nil if the failure is the grant's or the server's. own counts the grant's own mints
// in the window, begun is when the call began.
func (b *clientBudget) failed(ctx context.Context, a *Account, p *Place, e *Error, own int, begun, now time.Time) *Failure {
	b.mu.Lock()
	if p != nil {
		at := now
		if !e.Sent {
			at = time.Time{}
		}
		b.settle(*p, at)
	}
	b.prune(a, now)
	if e.Kind != Throttled || !b.explains(a, own, now) {
		b.mu.Unlock()
		return nil
	}
	f := throttle(e, b.record.Failure, a.Limits, begun, now)
	b.record.Failure = f
	if b.met == nil || len(b.met) >= knownMost {
		b.met = map[string]bool{}
	}
	b.met[a.ID] = true
	if a.Limits.Key != KeyClient {
		b.widen(now)
	}
	b.mu.Unlock()
	if err := b.save(ctx, a); err != nil {
		return f // memory knows it; the next save stores it
	}
	return f
}

// explains reports whether a limit by client explains a throttle that the grant's own count
// does not. One throttled grant proves nothing: another program may use its refresh token. Two
// do, if no other grant got a token in between. b.mu is held.
func (b *clientBudget) explains(a *Account, own int, now time.Time) bool {
	switch {
	case a.Limits.Key == KeyClient:
		return true
	case a.Limits.Key == KeyGrant, own >= a.Limits.Mints, now.Sub(b.refuted) < refutedFor:
		return false
	}
	if b.suspect != "" && b.suspect != a.ID && now.Sub(b.since) < a.Limits.Window+slack {
		b.since = now
		return true
	}
	b.suspect, b.since = a.ID, now
	return false
}

// widen makes the client's grants share one limit, or go on to; b.mu is held.
func (b *clientBudget) widen(now time.Time) {
	switch {
	case b.record.Until.After(now):
	case b.record.Period > 0 && now.Sub(b.record.Until) < maxShared:
		b.record.Period = min(2*b.record.Period, maxShared)
	default:
		b.record.Period = firstShared
	}
	if !b.record.Until.After(now) {
		for _, at := range b.recent {
			b.record.Places = append(b.record.Places, Place{At: at, Until: at})
		}
	}
	b.record.Until = now.Add(b.record.Period).UTC()
	b.recount(now)
}

// save stores the record as it is now.
func (b *clientBudget) save(ctx context.Context, a *Account) error {
	b.saving.Lock()
	defer b.saving.Unlock()
	b.mu.Lock()
	if b.newer || !b.loaded { // what is stored may say more
		b.mu.Unlock()
		return nil
	}
	r := b.record
	r.Version = clientRecordVersion
	r.Places = slices.Clone(r.Places)
	b.mu.Unlock()
	if err := a.Shelf.SaveClient(ctx, b.id, &r); err != nil {
		return fmt.Errorf("storing the mints of the client, before any call to Zoho: %w", err)
	}
	return nil
}

// ForgetClient drops what is known of a client's mint limit: another node changed it.
func (k *Keeper) ForgetClient(id string) {
	k.clients.mu.Lock()
	defer k.clients.mu.Unlock()
	for _, b := range k.clients.known {
		if b.id == id {
			b.forget(time.Now())
		}
	}
}

// forget drops the record, unless this node is minting: then it writes the record itself.
func (b *clientBudget) forget(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pending(now) == nil {
		b.loaded, b.newer, b.record = false, false, ClientRecord{}
		b.recount(now)
	}
}

// SharedLimit is the mint limit that all grants of a client share.
type SharedLimit struct {
	// Until is when each grant has one of its own again; zero if config says client.
	Until time.Time
	// MintsLeft is how many mints it allows right now, NextMint when it allows the next.
	MintsLeft int
	NextMint  time.Time
	// Waiting is how many grants wait for their turn.
	Waiting int
	// Failure is the throttle that is waited out, or nil.
	Failure *Failure
}

// look returns what an operator may know of the limit.
func (b *clientBudget) look(a *Account, now time.Time) *SharedLimit {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prune(a, now)
	s := &SharedLimit{NextMint: now, Waiting: len(b.line), MintsLeft: max(0, a.Limits.Mints-len(b.record.Places))}
	if a.Limits.Key != KeyClient {
		s.Until = b.record.Until
	}
	if f := b.record.Failure; f != nil && f.Until.After(now) {
		s.Failure, s.MintsLeft, s.NextMint = f, 0, f.Until
	} else if s.MintsLeft == 0 {
		s.NextMint = now.Add(vacancy(a.Limits.inWindow(b.record.Places, now, nil), a.Limits.Mints, now))
	}
	return s
}
