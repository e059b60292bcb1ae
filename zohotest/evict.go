// What makes room? Issuing one token too many silently kills the oldest; if the
// client had that one, it is to blame.

package zohotest

import (
	"slices"
	"time"
)

// issueRefreshToken adds a refresh token and evicts the oldest if there are
// too many.
func (s *Simulator) issueRefreshToken(g grant) *refreshToken {
	s.serial++
	rt := &refreshToken{
		token: newToken(prefixOf(g.org)), client: g.client.ID, user: g.user, org: g.org, dc: g.site.Name, scopes: g.scopes, device: g.device,
		issued: s.now(), used: s.now(), serial: s.serial, mints: &window{},
	}
	s.refreshTokens[rt.token] = rt
	s.remember(rt.token)
	s.counts.Issued++
	if limit := s.knobs.LiveRefreshTokens; limit >= 0 {
		for rivals := s.rivals(rt); len(rivals) > limit; rivals = rivals[1:] {
			s.evictRefreshToken(rivals[0])
		}
	}
	return rt
}

// rivals are the live refresh tokens that count against the same limit as rt,
// oldest first, rt included if it is in the ledger and counts.
func (s *Simulator) rivals(rt *refreshToken) []*refreshToken {
	var rivals []*refreshToken
	for _, other := range s.refreshTokens {
		if (rt.org != nil || other.org != nil) && !s.knobs.OrganizationCounts {
			continue
		}
		sameClient, sameUser := other.client == rt.client, other.user == rt.user
		switch s.knobs.LiveRefreshTokenKey {
		case PerUser:
			sameClient = true
		case PerClient:
			sameUser = true
		}
		if sameClient && sameUser && other.dc == rt.dc && s.findRefreshToken(other.token) != nil {
			rivals = append(rivals, other)
		}
	}
	slices.SortFunc(rivals, func(a, b *refreshToken) int { return a.serial - b.serial })
	return rivals
}

func (s *Simulator) evictRefreshToken(rt *refreshToken) {
	s.counts.EvictedRefresh++
	s.violate(RefreshTokenEvicted, "refresh token %s of %s and client %s in %s, by one consent more than %d",
		short(rt.token), rt.user, rt.client, rt.dc, s.knobs.LiveRefreshTokens)
	for _, at := range rt.live {
		s.evictAccessToken(at, "with its evicted refresh token", true)
	}
	s.dropRefreshToken(rt)
}

// evictAccessToken ends a token early; that is the client's fault if it had
// the token, and nobody else minted.
func (s *Simulator) evictAccessToken(at *accessToken, how string, alone bool) {
	if !s.unexpired(at) {
		return
	}
	s.counts.EvictedAccess++
	if at.delivered && alone {
		s.violate(AccessTokenEvicted, "access token %s of client %s in %s, %s before its time, %s",
			short(at.token), at.client, at.dc, at.expires.Sub(s.now()).Round(time.Second), how)
	}
	delete(s.accessTokens, at.token)
}

// mint adds an access token to a grant; parent may be nil. The oldest dies if
// there are too many.
func (s *Simulator) mint(parent *refreshToken, like accessToken) *accessToken {
	at := &like
	prefix := prefixOf(at.org)
	if at.device {
		prefix = deviceTokenPrefix
	}
	at.token = newToken(prefix)
	at.parent = parent
	at.issued = s.now()
	at.expires = at.issued.Add(s.knobs.AccessTokenLifetime)
	s.accessTokens[at.token] = at
	s.remember(at.token)
	s.counts.Minted++
	if parent == nil {
		return at
	}
	parent.used = at.issued
	parent.live = slices.DeleteFunc(parent.live, func(old *accessToken) bool { return !s.unexpired(old) })
	parent.live = append(parent.live, at)
	shared := slices.ContainsFunc(parent.live, func(at *accessToken) bool { return at.elsewhere })
	for limit := s.knobs.LiveAccessTokens; limit >= 0 && len(parent.live) > limit; parent.live = parent.live[1:] {
		s.evictAccessToken(parent.live[0], "by a mint", !shared)
	}
	return at
}
