// What tests know of the memory that a simulator takes.

package zohotest

// Held is how many access tokens, enhance tokens and windows of refused refresh tokens a
// simulator holds, dead or alive.
func (s *Simulator) Held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.accessTokens) + len(s.enhanceTokens) + len(s.refused)
}

// Hits is how many mints a simulator remembers of a refresh token.
func (s *Simulator) Hits(refreshToken string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.refreshTokens[refreshToken].mints.hits)
}

// FloodDeviceCodes is as if many devices had started: it drops what is dead and old.
func (s *Simulator) FloodDeviceCodes() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range 2*keptCodes + 10 {
		text := newToken(ordinaryPrefix)
		s.deviceCodes.put(text, &deviceCode{code: text, used: true})
	}
}
