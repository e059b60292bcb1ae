// Which codes were sent to Zoho? Each is good for one try, whatever name it is
// written to; a code is dead after ten minutes at the latest.

package backend

import (
	"sync"
	"time"
)

// spentLife is longer than any code lives. Zoho, "self-client": up to ten minutes.
const spentLife = 15 * time.Minute

// spentCodes remembers fingerprints in memory; the last one of each name is in
// storage as well, for a restart.
type spentCodes struct {
	mu sync.Mutex
	at map[string]time.Time
}

// spend reports whether a code is new, and counts it as sent from now on.
func (s *spentCodes) spend(fingerprint string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for old, at := range s.at {
		if now.Sub(at) > spentLife {
			delete(s.at, old)
		}
	}
	if _, spent := s.at[fingerprint]; spent {
		return false
	}
	s.at[fingerprint] = now
	return true
}

// takeBack forgets a code that never left.
func (s *spentCodes) takeBack(fingerprint string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.at, fingerprint)
}
