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

// clientBudgets has one for each client and accounts server.
type clientBudgets struct {
	mu    sync.Mutex
	known map[string]*clientBudget
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
	// suspect is the grant that was throttled last without being the cause, since then.
	suspect string
	since   time.Time
	line    []*waiting

	// saving serializes writes, without the lock above.
	saving sync.Mutex
}

// waiting is one grant in the line for the next mint.
type waiting struct {
	grant string
	told  time.Time // when its turn comes, as it was last told
}

// clientID identifies the budget of an account's client.
func (a *Account) clientID() string { return Fingerprint("client", a.Client.AccountsURL, a.Client.ID) }

func (c *clientBudgets) of(a *Account) *clientBudget {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := a.clientID()
	if c.known == nil {
		c.known = map[string]*clientBudget{}
	}
	b := c.known[id]
	if b == nil {
		b = &clientBudget{id: id, shared: &c.shared}
		c.known[id] = b
	}
	return b
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
		for i, p := range r.Places { // a process that ended made them
			r.Places[i].Pending = false
			r.Places[i].At = earlier(p.At, now.Add(2*a.timeout())) // the clock was set back
		}
		r.Places = append(r.Places, b.record.Places...)
		b.record = *r
	}
	b.recount(now)
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

// prune drops what no longer counts; b.mu is held.
func (b *clientBudget) prune(l Limits, now time.Time) {
	over := func(at time.Time) bool { return !at.Add(l.Window + slack).After(now) }
	b.recent = slices.DeleteFunc(b.recent, over)
	b.record.Places = slices.DeleteFunc(b.record.Places, func(p Place) bool { return over(p.At) })
	b.line = slices.DeleteFunc(b.line, func(w *waiting) bool { return now.Sub(w.told) > turnHolds })
	b.recount(now)
}

// wait returns how long a grant has to wait for its turn, 0 if it may mint now. A grant that
// needs a token gets a place in the line; one that has a token which will do gets none, and
// leaves places free. f is the throttle that is waited out, if that is why.
func (b *clientBudget) wait(a *Account, needed bool, now time.Time) (wait time.Duration, f *Failure) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prune(a.Limits, now)
	return b.turn(a, needed, now)
}

// turn is wait with b.mu held.
func (b *clientBudget) turn(a *Account, needed bool, now time.Time) (wait time.Duration, f *Failure) {
	l := a.Limits
	if f := b.record.Failure; f != nil {
		if f.Until.After(now) {
			return f.Until.Sub(now), f
		}
		// Whether the block is over, one call tells.
		if pending := b.pending(); pending != nil {
			return max(time.Second, pending.At.Sub(now)), f
		}
	}
	taken := make([]time.Time, 0, len(b.record.Places))
	for _, p := range b.record.Places {
		taken = append(taken, p.At.Add(l.Window+slack))
	}
	if !needed {
		if len(b.line) > 0 {
			return max(again, vacancy(taken, l.Mints-spare, now)), nil
		}
		return vacancy(taken, l.Mints-spare, now), nil
	}
	at := slices.IndexFunc(b.line, func(w *waiting) bool { return w.grant == a.ID })
	if at < 0 {
		at = len(b.line)
	}
	// The first limit of the line wait for as many places, the next ones for a window more.
	rounds := at / max(l.Mints, 1)
	wait = vacancy(taken, l.Mints-at%max(l.Mints, 1), now) + time.Duration(rounds)*(l.Window+slack)
	switch {
	case wait <= 0:
		return 0, nil
	case at == len(b.line):
		b.line = append(b.line, &waiting{grant: a.ID, told: now.Add(wait)})
	default:
		b.line[at].told = now.Add(wait)
	}
	return wait, nil
}

// pending returns the place of a mint that is under way, or nil; b.mu is held.
func (b *clientBudget) pending() *Place {
	for i, p := range b.record.Places {
		if p.Pending {
			return &b.record.Places[i]
		}
	}
	return nil
}

// reserve takes a place for one mint and stores it, or returns a *ThrottledError or a
// *HeldError. Without a limit that grants share it does nothing and returns a nil place.
func (b *clientBudget) reserve(ctx context.Context, a *Account, needed, front bool, now, latest time.Time) (*Place, error) {
	if err := b.load(ctx, a, now); err != nil {
		return nil, err
	}
	b.mu.Lock()
	if !b.inForce(a, now) {
		b.mu.Unlock()
		return nil, nil
	}
	b.prune(a.Limits, now)
	if front { // an operator's, who does not come back by itself
		line := b.line
		b.line = nil
		defer func() { b.line = append(line, b.line...) }()
	}
	if wait, f := b.turn(a, needed, now); wait > 0 {
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
		b.cancel(p)
		return nil, err
	}
	return &p, nil
}

// cancel gives a place back whose mint Zoho never received.
func (b *clientBudget) cancel(p Place) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle(p, time.Time{})
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

// minted notes a token. p is the place that was reserved, nil without one.
func (b *clientBudget) minted(a *Account, p *Place, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prune(a.Limits, at)
	b.recent = append(b.recent, at)
	// Windows that begin with their first token allow twice the limit in one that slides.
	if most := 2 * a.Limits.Mints; len(b.recent) > most {
		b.refuted = at
		b.recent = b.recent[len(b.recent)-most-1:]
	}
	switch {
	case p != nil:
		b.settle(*p, at)
		b.record.Failure = nil
	case b.inForce(a, at):
		b.record.Places = append(b.record.Places, Place{At: at, Until: at})
	}
}

// failed notes a failed mint. It returns the throttle that it makes for all grants of the
// client, nil if the failure is the grant's or the server's. own counts the grant's own mints
// in the window.
func (b *clientBudget) failed(ctx context.Context, a *Account, p *Place, e *Error, own int, now time.Time) *Failure {
	b.mu.Lock()
	if p != nil {
		at := now
		if !e.Sent {
			at = time.Time{}
		}
		b.settle(*p, at)
	}
	b.prune(a.Limits, now)
	if e.Kind != Throttled || !b.inForce(a, now) && !b.explains(a, own, now) {
		b.mu.Unlock()
		return nil
	}
	f := throttle(e, b.record.Failure, a.Limits, now)
	b.record.Failure = f
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
// does not; b.mu is held.
func (b *clientBudget) explains(a *Account, own int, now time.Time) bool {
	if a.Limits.Key == KeyGrant || own >= a.Limits.Mints || now.Sub(b.refuted) < refutedFor {
		return false
	}
	if len(b.recent) >= a.Limits.Mints {
		return true
	}
	// Other programs use the client as well: two grants are throttled at a time.
	if b.suspect != "" && b.suspect != a.ID && now.Sub(b.since) < a.Limits.Window {
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
	if b.newer {
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
	b := k.clients.known[id]
	k.clients.mu.Unlock()
	if b != nil {
		b.mu.Lock()
		b.loaded, b.record = false, ClientRecord{}
		b.mu.Unlock()
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
	b.prune(a.Limits, now)
	s := &SharedLimit{NextMint: now, Waiting: len(b.line), MintsLeft: max(0, a.Limits.Mints-len(b.record.Places))}
	if a.Limits.Key != KeyClient {
		s.Until = b.record.Until
	}
	if f := b.record.Failure; f != nil && f.Until.After(now) {
		s.Failure, s.MintsLeft, s.NextMint = f, 0, f.Until
	} else if s.MintsLeft == 0 {
		taken := make([]time.Time, 0, len(b.record.Places))
		for _, p := range b.record.Places {
			taken = append(taken, p.At.Add(a.Limits.Window+slack))
		}
		s.NextMint = now.Add(vacancy(taken, a.Limits.Mints, now))
	}
	return s
}
