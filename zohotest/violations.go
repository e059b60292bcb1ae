// Violations: what a well-behaved client never does, recorded so that a test can demand that
// there is none.

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
	// SecretInQuery: a client secret, code, verifier or token in a query string, whatever
	// the path and the parameter's name.
	SecretInQuery Kind = "secret in query string"
	// SecretInPath: a secret is a part of a path.
	SecretInPath Kind = "secret in path"
	// SecretInHeader: a secret in a header that is not for it. Authorization takes an access
	// token, or a client's id and secret as Basic.
	SecretInHeader Kind = "secret in header"
	// SecretInState: a secret was sent as state.
	SecretInState Kind = "secret as state"
	// CodeTriedTwice: a code was sent to a token endpoint a second time, even if the first
	// attempt met a fault or the code never existed.
	CodeTriedTwice Kind = "code tried twice"
	// CodeTriedLate: a code was first sent after it had expired.
	CodeTriedLate Kind = "code tried after expiry"
	// WrongMethod: an endpoint was asked with a method it does not have.
	WrongMethod Kind = "wrong method"
	// AuthStyleProbed: a refused call was sent again with the client's id and secret in the other
	// place: a Basic header, or parameters. Zoho takes both (access-token-expiry), so that cannot
	// help, and a client that probes sends every refused call twice.
	AuthStyleProbed Kind = "client authentication tried both ways"
	// WrongDataCenter: a code or token of another data centre was sent here.
	WrongDataCenter Kind = "wrong data center"
	// WrongHost: a path was asked for at the host of another service, for example the token
	// endpoint at the API gateway.
	WrongHost Kind = "wrong host"
	// WrongRedirectURI: a code was exchanged with another redirect URI than it was asked for.
	WrongRedirectURI Kind = "wrong redirect URI"
	// WrongVerifier: the PKCE verifier of an exchange is missing, malformed or of another
	// challenge.
	WrongVerifier Kind = "wrong PKCE verifier"
	// OtherClient: a code, a token or a device code of another client was sent.
	OtherClient Kind = "another client's code or token"
	// NotAForm: the body of a call at the accounts server is no form, for example JSON.
	NotAForm Kind = "body is no form"
	// RefusedCallRepeated: the same call, with the same secrets, was refused although three
	// refusals of it had arrived within the last ten minutes.
	RefusedCallRepeated Kind = "refused call repeated"
	// DeadTokenUsed: an access token was sent to an API ten seconds and more after an API of
	// the same data center had refused it as dead.
	DeadTokenUsed Kind = "dead access token used on"
	// PolledAfterEnd: a device code was polled after the answer that ended it had arrived.
	PolledAfterEnd Kind = "polled after the end"
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
	return slices.Clone(s.violations)
}

// TB is what [Simulator.Check] needs of a *testing.T.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// Check ends a test of a client: it fails the test for each violation, and for each fault that
// no call has met.
func (s *Simulator) Check(t TB) {
	t.Helper()
	for _, v := range s.Violations() {
		t.Errorf("violation: %s", v)
	}
	for _, f := range s.UnmetFaults() {
		t.Errorf("no call met the fault %+v", f)
	}
}

func (s *Simulator) violate(kind Kind, format string, args ...any) {
	s.counts.Violations++
	s.violations = newest(append(s.violations, Violation{Time: s.now(), Kind: kind, Detail: fmt.Sprintf(format, args...)}), keptViolations)
}

// short names a secret in a detail without giving it away.
func short(secret string) string {
	if len(secret) <= 16 {
		return "…"
	}
	return secret[:13] + "…"
}
