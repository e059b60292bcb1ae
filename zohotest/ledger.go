// What exists? Codes, refresh tokens and access tokens, who may have them, and
// how they come and go. All state is here, under one lock.

package zohotest

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// ledger is the simulator's state. Methods of Simulator with a small first
// letter expect mu to be held unless they say otherwise.
type ledger struct {
	knobsMu sync.Mutex // serializes changes of knobs; taken before mu
	mu      sync.Mutex // guards everything below

	advanced      time.Duration
	knobs         Knobs
	sites         []*site
	clients       map[string]*Client
	defaultClient string
	users         []*User
	userCount     int

	serial        int // orders what was issued in one instant
	codes         memory[*code]
	refreshTokens map[string]*refreshToken
	accessTokens  map[string]*accessToken
	deviceCodes   memory[*deviceCode]
	enhanceTokens map[string]*enhanceToken
	unknownCodes  memory[time.Time]          // that were sent, and never issued; when they first came
	refusals      memory[[]*refusal]         // by what was refused
	deadTokens    memory[*refusal]           // access tokens that an API refused, the first time
	sessions      map[string]*session        // by the cookie's value
	consents      map[string]map[string]bool // holder and client -> scopes once consented to
	windows       map[string]*window         // by what is limited and its key
	refused       map[string]*window         // by refresh tokens that are not alive; see [Knobs.FailuresCount]
	sweepAt       int                        // number of dead and live tokens at which the next sweep is due

	faults     []*queuedFault
	unmet      []Fault // of those that were cleared
	counts     Counts
	requests   []Request
	violations []Violation
	secrets    memory[struct{}]

	clientSecrets map[string]bool // of clients alone; never dropped
}

func newLedger() ledger {
	return ledger{
		knobs:         defaultKnobs(),
		sites:         zohoDataCenters(),
		clients:       map[string]*Client{},
		refreshTokens: map[string]*refreshToken{},
		accessTokens:  map[string]*accessToken{},
		enhanceTokens: map[string]*enhanceToken{},
		unknownCodes:  newMemory[time.Time](keptRefusals, nil),
		refusals:      newMemory[[]*refusal](keptRefusals, nil),
		deadTokens:    newMemory[*refusal](keptRefusals, nil),
		sessions:      map[string]*session{},
		consents:      map[string]map[string]bool{},
		windows:       map[string]*window{},
		refused:       map[string]*window{},
		counts:        newCounts(),
		clientSecrets: map[string]bool{},
	}
}

// A code is a one-time grant token.
type code struct {
	text        string
	client      string
	user        string
	dc          string
	redirect    string // empty for a self client
	org         *organization
	scopes      []string
	refreshable bool // an exchange yields a refresh token
	challenge   string
	method      string // of the challenge: S256 or plain
	nonce       string // for the ID token
	expires     time.Time
	used        bool
	tries       int // arrivals at a token endpoint, whatever became of them
}

type refreshToken struct {
	token     string
	client    string
	user      string        // who consented
	org       *organization // whose it is; nil: the user's
	dc        string
	scopes    []string
	device    bool // its access tokens begin with 1004
	issued    time.Time
	used      time.Time
	serial    int
	delivered bool
	mints     *window
	live      []*accessToken // oldest first; may contain expired ones
}

type accessToken struct {
	token       string
	parent      *refreshToken // nil for online access and client credentials
	client      string
	user        string
	org         *organization // as in refreshToken
	dc          string
	scopes      []string
	issued      time.Time
	expires     time.Time
	delivered   bool
	userContext bool // false for client credentials
	device      bool
	elsewhere   bool // another program has it
}

func (s *Simulator) now() time.Time { return time.Now().Add(s.advanced) }

// window finds the history of a limited thing.
func (s *Simulator) window(parts ...string) *window {
	key := strings.Join(parts, "|")
	w := s.windows[key]
	if w == nil {
		w = &window{}
		s.windows[key] = w
	}
	return w
}

// minSecret keeps words that any log contains out of Secrets.
const minSecret = 8

// remember notes a secret for [Simulator.Secrets].
func (s *Simulator) remember(secret string) {
	if len(secret) >= minSecret {
		s.secrets.put(secret, struct{}{})
	}
}

// rememberClientSecret is remember for the secret of a registered client.
func (s *Simulator) rememberClientSecret(secret string) {
	if len(secret) >= minSecret {
		s.clientSecrets[secret] = true
	}
}

// findRefreshToken returns a live refresh token, or nil. Idle ones die here.
func (s *Simulator) findRefreshToken(token string) *refreshToken {
	rt := s.refreshTokens[token]
	if rt != nil && s.knobs.RefreshTokenIdle > 0 && !s.now().Before(rt.used.Add(s.knobs.RefreshTokenIdle)) {
		s.dropRefreshToken(rt)
		return nil
	}
	return rt
}

// findAccessToken returns a live access token, or nil.
func (s *Simulator) findAccessToken(token string) *accessToken {
	at := s.accessTokens[token]
	if at == nil {
		return nil
	}
	if !s.now().Before(at.expires) {
		s.dropAccessToken(at)
		return nil
	}
	if at.parent != nil && s.findRefreshToken(at.parent.token) == nil {
		return nil
	}
	return at
}

// unexpired is findAccessToken without tidying up the list a token is in.
func (s *Simulator) unexpired(at *accessToken) bool {
	return s.accessTokens[at.token] == at && s.now().Before(at.expires)
}

// dropRefreshToken removes a refresh token and its access tokens.
func (s *Simulator) dropRefreshToken(rt *refreshToken) {
	for _, at := range rt.live {
		delete(s.accessTokens, at.token)
	}
	delete(s.refreshTokens, rt.token)
}

func (s *Simulator) dropAccessToken(at *accessToken) {
	delete(s.accessTokens, at.token)
	if at.parent != nil {
		at.parent.live = slices.DeleteFunc(at.parent.live, func(other *accessToken) bool { return other == at })
	}
}

// covered says whether a holder has consented to these scopes for a client before.
func (s *Simulator) covered(holder, client string, scopes []string) bool {
	seen := s.consents[holder+"|"+client]
	for _, scope := range scopes {
		if !seen[strings.ToLower(scope)] {
			return false
		}
	}
	return true
}

// forgetConsents is for a holder who is gone: the next account of that name is another one.
func (s *Simulator) forgetConsents(holder string) {
	for key := range s.consents {
		if strings.HasPrefix(key, holder+"|") {
			delete(s.consents, key)
		}
	}
}

func (s *Simulator) recordConsent(holder, client string, scopes []string) {
	key := holder + "|" + client
	if s.consents[key] == nil {
		s.consents[key] = map[string]bool{}
	}
	for _, scope := range scopes {
		s.consents[key][strings.ToLower(scope)] = true
	}
}
