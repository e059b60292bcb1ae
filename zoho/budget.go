// When may Zoho be asked for one more token? Two windows over a list of places:
// data and pure functions, no clock and no lock.

package zoho

import (
	"slices"
	"time"
)

// Limits are Zoho's, as this engine respects them.
type Limits struct {
	// Mints is how many access tokens one grant may mint within Window.
	Mints int
	// Window is the length of Zoho's throttle window.
	Window time.Duration
	// Key is what Zoho counts mints by; "" is KeyAuto.
	Key MintKey
	// Live is how many access tokens of one grant live at once; one more silently
	// kills the oldest.
	Live int
}

// DefaultLimits are the strictest that Zoho documents: 10 mints in 10 minutes and
// 10 live access tokens for one refresh token (some products say 15 or 30).
var DefaultLimits = Limits{Mints: 10, Window: 10 * time.Minute, Live: 10}

const (
	// spare is how many places a mint that is only nicer leaves free, so that one
	// that is needed always finds room.
	spare = 2
	// straggle is how much later than it was given up a request may still be served:
	// its token is then younger than one that was asked for afterwards.
	straggle = time.Minute
	// slack covers the rounding of either clock to whole seconds.
	slack = 2 * time.Second
)

// Place is one mint's place in both windows.
type Place struct {
	// At is the latest moment at which Zoho can have counted the mint: when its
	// answer was complete, or, while it is under way, when it would be given up.
	At time.Time `json:"at"`
	// Until is when its access token is surely dead.
	Until time.Time `json:"until"`
	// Lost marks a mint whose answer never arrived. If it made a token, nobody
	// holds it, and Zoho may evict it.
	Lost bool `json:"lost,omitempty"`
	// Pending marks a mint that is under way. In storage it says so until the outcome
	// is stored, which a crash prevents and an unavailable Zoho is not worth.
	Pending bool `json:"pending,omitempty"`
}

// wait returns how long a mint has to wait so that it trips no throttle, evicts no
// token that somebody may hold, and leaves free places in both windows. 0 is now.
func (l Limits) wait(places []Place, now time.Time, free int) time.Duration {
	// When each place is vacated. The room on the stack spares a warm read, which
	// asks this too, any allocation.
	var room [2][40]time.Time
	inWindow, alive := room[0][:0], room[1][:0]
	var oldest time.Time // when the oldest token that somebody may hold was minted
	for _, p := range places {
		if !p.Lost && p.Until.Add(slack).After(now) {
			oldest = p.At
			break
		}
	}
	inWindow = l.inWindow(places, now, inWindow)
	for _, p := range places {
		// Eviction takes the oldest: whatever is older than the first token that
		// somebody may hold goes first and does no harm. Without one that is the token
		// asked for now, and a call that straggles in makes a younger one.
		left := p.Until.Add(slack)
		if p.Lost && !p.Until.After(p.At) {
			continue // Zoho said that it made none
		}
		if oldest.IsZero() {
			left = earlier(left, p.At.Add(straggle))
		} else if !p.At.After(oldest.Add(-straggle)) {
			continue
		}
		if left.After(now) {
			alive = append(alive, left)
		}
	}
	return max(vacancy(inWindow, l.Mints-free, now), vacancy(alive, l.Live-free, now))
}

// inWindow appends to ends when each place leaves the throttle's window that is still in it.
func (l Limits) inWindow(places []Place, now time.Time, ends []time.Time) []time.Time {
	for _, p := range places {
		if left := p.At.Add(l.Window + slack); left.After(now) {
			ends = append(ends, left)
		}
	}
	return ends
}

// vacancy returns how long until fewer than limit of the taken places remain. It
// sorts taken.
func vacancy(taken []time.Time, limit int, now time.Time) time.Duration {
	if len(taken) < limit {
		return 0
	}
	if limit < 1 {
		// Nothing short of a higher limit makes room.
		return 24 * time.Hour
	}
	// Enough of the earliest have to leave.
	slices.SortFunc(taken, time.Time.Compare)
	return taken[len(taken)-limit].Sub(now)
}

// left returns how many mints are allowed at now, one right after the other.
func (l Limits) left(places []Place, now time.Time) int {
	n := 0
	for l.wait(places, now, n) == 0 { // not with all of them set aside
		n++
	}
	return n
}
