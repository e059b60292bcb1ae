// What does a reader get: a token at hand, a new one, or an error? A pure function
// of the record, the limits, the wish and the time.

package zoho

import (
	"fmt"
	"time"
)

// Want is a reader's wish.
type Want struct {
	// MaxAge is how old a token may be to be reused; 0 wants a new one each time.
	MaxAge time.Duration
	// MinTTL is how long the token should live on.
	MinTTL time.Duration
	// Demand makes MinTTL a demand: a shorter-lived token is an error then.
	Demand bool
	// Rejected reports whether a token is one that the reader met a refusal with; nil
	// without a complaint. Any other token is as good as a new one then.
	Rejected func(*Token) bool
}

// ever is a max_age that no token reaches.
const ever = 100 * 365 * 24 * time.Hour

// Served is a token with what a reader should know of it.
type Served struct {
	Token *Token
	// Next is when a newer token would be handed out.
	Next time.Time
	// Held is set while something is waited out: then Next is the end of the wait.
	Held bool
	// Warning says why this is not the token that was wished for; "" if it is.
	Warning string
	// Failure is what is waited out, if that is why.
	Failure *Failure
	// Warm tells that the token was at hand when the read arrived.
	Warm bool
	// Shared tells that it was minted by a flight that another read had started.
	Shared bool
}

// warn adds to what a reader should know.
func (s *Served) warn(text string) {
	if text != "" && s.Warning != "" {
		text += "; " + s.Warning
	}
	if text != "" {
		s.Warning = text
	}
}

// decision is what to do about one read.
type decision struct {
	served Served // with a token unless there is an error, or a mint to wait for
	// mint: ask Zoho before answering. ahead: answer, and ask Zoho meanwhile.
	mint, ahead bool
	// enough: with mint, there is a token that does for the while, if Zoho is slow.
	enough bool
	err    error
}

// ThrottledError means that this engine's own budget has no place left.
type ThrottledError struct {
	// Wait is how long until the next mint.
	Wait time.Duration
	// Best is how long the newest live token lives on; 0 if there is none.
	Best time.Duration
	// Shared: the limit is the one that all grants of the client share.
	Shared bool
}

func (e *ThrottledError) Error() string {
	text := fmt.Sprintf("no access token can be minted for another %s without tripping Zoho's limits", whole(e.Wait))
	if e.Shared {
		text += "; all credentials of this client share one limit"
	}
	if e.Best > 0 {
		text += fmt.Sprintf("; the newest one lives %s, so ask for less min_ttl, or come back then", e.Best.Truncate(time.Second))
	}
	return text
}

// TooLongError means that no token of this grant ever lives as long as demanded.
type TooLongError struct{ Lifetime time.Duration }

func (e *TooLongError) Error() string {
	return fmt.Sprintf("min_ttl asks for longer than a new access token lives (%s); ask for less", e.Lifetime.Truncate(time.Second))
}

// HeldError is a failure that is still being waited out.
type HeldError struct {
	Failure Failure
	Wait    time.Duration
}

func (e *HeldError) Error() string { return e.Failure.Text }

func whole(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// surroundings are what concerns more than one grant, and keeps a mint from being made.
type surroundings struct {
	// outage is why the accounts server is not called, nil if it is. due: it may be checked.
	outage *Failure
	due    bool
	// client is the mint limit that the grants of a client share, nil if each has its own.
	client  *clientBudget
	account *Account
}

// wait returns how long a mint has to wait for the limit that grants share, and the throttle
// that is waited out, if that is why. A grant that needs a token gets its turn in the line.
func (s *surroundings) wait(needed bool, now time.Time) (time.Duration, *Failure) {
	if s == nil || s.client == nil {
		return 0, nil
	}
	return s.client.wait(s.account, needed, now)
}

// decide answers a read at now. It allocates nothing when a token at hand is
// served as wished. around is nil if nothing keeps a mint from being made.
func decide(r *Record, l Limits, setup, variant string, epoch uint64, w Want, now time.Time, around *surroundings) decision {
	if w.Rejected != nil {
		w.MaxAge = ever
	}
	t := r.newest(variant, epoch, now)
	var left time.Duration
	minTTL := w.reserve(t)
	if t != nil {
		left = t.Expires.Sub(now)
	}
	enough := t != nil && left >= minTTL

	if f := r.failing(setup, variant, now); f != nil {
		return hold(f, t, enough, w, now)
	}
	if t != nil && w.Demand && t.Lifetime()-slack < w.MinTTL {
		// Minting would not help: part of a life is over when it can be handed out.
		return decision{err: &TooLongError{t.Lifetime() - slack}}
	}
	if r.rotated != "" || len(r.unsaved) > 0 && t != nil {
		// A flight stores it first; no call to Zoho is needed for that.
		return decision{mint: true}
	}
	if w.Rejected != nil && !around.open() {
		return hold(around.outage, t, enough, w, now)
	}
	if enough && w.MaxAge > 0 {
		next := earlier(t.Issued.Add(w.MaxAge), t.Expires.Add(-minTTL))
		if next.After(now) {
			ahead := w.Rejected == nil && !now.Before(next.Add(-next.Sub(t.Issued)/5))
			return decision{
				served: Served{Token: t, Next: next},
				ahead:  ahead && around.open() && l.wait(r.Places, now, spare) == 0 && around.free(now),
			}
		}
	}
	if !around.open() {
		return hold(around.outage, t, enough, w, now)
	}
	free := spare
	if !enough {
		free = 0
	}
	wait := l.wait(r.Places, now, free)
	shared, throttled := around.wait(!enough, now)
	if throttled != nil && throttled.Until.After(now) {
		return hold(throttled, t, enough, w, now)
	}
	wait = max(wait, shared)
	switch {
	case wait == 0 && enough:
		f := r.known(setup, variant)
		if around != nil && around.outage != nil {
			f = around.outage
		}
		if f != nil && f.Kind == Unavailable {
			// Zoho may still be out of reach: whether it is, somebody learns who need
			// not wait for it.
			return decision{served: meanwhile(t, now, olderToken+f.Text, f), ahead: true}
		}
		return decision{mint: true, enough: true}
	case wait == 0:
		return decision{mint: true}
	case enough:
		served := Served{Token: t, Next: t.Expires.Add(-minTTL)}
		if f := r.known(setup, variant); f != nil {
			// The failed calls have used up what may be tried for a token that is only
			// newer.
			served.Next, served.Held, served.Failure, served.Warning = now.Add(wait), true, f, olderToken+f.Text
		}
		return decision{served: served}
	case t != nil && !w.Demand:
		return decision{served: Served{
			Token: t, Next: now.Add(wait), Held: true,
			Warning: fmt.Sprintf("this access token lives only %s: Zoho's limits allow no new one for another %s", whole(left), whole(wait)),
		}}
	}
	return decision{err: &ThrottledError{Wait: wait, Best: left, Shared: shared > 0}}
}

// open reports whether the accounts server may be called.
func (s *surroundings) open() bool { return s == nil || s.outage == nil || s.due }

// free reports whether the limit that grants share allows a mint that is only nicer.
func (s *surroundings) free(now time.Time) bool {
	wait, _ := s.wait(false, now)
	return wait == 0
}

// around puts what concerns more than one grant in s, and returns nil if there is nothing. tried: this read
// has waited for a mint already, and does not wait for another one.
func (k *Keeper) around(a *Account, now time.Time, tried bool, s *surroundings) *surroundings {
	client := k.clients.inForce(a, now)
	f, due, first := k.servers.outage(a, now)
	if f != nil && now.Sub(f.Until) < outageRemembered {
		*s = surroundings{outage: f, due: due || first && !tried, client: client, account: a}
		return s
	}
	if client != nil {
		*s = surroundings{client: client, account: a}
		return s
	}
	return nil
}

// reserve is how long a token has to live on for this wish.
func (w Want) reserve(t *Token) time.Duration {
	if t == nil || w.Demand {
		return w.MinTTL
	}
	// With tokens shorter than expected a wish must not mint on every read.
	return min(w.MinTTL, t.Lifetime()/2)
}

const (
	// patience is how long a reader waits for Zoho who has a token that will do.
	patience = time.Second
	// again is when such a reader should come back for the token that is being minted.
	again = 5 * time.Second
)

// slow is the warning with a token at hand while a newer one is waited for.
const slow = "this access token was minted earlier and still lives; Zoho takes its time to answer for a new one, which a later read will get"

// crowded is the warning while too many others are waited for.
const crowded = "this access token was minted earlier and still lives; too many new ones are being asked for at once, and a later read gets one"

// movedOn is the warning for a reader whose refresh token was replaced.
const movedOn = "this access token was minted earlier and still lives; the refresh token was replaced a moment ago, and a later read gets a new one"

// meanwhile serves a token that will do while the next one is being asked for.
func meanwhile(t *Token, now time.Time, warning string, f *Failure) Served {
	return Served{Token: t, Next: now.Add(again), Held: true, Warm: true, Warning: warning, Failure: f}
}

const olderToken = "this access token was minted earlier and still lives, but no new one can be had: "

// hold answers a read while a failure is waited out.
func hold(f *Failure, t *Token, enough bool, w Want, now time.Time) decision {
	usable := t != nil && (enough || !w.Demand)
	if !usable {
		return decision{err: &HeldError{Failure: *f, Wait: f.Until.Sub(now)}}
	}
	return decision{served: Served{
		Token: t, Next: f.Until, Held: true, Failure: f,
		Warning: olderToken + f.Text,
	}}
}
