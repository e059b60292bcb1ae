// What is alive? Views of the ledger for tests.

package zohotest

import (
	"maps"
	"slices"
	"time"
)

// A RefreshToken is a live refresh token.
type RefreshToken struct {
	Token        string    `json:"token"`
	ClientID     string    `json:"client_id"`
	Email        string    `json:"email"` // who consented
	DataCenter   string    `json:"data_center"`
	Scopes       []string  `json:"scopes"`
	Organization bool      `json:"organization,omitempty"` // it is an organization's, and outlives who consented
	Soid         string    `json:"soid,omitempty"`         // which organization's, as the request named it
	Issued       time.Time `json:"issued"`
	LastUsed     time.Time `json:"last_used"` // last mint
	Delivered    bool      `json:"delivered"` // its answer reached the client
}

// An AccessToken is a live access token.
type AccessToken struct {
	Token        string    `json:"token"`
	RefreshToken string    `json:"refresh_token,omitempty"` // empty for online access and client credentials
	ClientID     string    `json:"client_id"`
	Email        string    `json:"email"`
	DataCenter   string    `json:"data_center"`
	Scopes       []string  `json:"scopes"`
	Issued       time.Time `json:"issued"`
	Expires      time.Time `json:"expires"`
	Delivered    bool      `json:"delivered"`
}

// Alive says whether an access token works right now in its data centre.
func (s *Simulator) Alive(accessToken string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.findAccessToken(accessToken) != nil
}

// RefreshTokens are the live refresh tokens, oldest first.
func (s *Simulator) RefreshTokens() []RefreshToken {
	s.mu.Lock()
	defer s.mu.Unlock()
	alive := []RefreshToken{}
	for _, rt := range s.liveRefreshTokens() {
		alive = append(alive, rt.view())
	}
	return alive
}

// AccessTokens are the live access tokens of a refresh token, oldest first; of
// no refresh token if it is empty (online access, client credentials).
func (s *Simulator) AccessTokens(refreshToken string) []AccessToken {
	s.mu.Lock()
	defer s.mu.Unlock()
	alive := []AccessToken{}
	if refreshToken == "" {
		for _, at := range s.accessTokens {
			if at.parent == nil && s.findAccessToken(at.token) != nil {
				alive = append(alive, at.view())
			}
		}
		slices.SortFunc(alive, func(a, b AccessToken) int { return a.Issued.Compare(b.Issued) })
		return alive
	}
	rt := s.findRefreshToken(refreshToken)
	if rt == nil {
		return alive
	}
	for _, at := range slices.Clone(rt.live) {
		if s.findAccessToken(at.token) != nil {
			alive = append(alive, at.view())
		}
	}
	return alive
}

// Orphans are live refresh tokens whose answer was delivered and that are not
// among those the client says it knows: grants that leaked.
func (s *Simulator) Orphans(known ...string) []RefreshToken {
	s.mu.Lock()
	defer s.mu.Unlock()
	orphans := []RefreshToken{}
	for _, rt := range s.liveRefreshTokens() {
		if rt.delivered && !slices.Contains(known, rt.token) {
			orphans = append(orphans, rt.view())
		}
	}
	return orphans
}

// Secrets is every client secret, code, refresh token, access token, PKCE
// verifier and device code that was issued here or shown to an endpoint, sorted:
// whatever must never appear in a log. Texts under eight bytes are left out. Of those
// that no endpoint takes any more, at least the newest 100,000 are there.
func (s *Simulator) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	secrets := slices.Collect(maps.Keys(s.clientSecrets))
	for secret := range s.secrets.all() {
		secrets = append(secrets, secret)
	}
	slices.Sort(secrets)
	return slices.Compact(secrets)
}

// RevokeRefreshToken ends a refresh token and its access tokens, as its user
// does under Connected Apps. Unknown tokens are ignored.
func (s *Simulator) RevokeRefreshToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rt := s.refreshTokens[token]; rt != nil {
		s.dropRefreshToken(rt)
	}
}

// RevokeAccessToken ends one access token, as another owner of the same
// refresh token does by minting too many. It is not a violation.
func (s *Simulator) RevokeAccessToken(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := s.accessTokens[token]; at != nil {
		s.dropAccessToken(at)
	}
}

func (s *Simulator) liveRefreshTokens() []*refreshToken {
	var alive []*refreshToken
	for _, rt := range s.refreshTokens {
		if s.findRefreshToken(rt.token) != nil {
			alive = append(alive, rt)
		}
	}
	slices.SortFunc(alive, func(a, b *refreshToken) int { return a.serial - b.serial })
	return alive
}

func (rt *refreshToken) view() RefreshToken {
	view := RefreshToken{
		Token: rt.token, ClientID: rt.client, Email: rt.user, DataCenter: rt.dc, Scopes: slices.Clone(rt.scopes),
		Issued: rt.issued, LastUsed: rt.used, Delivered: rt.delivered,
	}
	if rt.org != nil {
		view.Organization, view.Soid = true, rt.org.soid
	}
	return view
}

func (at *accessToken) view() AccessToken {
	view := AccessToken{
		Token: at.token, ClientID: at.client, Email: at.user, DataCenter: at.dc, Scopes: slices.Clone(at.scopes),
		Issued: at.issued, Expires: at.expires, Delivered: at.delivered,
	}
	if at.parent != nil {
		view.RefreshToken = at.parent.token
	}
	return view
}
