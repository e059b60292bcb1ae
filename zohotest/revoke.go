// What does revoking do? Both forms of Zoho's revocation endpoint.

package zohotest

// revokeOld is POST /oauth/v2/token/revoke: a token and nothing else, no
// client authentication (Zoho, revoke-refresh-token, earlier version; its SDKs
// still use it).
func (s *Simulator) revokeOld(c *call) answer {
	return s.revoke(c, nil, "")
}

// revokeNew is POST /oauth/v2/revoke/token: the client in a Basic header, and
// a token_type that must fit (Zoho, revoke-refresh-token).
func (s *Simulator) revokeNew(c *call) answer {
	if !c.basic {
		return s.refuseRevocation("invalid_client")
	}
	client := s.clients[c.basicID]
	if client == nil || !client.enabled(c.site) || !c.inPortal(client) || client.secret(c.site.Name) != c.basicSecret {
		return s.refuseRevocation("invalid_client")
	}
	tokenType := c.form.Get("token_type")
	switch tokenType {
	case "refresh_token", "access_token":
	case "":
		if s.knobs.RevokeTokenTypeRequired {
			return s.refuseRevocation("invalid_token_type")
		}
		tokenType = "refresh_token"
	default:
		return s.refuseRevocation("invalid_token_type")
	}
	return s.revoke(c, client, tokenType)
}

// revoke ends a token. client and tokenType restrict which, where known.
func (s *Simulator) revoke(c *call, client *Client, tokenType string) answer {
	token := c.form.Get("token")
	if rt := s.findRefreshToken(token); rt != nil && tokenType != "access_token" && s.mayRevoke(c, client, rt.client, rt.dc, "refresh token "+short(token)) {
		for _, at := range rt.live {
			if at.delivered && s.unexpired(at) {
				s.counts.KilledByRevoke++
			}
		}
		s.dropRefreshToken(rt)
		s.counts.Revocations++
		return jsonAnswer(200, map[string]string{"status": "success"})
	}
	if at := s.findAccessToken(token); at != nil && tokenType != "refresh_token" && s.mayRevoke(c, client, at.client, at.dc, "access token "+short(token)) {
		s.dropAccessToken(at)
		s.counts.Revocations++
		return jsonAnswer(200, map[string]string{"status": "success"})
	}
	return s.refuseRevocation("invalid_token")
}

// mayRevoke says whether a token of owner and dc may be revoked by this call.
func (s *Simulator) mayRevoke(c *call, client *Client, owner, dc, what string) bool {
	if client != nil && client.ID != owner {
		s.violate(OtherClient, "%s of client %s, from client %s at %s", what, owner, client.ID, c.site.Name)
		return false
	}
	if registered := s.clients[owner]; registered != nil && !c.inPortal(registered) {
		return false
	}
	if dc == c.site.Name {
		return true
	}
	if registered := s.clients[owner]; s.knobs.RevokeAtHome && registered != nil && registered.DataCenter == c.site.Name {
		return true
	}
	s.violate(WrongDataCenter, "%s of %s at %s", what, dc, c.site.Name)
	return false
}

// refuseRevocation is always HTTP 400, and was seen as HTML too.
func (s *Simulator) refuseRevocation(code string) answer {
	s.counts.Refused++
	a := jsonAnswer(400, map[string]string{"error": code})
	if s.knobs.RevokeHTML {
		a = page(400, "Invalid Request", "The request cannot be served: "+code+".")
	}
	a.refused = true
	return a
}
