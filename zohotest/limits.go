// When does Zoho say no? A window counts successes, refuses the next one and
// blocks; every throttle of the simulator is one of these.

package zohotest

import "time"

// A limit is how many successes fit into how long, and what a refusal costs.
type limit struct {
	n       int           // successes per length; negative: no limit
	length  time.Duration // of the window
	sliding bool          // count the last length instead of windows that start with their first success
	lockout time.Duration // length of a block; 0: until the window has room again
	extend  bool          // a refused attempt starts a whole new block
}

// block is what a refusal costs when it is not simply the rest of the window.
func (l limit) block() time.Duration {
	if l.lockout > 0 {
		return l.lockout
	}
	return l.length
}

// A window is the history of one key. The zero window is empty.
type window struct {
	hits    []time.Time // successes that still count, oldest first
	blocked time.Time   // refused before this moment
	shared  bool        // another program's successes are among the hits, and nobody was told yet that they are too many
}

// admits says whether a success at now would fit. A refusal changes the window:
// it begins a block, or extends it.
func (w *window) admits(now time.Time, l limit) bool {
	if now.Before(w.blocked) {
		if l.extend {
			w.blocked = now.Add(l.block())
		}
		return false
	}
	w.forget(now, l)
	if l.n < 0 || len(w.hits) < l.n {
		return true
	}
	if l.extend || l.lockout > 0 || len(w.hits) == 0 {
		// The block replaces the window: whoever sat it out starts afresh.
		w.blocked = now.Add(l.block())
		w.hits = nil
		return false
	}
	oldest := w.hits[0]
	if l.sliding && l.n > 0 {
		oldest = w.hits[len(w.hits)-l.n] // the first that must leave before there is room
	}
	w.blocked = oldest.Add(l.length)
	return false
}

// block refuses everything from now on, for as long as another program's attempt would have
// blocked, and for longest at most; 0 is no bound.
func (w *window) block(now time.Time, l limit, longest time.Duration) {
	w.forget(now, l)
	if !l.extend && l.lockout == 0 && len(w.hits) > 0 {
		w.blocked = w.hits[0].Add(l.length)
	} else {
		w.blocked, w.hits = now.Add(l.block()), nil
	}
	if longest > 0 && w.blocked.After(now.Add(longest)) {
		w.blocked = now.Add(longest)
	}
}

// take records a success.
func (w *window) take(now time.Time) { w.hits = append(w.hits, now) }

// forget drops what no longer counts. A fixed window starts with its first
// success and is dropped whole; exactly at its end the next one may begin.
func (w *window) forget(now time.Time, l limit) {
	if len(w.hits) == 0 {
		w.shared = false
		return
	}
	if l.n < 0 && len(w.hits) >= 2*keptHits {
		// Nothing is refused. Should a limit be set, the first one says when the
		// window began, and the newest are above any limit.
		w.hits = append(w.hits[:1:1], w.hits[len(w.hits)-keptHits:]...)
	}
	if !l.sliding {
		if !now.Before(w.hits[0].Add(l.length)) {
			w.hits, w.shared = nil, false
		}
		return
	}
	i := 0
	for i < len(w.hits) && !now.Before(w.hits[i].Add(l.length)) {
		i++
	}
	w.hits = w.hits[i:]
}
