// What does a user's consent yield? Tokens, from a code or a device code
// alike, unless a limit stands against them.

package zohotest

// A grant is a consent that is about to become tokens.
type grant struct {
	client      *Client
	user        string
	org         *organization
	site        *site
	scopes      []string
	refreshable bool // a refresh token comes too
	device      bool
}

// mayGrant asks the limits; the answer is the refusal.
func (s *Simulator) mayGrant(g grant) (a answer, ok bool) {
	if g.refreshable && s.refusesRefreshToken(g) {
		return s.throttle(), false
	}
	if s.knobs.MintKey == PerClient && !s.clientWindow(g.client.ID, g.site.Name).admits(s.now(), s.knobs.mintLimit(s.knobs.Mints)) {
		return s.tripped("client "+g.client.ID, s.knobs.Mints), false
	}
	return answer{}, true
}

// grant issues the tokens.
func (s *Simulator) grant(c *call, g grant) answer {
	var rt *refreshToken
	if g.refreshable {
		rt = s.issueRefreshToken(g)
		s.window("refresh tokens", g.user, g.client.ID).take(s.now())
	}
	if s.knobs.ExchangeIsMint {
		switch {
		case s.knobs.MintKey == PerClient:
			s.clientWindow(g.client.ID, g.site.Name).take(s.now())
		case rt != nil:
			rt.mints.take(s.now())
		}
	}
	at := s.mint(rt, accessToken{
		client: g.client.ID, user: g.user, org: g.org, dc: g.site.Name, scopes: g.scopes, userContext: true, device: g.device,
	})
	return s.tokens(c, at, rt)
}

// refusesRefreshToken says whether there may not be one more refresh token.
func (s *Simulator) refusesRefreshToken(g grant) bool {
	like := &refreshToken{client: g.client.ID, user: g.user, org: g.org, dc: g.site.Name}
	if s.knobs.RefuseMoreRefreshTokens && s.knobs.LiveRefreshTokens >= 0 && len(s.rivals(like)) >= s.knobs.LiveRefreshTokens {
		return true
	}
	return !s.window("refresh tokens", g.user, g.client.ID).admits(s.now(), s.knobs.refreshTokenLimit())
}
