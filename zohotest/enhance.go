// How does a refresh token gain scopes? Incremental authorization: the client
// fetches an enhance token, the user says yes at addextrascope.

package zohotest

import (
	"slices"
	"time"
)

// extraScopePath is where the browser goes with an enhance token.
const extraScopePath = "/oauth/v2/token/addextrascope"

type enhanceToken struct {
	token   string
	parent  *refreshToken
	expires time.Time
}

// scopeEnhance is POST /oauth/v2/token/scopeenhance (Zoho, incremental-auth,
// initiation-request).
func (s *Simulator) scopeEnhance(c *call) answer {
	switch c.form.Get("grant_type") {
	case "update_scopes_token":
	case "":
		s.counts.Refused++
		return page(400, "Invalid Request", "The grant type is missing.")
	default:
		return s.refuse(s.knobs.BadGrantTypeError)
	}
	client, failure := s.authenticate(c)
	if failure != "" {
		return s.refuse(failure)
	}
	rt := s.findRefreshToken(c.form.Get("refresh_token"))
	if rt == nil || !s.belongs(c, rt, client) {
		return s.refuse("invalid_code")
	}
	if rt.dc != c.site.Name {
		s.violate(WrongDataCenter, "refresh token %s of %s at %s", short(rt.token), rt.dc, c.site.Name)
		return s.refuse(s.knobs.WrongDataCenterError)
	}
	et := &enhanceToken{token: newToken(prefixOf(rt.org)), parent: rt, expires: s.now().Add(s.knobs.EnhanceTokenLifetime)}
	s.enhanceTokens[et.token] = et
	s.remember(et.token)
	return jsonAnswer(200, map[string]any{
		"access_token": et.token, "token_type": "Bearer", "expires_in": int64(s.knobs.EnhanceTokenLifetime.Seconds()),
	})
}

// findEnhanceToken returns a token that may still be used, or nil.
func (s *Simulator) findEnhanceToken(token string, client *Client, at *site) *enhanceToken {
	et := s.enhanceTokens[token]
	if et == nil || !s.now().Before(et.expires) || s.refreshTokens[et.parent.token] != et.parent ||
		et.parent.client != client.ID || et.parent.dc != at.Name {
		return nil
	}
	return et
}

// enhance adds the scopes to the refresh token and to its access tokens.
func (s *Simulator) enhance(req consentRequest) {
	rt := req.enhances.parent
	delete(s.enhanceTokens, req.enhances.token)
	added := slices.Clone(rt.scopes)
	for _, scope := range req.scopes {
		if !slices.Contains(added, scope) {
			added = append(added, scope)
		}
	}
	rt.scopes = added
	for _, at := range rt.live {
		at.scopes = added
	}
	s.recordConsent(holder(rt.user, rt.org), rt.client, req.scopes)
	s.counts.Enhancements++
}
