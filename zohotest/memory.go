// Memory of what is dead: how many used codes, ended device codes and secrets a
// simulator keeps, so that a long run does not fill the machine's memory.

package zohotest

import "iter"

// What a simulator keeps at least; it keeps at most twice as many. The package
// comment says what an answer is after that.
const (
	keptCodes      = 10_000  // authorization codes and device codes that are used or expired, of each
	keptSecrets    = 100_000 // secrets of [Simulator.Secrets] that are not in use
	keptViolations = 10_000  // the newest of [Simulator.Violations]; exactly so many
	keptHits       = 10_000  // successes in a window without a limit
)

// newest are the last n of a list.
func newest[T any](list []T, n int) []T { return list[max(0, len(list)-n):] }

// A memory keeps values by key: those in use, and at least the newest n others. It
// drops the older half when n keys came in since it last did.
type memory[V any] struct {
	n             int
	inUse         func(key string, value V) bool // nil: none is
	added         int                            // keys since the older half was dropped
	recent, older map[string]V
}

func newMemory[V any](n int, inUse func(string, V) bool) memory[V] {
	return memory[V]{n: n, inUse: inUse, recent: map[string]V{}}
}

func (m *memory[V]) get(key string) (value V, found bool) {
	if value, found = m.recent[key]; !found {
		value, found = m.older[key]
	}
	return value, found
}

// put adds a key. A key that is there already keeps its age.
func (m *memory[V]) put(key string, value V) {
	if _, found := m.recent[key]; found {
		m.recent[key] = value
		return
	}
	if _, found := m.older[key]; found {
		m.older[key] = value
		return
	}
	if m.added >= m.n {
		dropped := m.older
		m.older, m.recent, m.added = m.recent, make(map[string]V, m.n), 0
		for key, value := range dropped {
			if m.inUse != nil && m.inUse(key, value) {
				m.recent[key] = value
			}
		}
	}
	m.recent[key] = value
	m.added++
}

// all are the keys and values, in no order.
func (m *memory[V]) all() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, half := range []map[string]V{m.recent, m.older} {
			for key, value := range half {
				if !yield(key, value) {
					return
				}
			}
		}
	}
}

// drop forgets every value that a function names.
func (m *memory[V]) drop(gone func(V) bool) {
	for _, half := range []map[string]V{m.recent, m.older} {
		for key, value := range half {
			if gone(value) {
				delete(half, key)
			}
		}
	}
}

// sweep forgets access tokens and enhance tokens that have expired, and windows of
// refused refresh tokens that are over. An endpoint answers to each as it does to one
// that never was. It looks at them all, so it does that when their number has doubled.
func (s *Simulator) sweep() {
	held := len(s.accessTokens) + len(s.enhanceTokens) + len(s.refused)
	if held < s.sweepAt {
		return
	}
	now := s.now()
	for _, at := range s.accessTokens {
		s.findAccessToken(at.token) // drops it if it has expired
	}
	for text, et := range s.enhanceTokens {
		if !now.Before(et.expires) || s.refreshTokens[et.parent.token] != et.parent {
			delete(s.enhanceTokens, text)
		}
	}
	limit := s.knobs.mintLimit(s.knobs.Mints)
	for token, w := range s.refused {
		if w.forget(now, limit); len(w.hits) == 0 && !now.Before(w.blocked) {
			delete(s.refused, token)
		}
	}
	s.sweepAt = max(leastSweep, 2*(len(s.accessTokens)+len(s.enhanceTokens)+len(s.refused)))
}

// leastSweep is how many dead tokens are never worth a sweep.
const leastSweep = 1024

// secretInUse says whether a text is a token or code that an endpoint would still take.
func (s *Simulator) secretInUse(text string) bool {
	if s.refreshTokens[text] != nil || s.accessTokens[text] != nil || s.enhanceTokens[text] != nil {
		return true
	}
	if c, found := s.codes.get(text); found {
		return s.codeInUse(c)
	}
	d, found := s.deviceCodes.get(text)
	return found && s.deviceCodeInUse(d)
}

func (s *Simulator) codeInUse(c *code) bool { return !c.used && s.now().Before(c.expires) }

func (s *Simulator) deviceCodeInUse(d *deviceCode) bool { return !d.used && s.now().Before(d.expires) }
