// What if another program has the same refresh token? Its mints take places and evict
// tokens like any other, and the client under test is not to blame for what follows.

package zohotest

// MintElsewhere mints an access token as another program does that uses the same refresh
// token. ok is false if that is dead, or if the throttle refuses. A mint of the client
// that is throttled because of it, or that evicts because of it, is no violation; an
// attempt inside the block of which the client was told is one.
func (s *Simulator) MintElsewhere(refreshToken string) (accessToken string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep()
	rt := s.findRefreshToken(refreshToken)
	if rt == nil {
		return "", false
	}
	mints := rt.mints
	if s.knobs.MintKey == PerClient {
		mints = s.clientWindow(rt.client, rt.dc)
	}
	if !mints.admits(s.now(), s.knobs.mintLimit(s.knobs.Mints)) {
		return "", false
	}
	mints.take(s.now())
	mints.shared = true
	return s.mint(rt, s.tokenOf(rt, true)).token, true
}

// tokenOf is what a mint from a refresh token makes.
func (s *Simulator) tokenOf(rt *refreshToken, elsewhere bool) accessToken {
	return accessToken{client: rt.client, user: rt.user, org: rt.org, dc: rt.dc, scopes: rt.scopes, userContext: true, device: rt.device, elsewhere: elsewhere}
}
