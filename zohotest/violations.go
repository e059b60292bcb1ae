// What did the client do that it must never do? Recorded here, so that a test
// can demand an empty list at its end.

package zohotest

import (
	"fmt"
	"slices"
	"time"
)

// A Kind names a sort of violation.
type Kind string

const (
	// AccessTokenEvicted: an access token that had reached the client died
	// before its time because one more was minted, or with its evicted refresh
	// token; the detail says which.
	AccessTokenEvicted Kind = "access token evicted"
	// RefreshTokenEvicted: one consent too many killed the oldest refresh token.
	RefreshTokenEvicted Kind = "refresh token evicted"
	// ThrottleTripped: a mint above the limit, or any attempt while blocked.
	ThrottleTripped Kind = "throttle tripped"
	// CodeThrottleTripped: one code too many in its window.
	CodeThrottleTripped Kind = "code throttle tripped"
	// SecretInQuery: a client secret, code, verifier or token in a query string.
	SecretInQuery Kind = "secret in query string"
	// CodeTriedTwice: a code was sent to a token endpoint a second time, even
	// if the first attempt met a fault.
	CodeTriedTwice Kind = "code tried twice"
	// CodeTriedLate: a code was first sent after it had expired.
	CodeTriedLate Kind = "code tried after expiry"
	// WrongMethod: an endpoint was asked with a method it does not have.
	WrongMethod Kind = "wrong method"
	// BasicAuth: client id and secret in a header at the token endpoint. Zoho
	// takes it, but a client that probes styles sends every failed call twice.
	BasicAuth Kind = "basic auth at token endpoint"
	// WrongDataCenter: a code or token of another data centre was sent here.
	WrongDataCenter Kind = "wrong data centre"
	// PolledTooFast: a device code was polled before its interval was over.
	PolledTooFast Kind = "polled too fast"
)

// A Violation is something a well-behaved client never does. Details shorten
// every secret.
type Violation struct {
	Time   time.Time `json:"time"` // by the simulator's clock
	Kind   Kind      `json:"kind"`
	Detail string    `json:"detail"`
}

// String is for test failures: "throttle tripped: mint 11 of ...".
func (v Violation) String() string { return string(v.Kind) + ": " + v.Detail }

// Violations are the newest 10,000, oldest first; [Counts.Violations] counts them all.
// A test of a client should end with none.
func (s *Simulator) Violations() []Violation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations[max(0, len(s.violations)-keptViolations):])
}

func (s *Simulator) violate(kind Kind, format string, args ...any) {
	s.counts.Violations++
	if len(s.violations) >= 2*keptViolations {
		s.violations = slices.Clone(s.violations[keptViolations:])
	}
	s.violations = append(s.violations, Violation{Time: s.now(), Kind: kind, Detail: fmt.Sprintf(format, args...)})
}

// short names a secret in a detail without giving it away.
func short(secret string) string {
	if len(secret) <= 16 {
		return "…"
	}
	return secret[:13] + "…"
}
