// export_test.go: access of the tests to the clock of a source.

package tokensource

import "time"

// StepClock does to the cached token what a step of the machine's clock by d does.
func (s *Source) StepClock(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.wall = s.current.wall.Add(-d)
}

// Unblamed are the kinds of answers with 401 that are not reported, with who has seen
// them.
func Unblamed() (known []string) {
	for _, m := range mismatches {
		known = append(known, m.known)
	}
	return known
}
