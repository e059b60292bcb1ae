// May this client ask this user? The endpoints that a browser visits: the
// request is checked, the user decides, the browser is sent back.

package zohotest

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// approvePath takes the consent page's buttons. It is the simulator's own:
// Zoho's page talks to addresses nobody else needs.
const approvePath = "/oauth/v2/approve"

// isAuthPath says whether a consent begins at a path.
func isAuthPath(path string) bool {
	_, rest, portal := portalPath(path)
	return path == authPath || path == orgAuthPath || path == extraScopePath || portal && rest == "/auth"
}

// A consentRequest is a valid request for consent.
type consentRequest struct {
	path     string // authPath, orgAuthPath or extraScopePath
	raw      string // the query it came in
	site     *site  // where the browser asked
	client   *Client
	redirect string
	scopes   []string
	state    []string // empty if none was sent

	implicit bool // a token comes back at once, in the fragment
	offline  bool
	prompt   bool
	method   string
	digest   string // the PKCE challenge
	nonce    string // of OpenID Connect
	soid     string // which organization's, at orgAuthPath

	enhances *enhanceToken // what gains the scopes, at extraScopePath
}

// authorize is a browser at one of these endpoints.
func (s *Simulator) authorize(c *call) answer {
	req, a, ok := s.readConsentRequest(c.site, c.r.URL.Path, c.r.URL.RawQuery)
	if !ok {
		return a
	}
	if s.knobs.AutoConsent {
		return s.decide(req, Consent{Email: or(s.knobs.AutoConsentEmail, s.inUse(c))})
	}
	if s.mustChoose(c) {
		return s.choosePage(c, c.r.URL.RequestURI())
	}
	return s.consentPage(c, req)
}

// approve is a button of the consent page. Who decides is the account that the
// page showed, also if another has come into use meanwhile.
func (s *Simulator) approve(c *call) answer {
	req, a, ok := s.readConsentRequest(c.site, c.body.Get("path"), c.body.Get("request"))
	if !ok {
		return a
	}
	return s.decide(req, Consent{Email: or(c.body.Get("email"), s.inUse(c)), Reject: c.body.Get("decision") != "accept"})
}

// errorPage is how these endpoints refuse: at the accounts host, without a
// redirect (Zoho, authorization).
func (s *Simulator) errorPage(title, text string) answer {
	return page(s.knobs.PageErrorStatus, title, text)
}

// readConsentRequest checks what can be checked before the user is asked.
func (s *Simulator) readConsentRequest(at *site, path, raw string) (req consentRequest, a answer, ok bool) {
	q, _ := url.ParseQuery(raw)
	client := s.clients[q.Get("client_id")]
	portal, _, _ := portalPath(path)
	if client == nil || !client.enabled(at) || client.Portal != portal || !s.mayAsk(client, path) {
		return req, s.errorPage("Invalid Client", "The client ID does not exist at this data centre."), false
	}
	kind := q.Get("response_type")
	switch {
	case kind == "":
		return req, s.errorPage("Invalid response type", "The response type is missing."), false
	case kind != responseType(path, client):
		return req, page(400, "Invalid response type", "The response type is not one of this client and address."), false
	}
	redirect := q.Get("redirect_uri")
	if !slices.Contains(client.RedirectURIs, redirect) {
		return req, s.errorPage("Invalid Redirect Uri", "The redirect URI is not the one that was registered."), false
	}
	scopes := splitScopes(q.Get("scope"))
	if !s.validScopes(scopes) {
		return req, s.errorPage("Invalid OAuth scope", "A scope is missing or does not exist."), false
	}
	req = consentRequest{
		path: path, raw: raw, site: at, client: client, redirect: redirect, scopes: scopes, state: q["state"],
		implicit: kind == "token", offline: q.Get("access_type") == "offline", prompt: q.Get("prompt") == "consent",
		digest: q.Get("code_challenge"), method: q.Get("code_challenge_method"), nonce: q.Get("nonce"),
	}
	switch path {
	case extraScopePath:
		if req.enhances = s.findEnhanceToken(q.Get("enhance_token"), client, at); req.enhances == nil {
			return req, s.errorPage("Invalid Request", "The enhance token is wrong, used or expired."), false
		}
		return req, answer{}, true
	case orgAuthPath:
		req.soid = q.Get("soid")
		if title, text := s.checkOrganization(req); title != "" {
			return req, s.errorPage(title, text), false
		}
	}
	if req.method == "" {
		req.method = "plain" // RFC 7636, section 4.3
	}
	unknown := req.digest != "" && req.method != "plain" && req.method != "S256"
	missing := req.digest == "" && client.Type == Mobile && s.knobs.MobileNeedsPKCE
	if unknown || missing {
		return req, s.errorPage("Invalid Request", "The code challenge is missing or its method is unknown."), false
	}
	return req, answer{}, true
}

// mayAsk says whether clients of this type ask at a path.
func (s *Simulator) mayAsk(client *Client, path string) bool {
	switch {
	case client.Type == SelfClient || client.Type == Device:
		return false
	case path == orgAuthPath:
		return slices.Contains(s.knobs.OrganizationClients, client.Type)
	}
	return path == extraScopePath || client.Type != Organization
}

// responseType is the only one that fits.
func responseType(path string, client *Client) string {
	switch {
	case path == extraScopePath:
		return "update_scopes"
	case client.Type == ClientBased:
		return "token"
	}
	return "code"
}

// decide is what the user's answer leads to: a redirect or an error page.
func (s *Simulator) decide(req consentRequest, consent Consent) answer {
	if req.enhances != nil && consent.Email == "" && consent.DataCenter == "" {
		consent.Email = req.enhances.parent.user
	}
	user, home := s.consenting(req.site, consent)
	if user == nil || home == nil {
		return s.errorPage("Invalid User", "No such account: "+or(consent.Email, consent.DataCenter)+".")
	}
	if title, text := s.mayConsent(req, user, home); title != "" {
		return s.errorPage(title, text)
	}
	if s.lacksOrganization(req, user) {
		return s.sendBack(req, consent, []string{"error=no_org"})
	}
	if consent.Reject || s.knobs.RejectConsent {
		s.counts.Rejections++
		return s.sendBack(req, consent, []string{"error=access_denied"})
	}
	switch {
	case req.enhances != nil:
		s.enhance(req)
		return s.sendBack(req, consent, []string{"status=success", "scope_enhanced=true"})
	case req.implicit:
		return s.grantImplicit(req, consent, user, home)
	}
	var org *organization
	if req.path == orgAuthPath {
		org = &organization{soid: req.soid, administrator: *user}
	}
	made, ok := s.issueCode(code{
		client: req.client.ID, user: user.Email, org: org, dc: home.Name, redirect: req.redirect, scopes: req.scopes,
		refreshable: req.offline && (req.prompt || !s.covered(holder(user.Email, org), req.client.ID, req.scopes)),
		challenge:   req.digest, method: req.method, nonce: req.nonce,
	}, s.knobs.CodeLifetime)
	if !ok {
		return s.sendBack(req, consent, []string{"error=access_denied"})
	}
	s.recordConsent(holder(user.Email, org), req.client.ID, req.scopes)
	params := []string{"code=" + made.text}
	if !s.knobs.OmitLocation {
		params = append(params, "location="+home.Name)
	}
	if !s.knobs.OmitAccountsServer && !consent.NoAccountsServer {
		server := home.accountsURL()
		if req.client.Portal != "" {
			server = home.url(PortalServer) // the bare server, without the portal's path
		}
		params = append(params, "accounts-server="+url.QueryEscape(server))
	}
	return s.sendBack(req, consent, params)
}

// lacksOrganization says whether Zoho's page offers a user only "Back to app", since the
// services whose scopes are asked for need an organization (Zoho, 2025-02-10). Whether
// that holds where scopes are added is not known; whose grant it is had one.
func (s *Simulator) lacksOrganization(req consentRequest, user *User) bool {
	needs := func(scope string) bool { return ofService(scope, s.knobs.NoOrganizationServices) }
	return user.NoOrganization && req.enhances == nil && slices.ContainsFunc(req.scopes, needs)
}

// mayConsent says why a user at home cannot consent to a request; empty if
// nothing stands against it. Who may add scopes to an organization's grant is
// written nowhere; here it is who gave it.
func (s *Simulator) mayConsent(req consentRequest, user *User, home *site) (title, text string) {
	if refusal := unreachable(req.client, req.site, home); refusal != "" {
		return "Invalid Client", refusal
	}
	switch {
	case req.enhances != nil && user.Email != req.enhances.parent.user:
		return "Invalid User", user.Email + " is not the account that is asked."
	case req.enhances != nil && req.enhances.parent.org != nil && !oneApp(slices.Concat(req.enhances.parent.scopes, req.scopes)):
		return "Invalid OAuth Scope", "The grant is an organization's, for one Zoho app."
	case req.path == orgAuthPath:
		return s.mayConsentFor(req, user)
	}
	return "", ""
}

// consentRefusal is mayConsent for pages that know users alone.
func (s *Simulator) consentRefusal(req consentRequest) func(*User) string {
	return func(user *User) string {
		home := s.site(user.DataCenter)
		if home == nil {
			return "Data centre " + user.DataCenter + " does not answer."
		}
		_, text := s.mayConsent(req, user, home)
		return text
	}
}

// unreachable says why a user at home cannot consent for a client at a page
// of another data centre; empty if nothing stands against it.
func unreachable(client *Client, at, home *site) string {
	switch {
	case home != at && (home.Isolated || at.Isolated):
		return "Data centre " + home.Name + " takes no part in other data centres' consents."
	case client.Portal != "" && home != at:
		return "The portal is one of data center " + at.Name + "."
	case !client.enabled(home):
		return "The client is not enabled for data centre " + home.Name + "."
	}
	return ""
}

// grantImplicit is the token of a client-based app; no refresh token.
func (s *Simulator) grantImplicit(req consentRequest, consent Consent, user *User, home *site) answer {
	s.counts.Consents++
	at := s.mint(nil, accessToken{client: req.client.ID, user: user.Email, dc: home.Name, scopes: req.scopes, userContext: true})
	a := s.sendBack(req, consent, []string{
		"access_token=" + at.token, "expires_in=" + strconv.Itoa(int(s.knobs.AccessTokenLifetime.Seconds())),
		"location=" + home.Name, "api_domain=" + url.QueryEscape(s.apiDomain(home)),
	})
	a.issued = []*bool{&at.delivered}
	return a
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

// sendBack builds the address the browser lands on.
func (s *Simulator) sendBack(req consentRequest, consent Consent, params []string) answer {
	if len(req.state) > 0 && !s.knobs.OmitState && !consent.NoState {
		params = append([]string{"state=" + url.QueryEscape(req.state[0])}, params...)
	}
	separator := "?"
	switch {
	case req.implicit:
		separator = "#"
	case strings.Contains(req.redirect, "?"):
		separator = "&"
	}
	to := req.redirect + separator + strings.Join(params, "&")
	if s.knobs.TrailingAmpersand && !req.implicit {
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
	c.text = newToken(prefixOf(c.org))
	c.expires = s.now().Add(life)
	s.codes.put(c.text, &c)
	s.remember(c.text)
	s.counts.Consents++
	return &c, true
}
