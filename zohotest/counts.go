// How often was what asked, and with what outcome?

package zohotest

import "maps"

// Counts are the simulator's counters. Calls are counted when they arrive,
// whatever becomes of them; outcomes are counted when the ledger changes, also
// if the answer is then lost.
type Counts struct {
	// Calls that arrived.

	AuthCalls   int            `json:"auth_calls"`   // at the authorization endpoint and its page
	TokenCalls  int            `json:"token_calls"`  // at the token endpoint, whatever the grant
	RevokeCalls int            `json:"revoke_calls"` // at both revocation endpoints
	APICalls    int            `json:"api_calls"`    // at resource APIs
	DeviceCalls int            `json:"device_calls"` // at both device endpoints
	ByEndpoint  map[string]int `json:"by_endpoint"`  // by the names that [Fault.Endpoint] takes
	ByGrant     map[string]int `json:"by_grant"`     // calls of token endpoints by grant_type

	// Outcomes.

	Consents          int `json:"consents"`           // codes given out
	Rejections        int `json:"rejections"`         // consents refused by the user
	Exchanges         int `json:"exchanges"`          // codes exchanged
	Refreshes         int `json:"refreshes"`          // access tokens from refresh tokens
	ClientCredentials int `json:"client_credentials"` // access tokens from client credentials
	DeviceGrants      int `json:"device_grants"`      // device codes completed
	Enhancements      int `json:"enhancements"`       // refresh tokens that gained scopes
	Minted            int `json:"minted"`             // access tokens, from whatever grant
	Issued            int `json:"issued"`             // refresh tokens
	Undelivered       int `json:"undelivered"`        // answers with tokens that never arrived
	Revocations       int `json:"revocations"`        // tokens revoked over the wire
	KilledByRevoke    int `json:"killed_by_revoke"`   // delivered access tokens that died early with a revoked refresh token
	EvictedAccess     int `json:"evicted_access"`     // access tokens evicted while alive
	EvictedRefresh    int `json:"evicted_refresh"`    // refresh tokens evicted
	Throttled         int `json:"throttled"`          // token calls refused by a throttle
	Refused           int `json:"refused"`            // token and revocation calls refused for another reason
	APIRefused        int `json:"api_refused"`        // API calls refused
	PolledTooFast     int `json:"polled_too_fast"`    // device polls answered slow_down
	Violations        int `json:"violations"`         // recorded, also those that [Simulator.Violations] no longer has
	Faulted           int `json:"faulted"`            // calls that met a fault
}

// Counts returns the counters.
func (s *Simulator) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := s.counts
	counts.ByEndpoint = maps.Clone(counts.ByEndpoint)
	counts.ByGrant = maps.Clone(counts.ByGrant)
	return counts
}

// Reset zeroes counters and forgets violations, requests and the faults that were cleared. Tokens, clients, users, faults
// and knobs stay.
func (s *Simulator) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts = newCounts()
	s.violations, s.requests, s.unmet = nil, nil, nil
}

func newCounts() Counts {
	return Counts{ByEndpoint: map[string]int{}, ByGrant: map[string]int{}}
}
