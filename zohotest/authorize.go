// May this client ask this user? The authorization endpoint: the request is
// checked, the user decides, the browser is sent back with a code.

package zohotest

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// approvePath takes the consent page's buttons. It is the simulator's own:
// Zoho's page talks to addresses nobody else needs.
const approvePath = "/oauth/v2/approve"

// A consentRequest is a valid request for consent.
type consentRequest struct {
	raw      string // the query it came in
	site     *site  // where the browser asked
	client   *Client
	redirect string
	scopes   []string
	offline  bool
	prompt   bool
	state    []string // empty if none was sent
	method   string
	digest   string // the PKCE challenge
}

// authorize is GET /oauth/v2/auth.
func (s *Simulator) authorize(c *call) answer {
	req, a, ok := s.readConsentRequest(c.site, c.r.URL.RawQuery)
	if !ok {
		return a
	}
	if !s.knobs.AutoConsent {
		return s.consentPage(req)
	}
	return s.decide(req, Consent{Email: s.knobs.AutoConsentEmail})
}

// approve is a button of the consent page.
func (s *Simulator) approve(c *call) answer {
	req, a, ok := s.readConsentRequest(c.site, c.body.Get("request"))
	if !ok {
		return a
	}
	return s.decide(req, Consent{Email: c.body.Get("email"), Reject: c.body.Get("decision") != "accept"})
}

// errorPage is how the authorization endpoint refuses: at the accounts host,
// without a redirect (Zoho, authorization).
func (s *Simulator) errorPage(title, text string) answer {
	return page(s.knobs.PageErrorStatus, title, text)
}

// readConsentRequest checks what can be checked before the user is asked.
func (s *Simulator) readConsentRequest(at *site, raw string) (req consentRequest, a answer, ok bool) {
	q, _ := url.ParseQuery(raw)
	client := s.clients[q.Get("client_id")]
	if client == nil || !client.enabled(at) || client.Type == SelfClient || client.Type == Device {
		return req, s.errorPage("Invalid Client", "The client ID does not exist at this data centre."), false
	}
	switch q.Get("response_type") {
	case "code":
	case "":
		return req, s.errorPage("Invalid response type", "The response type is missing."), false
	default:
		return req, page(400, "Invalid response type", "The response type is not supported."), false
	}
	redirect := q.Get("redirect_uri")
	if !slices.Contains(client.RedirectURIs, redirect) {
		return req, s.errorPage("Invalid Redirect Uri", "The redirect URI is not the one that was registered."), false
	}
	scopes := splitScopes(q.Get("scope"))
	if !s.validScopes(scopes) {
		return req, s.errorPage("Invalid OAuth scope", "A scope is missing or does not exist."), false
	}
	digest, method := q.Get("code_challenge"), q.Get("code_challenge_method")
	if method == "" {
		method = "plain" // RFC 7636, section 4.3
	}
	if digest != "" && method != "plain" && method != "S256" || digest == "" && client.Type == Mobile && s.knobs.MobileNeedsPKCE {
		return req, s.errorPage("Invalid Request", "The code challenge is missing or its method is unknown."), false
	}
	return consentRequest{
		raw: raw, site: at, client: client, redirect: redirect, scopes: scopes,
		offline: q.Get("access_type") == "offline", prompt: q.Get("prompt") == "consent",
		state: q["state"], method: method, digest: digest,
	}, answer{}, true
}

// decide is what the user's answer leads to: a redirect or an error page.
func (s *Simulator) decide(req consentRequest, consent Consent) answer {
	user, home := s.consenting(req.site, consent)
	switch {
	case user == nil || home == nil:
		return s.errorPage("Invalid User", "No such account: "+or(consent.Email, consent.DataCenter)+".")
	case home != req.site && (home.Isolated || req.site.Isolated):
		return s.errorPage("Invalid Client", "Data centre "+home.Name+" takes no part in other data centres' consents.")
	case !req.client.enabled(home):
		return s.errorPage("Invalid Client", "The client is not enabled for data centre "+home.Name+".")
	}
	if consent.Reject || s.knobs.RejectConsent {
		s.counts.Rejections++
		return s.denied(req, consent)
	}
	made, ok := s.issueCode(code{
		client: req.client.ID, user: user.Email, dc: home.Name, redirect: req.redirect, scopes: req.scopes,
		refreshable: req.offline && (req.prompt || !s.covered(user.Email, req.client.ID, req.scopes)),
		challenge:   req.digest, method: req.method,
	}, s.knobs.CodeLifetime)
	if !ok {
		return s.denied(req, consent)
	}
	s.recordConsent(user.Email, req.client.ID, req.scopes)
	params := []string{"code=" + made.text}
	if !s.knobs.OmitLocation {
		params = append(params, "location="+home.Name)
	}
	if !s.knobs.OmitAccountsServer && !consent.NoAccountsServer {
		params = append(params, "accounts-server="+url.QueryEscape(home.accountsURL()))
	}
	return s.sendBack(req, consent, params)
}

// consenting is who answers the page, and where that account lives.
func (s *Simulator) consenting(at *site, consent Consent) (*User, *site) {
	user := s.userByEmail(consent.Email)
	if consent.Email == "" {
		user = s.defaultUser(or(consent.DataCenter, at.Name))
	}
	if user == nil || consent.DataCenter != "" && user.DataCenter != consent.DataCenter {
		return nil, nil
	}
	return user, s.site(user.DataCenter)
}

// denied is a rejection, and also what too many codes look like.
func (s *Simulator) denied(req consentRequest, consent Consent) answer {
	return s.sendBack(req, consent, []string{"error=access_denied"})
}

// sendBack builds the address the browser lands on.
func (s *Simulator) sendBack(req consentRequest, consent Consent, params []string) answer {
	if len(req.state) > 0 && !s.knobs.OmitState && !consent.NoState {
		params = append([]string{"state=" + url.QueryEscape(req.state[0])}, params...)
	}
	separator := "?"
	if strings.Contains(req.redirect, "?") {
		separator = "&"
	}
	to := req.redirect + separator + strings.Join(params, "&")
	if s.knobs.TrailingAmpersand {
		to += "&"
	}
	return redirectAnswer(to)
}

// issueCode adds a code, unless its window is full.
func (s *Simulator) issueCode(c code, life time.Duration) (*code, bool) {
	key := c.client
	if s.knobs.CodeKey == PerUser {
		key = c.user
	}
	w := s.window("codes", key)
	if !w.admits(s.now(), s.knobs.codeLimit()) {
		s.violate(CodeThrottleTripped, "more than %d codes per %s for %s", s.knobs.Codes, s.knobs.CodeWindow, key)
		return nil, false
	}
	w.take(s.now())
	c.text = newToken()
	c.expires = s.now().Add(life)
	s.codes[c.text] = &c
	s.remember(c.text)
	s.counts.Consents++
	return &c, true
}
