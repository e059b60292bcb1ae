// Does a token work? A few resource APIs that refuse dead tokens in the words
// of the products they stand for.

package zohotest

import (
	"net/http"
	"strconv"
	"strings"
)

// bearer reads an access token in either of the schemes that Zoho's APIs take.
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Zoho-oauthtoken") || strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return ""
}

// A verdict on a token that was presented to an API.
type verdict int

const (
	accepted verdict = iota
	absent
	dead
	unscoped
	forbidden // the user's profile lacks API access
)

// judge looks at a call's token and the scopes of which it needs one.
func (s *Simulator) judge(c *call, scopes ...string) (*accessToken, verdict) {
	at, v := s.judgeToken(c)
	if v != accepted {
		return nil, v
	}
	if at.userContext || !s.knobs.RefuseClientScopes {
		for _, scope := range scopes {
			if s.allows(at.scopes, scope) {
				return at, accepted
			}
		}
	}
	s.counts.APIRefused++
	return nil, unscoped
}

// judgeToken is judge for an API that needs no scope.
func (s *Simulator) judgeToken(c *call) (*accessToken, verdict) {
	token := bearer(c.r)
	if token == "" {
		s.counts.APIRefused++
		return nil, absent
	}
	s.remember(token)
	at := s.findAccessToken(token)
	if at != nil && at.dc != c.site.Name {
		s.violate(WrongDataCenter, "access token %s of %s at %s", short(token), at.dc, c.site.Name)
		at = nil
	}
	if at == nil {
		s.counts.APIRefused++
		c.told = append(c.told, s.deadToken(c, token))
		return nil, dead
	}
	return at, accepted
}

// crmRefusal is how CRM, Bigin and Recruit refuse.
func (s *Simulator) crmRefusal(v verdict) answer {
	body := func(code, message string) map[string]any {
		return map[string]any{"code": code, "details": map[string]any{}, "message": message, "status": "error"}
	}
	switch v {
	case absent:
		return jsonAnswer(401, body("AUTHENTICATION_FAILURE", "Authentication failed"))
	case unscoped:
		return jsonAnswer(401, body("OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL"))
	case forbidden:
		refusal := body("NO_PERMISSION", "permission denied")
		refusal["details"] = map[string]any{"permissions": []string{"Crm_Implied_Api_Access"}}
		return jsonAnswer(403, refusal)
	}
	return jsonAnswer(s.knobs.DeadTokenStatus, body("INVALID_TOKEN", "invalid oauth token"))
}

// judgeCRM is judge for CRM, which refuses a user without API access whatever the scopes.
func (s *Simulator) judgeCRM(c *call, scopes ...string) (*accessToken, verdict) {
	at := s.findAccessToken(bearer(c.r))
	if at != nil && at.dc == c.site.Name && s.userOf(at).NoAPIAccess {
		s.counts.APIRefused++
		return nil, forbidden
	}
	return s.judge(c, scopes...)
}

// crmUsers is GET /crm/v8/users, and /v2 to /v7: all users of the organization, or the
// token's own with type=CurrentUser.
func (s *Simulator) crmUsers(c *call) answer {
	at, v := s.judgeCRM(c, "ZohoCRM.users.READ")
	if v != accepted {
		return s.crmRefusal(v)
	}
	own := s.userOf(at)
	users := []map[string]any{}
	show := func(user User) {
		users = append(users, map[string]any{
			"id": user.ZUID, "zuid": user.ZUID, "full_name": user.Name, "email": user.Email, "status": "active",
		})
	}
	if c.query.Get("type") == "CurrentUser" {
		show(own)
		return jsonAnswer(200, map[string]any{"users": users})
	}
	for _, user := range s.users {
		if user.DataCenter == own.DataCenter && user.OrgID == own.OrgID {
			show(*user)
		}
	}
	return jsonAnswer(200, map[string]any{"users": users})
}

// crmOrg is GET /crm/v8/org, and /v2 to /v7.
func (s *Simulator) crmOrg(c *call) answer {
	at, v := s.judgeCRM(c, "ZohoCRM.org.READ")
	if v != accepted {
		return s.crmRefusal(v)
	}
	user := s.userOf(at)
	return jsonAnswer(200, map[string]any{"org": []map[string]any{{
		"id": user.OrgID, "zgid": user.OrgID, "company_name": "Organization of " + user.Name, "primary_email": user.Email,
	}}})
}

// deskOrganizations is GET /api/v1/organizations of Zoho Desk.
func (s *Simulator) deskOrganizations(c *call) answer {
	at, v := s.judge(c, "Desk.basic.READ")
	if v != accepted {
		code, message := "INVALID_OAUTH", "The OAuth Token you provided is invalid."
		if v == unscoped {
			code, message = "SCOPE_MISMATCH", "The OAuth Token does not have the scope needed."
		}
		return jsonAnswer(s.deadStatus(v), map[string]string{"errorCode": code, "message": message})
	}
	user := s.userOf(at)
	return jsonAnswer(200, map[string]any{"data": []map[string]any{{
		"id": user.OrgID, "companyName": "Organization of " + user.Name,
	}}})
}

// userInfo is GET /oauth/user/info at the accounts server. A token with only
// the OpenID scope profile is refused, as observed.
func (s *Simulator) userInfo(c *call) answer {
	at, v := s.judge(c, "AaaServer.profile.READ")
	if v == accepted && !s.named(at) {
		s.counts.APIRefused++
		v = unscoped
	}
	if v != accepted {
		cause := "INVALID_OAUTHTOKEN"
		if v == unscoped {
			cause = "INVALID_OAUTHSCOPE"
		}
		return jsonAnswer(s.deadStatus(v), map[string]string{"response": "error", "cause": cause})
	}
	user := s.userOf(at)
	first, last := namesOf(user)
	return jsonAnswer(200, map[string]any{
		"ZUID": s.shownZUID(user), "Email": user.Email, "Display_Name": user.Name, "First_Name": first, "Last_Name": last,
	})
}

func namesOf(user User) (first, last string) {
	first, last, _ = strings.Cut(user.Name, " ")
	return first, last
}

// shownZUID is a number, unless the knob or a test's own id makes it text.
func (s *Simulator) shownZUID(user User) any {
	if n, err := strconv.ParseInt(user.ZUID, 10, 64); err == nil && !s.knobs.ZUIDString {
		return n
	}
	return user.ZUID
}

// serverInfo is GET /oauth/serverinfo: the data centres this one knows of.
func (s *Simulator) serverInfo(c *call) answer {
	locations := map[string]string{}
	for _, dc := range s.sites {
		if dc == c.site || !dc.Isolated && !c.site.Isolated {
			locations[dc.Name] = dc.accountsURL()
		}
	}
	return jsonAnswer(200, map[string]any{"result": "success", "locations": locations})
}

func (s *Simulator) deadStatus(v verdict) int {
	if v == dead {
		return s.knobs.DeadTokenStatus
	}
	return 401
}

// userOf is who an API takes the caller for. A deleted user's tokens are dead,
// unless they are an organization's.
func (s *Simulator) userOf(at *accessToken) User {
	if at.org != nil {
		return at.org.administrator
	}
	if user := s.userByEmail(at.user); user != nil {
		return *user
	}
	return User{Email: at.user}
}
