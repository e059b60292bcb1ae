// What does the token endpoint answer? POST /oauth/v2/token for codes, refresh
// tokens and client credentials.

package zohotest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// token is the endpoint. The order of checks is Zoho's as far as its pages
// show it: request, client, grant.
func (s *Simulator) token(c *call) answer {
	grant := c.form.Get("grant_type")
	if grant == "" {
		s.counts.Refused++
		return page(400, "Invalid Request", "The grant type is missing.")
	}
	client, failure := s.authenticate(c)
	if failure != "" {
		return s.refuseToken(c, failure)
	}
	switch grant {
	case "authorization_code":
		return s.exchange(c, client)
	case "refresh_token":
		return s.refresh(c, client)
	case "client_credentials":
		return s.clientCredentials(c, client)
	}
	return s.refuse(s.knobs.BadGrantTypeError)
}

// authenticate finds the client by id and secret, in parameters or in a Basic
// header. Another data centre's secret is invalid_client, a wrong one
// invalid_client_secret (Zoho, access-token).
func (s *Simulator) authenticate(c *call) (client *Client, failure string) {
	id, secret := c.client()
	client = s.clients[id]
	if client == nil || !client.enabled(c.site) || client.Type == ClientBased || !c.inPortal(client) {
		return nil, "invalid_client"
	}
	if subtle.ConstantTimeCompare([]byte(secret), []byte(client.secret(c.site.Name))) == 1 {
		return client, ""
	}
	if client.knowsElsewhere(secret) {
		return nil, "invalid_client"
	}
	return nil, "invalid_client_secret"
}

// client is who asks, as it says itself.
func (c *call) client() (id, secret string) {
	id, secret = c.form.Get("client_id"), c.form.Get("client_secret")
	if id == "" && secret == "" {
		return c.basicID, c.basicSecret // empty without the header
	}
	return id, secret
}

// refuseToken is refuse, at the price that the failure has.
func (s *Simulator) refuseToken(c *call, code string) answer {
	if a, full := s.failureCosts(c); full {
		return a
	}
	return s.refuse(code)
}

// failureCosts takes a place for a refresh that fails, if the knob says so. In a
// full window the answer is the throttle instead.
func (s *Simulator) failureCosts(c *call) (a answer, full bool) {
	if !s.knobs.FailuresCount || c.at.name != "token" || c.form.Get("grant_type") != "refresh_token" {
		return answer{}, false
	}
	token := c.form.Get("refresh_token")
	mints, key := s.refused[token], "refresh token "+short(token)
	if rt := s.findRefreshToken(token); rt != nil {
		mints = rt.mints
	}
	if s.knobs.MintKey == PerClient {
		id, _ := c.client()
		client := s.clients[id]
		if client == nil {
			return answer{}, false
		}
		mints, key = s.clientWindow(client.ID, c.site.Name), "client "+id
	}
	if mints == nil {
		mints = &window{}
		s.refused[token] = mints
	}
	if !mints.admits(s.now(), s.knobs.mintLimit(s.knobs.Mints)) {
		return s.tripped(key, s.knobs.Mints), true
	}
	mints.take(s.now())
	return answer{}, false
}

// exchange turns a code into tokens.
func (s *Simulator) exchange(c *call, client *Client) answer {
	code, known := s.codes.get(c.form.Get("code"))
	if known && code.client != client.ID {
		s.violate(OtherClient, "code %s of client %s, from client %s at %s", short(code.text), code.client, client.ID, c.site.Name)
	}
	if !known || code.client != client.ID || code.used || !s.now().Before(code.expires) {
		return s.refuse("invalid_code")
	}
	if code.dc != c.site.Name {
		s.violate(WrongDataCenter, "code %s of %s at %s", short(code.text), code.dc, c.site.Name)
		return s.refuse(s.knobs.WrongDataCenterError)
	}
	if code.redirect != "" && c.form.Get("redirect_uri") != code.redirect {
		s.violate(WrongRedirectURI, "code %s of client %s was asked for with another one", short(code.text), client.ID)
		return s.refuse("invalid_redirect_uri")
	}
	if verifier := c.form.Get("code_verifier"); code.challenge != "" && !verifies(verifier, code.challenge, code.method) {
		s.violate(WrongVerifier, "code %s of client %s: %s", short(code.text), client.ID, faultOf(verifier))
		return s.refuse(s.knobs.PKCEError)
	}
	g := grant{client: client, user: code.user, org: code.org, site: c.site, scopes: code.scopes, refreshable: code.refreshable}
	if a, ok := s.mayGrant(g); !ok {
		return a
	}
	code.used = true
	s.counts.Exchanges++
	c.nonce = code.nonce
	return s.grant(c, g)
}

// verifierGrammar is that of a PKCE verifier (Zoho, mobile-applications; RFC 7636, 4.1).
var verifierGrammar = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// faultOf says what is wrong with a PKCE verifier that does not fit.
func faultOf(verifier string) string {
	switch {
	case verifier == "":
		return "no code_verifier"
	case !verifierGrammar.MatchString(verifier):
		return "the code_verifier is not 43 to 128 unreserved characters"
	}
	return "the code_verifier is that of another challenge"
}

// verifies checks a PKCE verifier.
func verifies(verifier, challenge, method string) bool {
	if !verifierGrammar.MatchString(verifier) {
		return false
	}
	if method == "S256" {
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return verifier == challenge
}

// refresh mints one more access token.
func (s *Simulator) refresh(c *call, client *Client) answer {
	rt := s.findRefreshToken(c.form.Get("refresh_token"))
	if rt == nil || !s.belongs(c, rt, client) {
		return s.refuseToken(c, "invalid_code")
	}
	if rt.dc != c.site.Name {
		s.violate(WrongDataCenter, "refresh token %s of %s at %s", short(rt.token), rt.dc, c.site.Name)
		return s.refuseToken(c, s.knobs.WrongDataCenterError)
	}
	mints, key := rt.mints, "refresh token "+short(rt.token)
	if s.knobs.MintKey == PerClient {
		mints, key = s.clientWindow(client.ID, c.site.Name), "client "+client.ID
	}
	if !mints.admits(s.now(), s.knobs.mintLimit(s.knobs.Mints)) {
		if mints.shared {
			mints.shared = false // from now on the client knows
			return s.throttle()
		}
		return s.tripped(key, s.knobs.Mints)
	}
	mints.take(s.now())
	s.counts.Refreshes++
	at := s.mint(rt, s.tokenOf(rt, false))
	if !s.knobs.RotateRefreshTokens {
		return s.tokens(c, at, nil)
	}
	delete(s.refreshTokens, rt.token)
	rt.token, rt.delivered = newToken(prefixOf(rt.org)), false
	s.refreshTokens[rt.token] = rt
	s.remember(rt.token)
	return s.tokens(c, at, rt)
}

// belongs says whether a refresh token is the client's that sends it.
func (s *Simulator) belongs(c *call, rt *refreshToken, client *Client) bool {
	if rt.client == client.ID {
		return true
	}
	s.violate(OtherClient, "refresh token %s of client %s, from client %s at %s", short(rt.token), rt.client, client.ID, c.site.Name)
	return false
}

// clientCredentials mints for the self client's owner; no refresh token.
func (s *Simulator) clientCredentials(c *call, client *Client) answer {
	if client.Type != SelfClient {
		return s.refuse("invalid_client")
	}
	scopes := splitScopes(c.form.Get("scope"))
	if !s.validScopes(scopes) {
		return s.refuse("invalid_scope")
	}
	soid := c.form.Get("soid")
	for _, scope := range scopes {
		service, _, _ := strings.Cut(scope, ".")
		if slices.Contains(s.knobs.OrganizationServices, service) && !namesService(soid, service) {
			return s.refuse("missing_org_info")
		}
	}
	owner := s.owner(client)
	if owner == nil {
		return s.refuse("invalid_client")
	}
	if _, organization, _ := strings.Cut(soid, "."); s.knobs.KnownOrganizations && soid != "" && organization != owner.OrgID {
		return s.refuse("invalid_soid")
	}
	mints := s.clientWindow(client.ID, c.site.Name)
	if !mints.admits(s.now(), s.knobs.mintLimit(s.knobs.ClientMints)) {
		return s.tripped("client "+client.ID, s.knobs.ClientMints)
	}
	mints.take(s.now())
	s.counts.ClientCredentials++
	return s.tokens(c, s.mint(nil, accessToken{client: client.ID, user: owner.Email, dc: c.site.Name, scopes: scopes}), nil)
}

// clientWindow has what a client minted in a data center.
func (s *Simulator) clientWindow(client, dc string) *window { return s.window("client", client, dc) }

// tripped is a throttle that the client set off, or met while blocked.
func (s *Simulator) tripped(key string, limit int) answer {
	s.violate(ThrottleTripped, "mint above %d per %s, or inside the block, for %s", limit, s.knobs.MintWindow, key)
	return s.throttle()
}

func (s *Simulator) throttle() answer {
	s.counts.Throttled++
	return s.throttled()
}

// A tokenAnswer has its fields in the order of captured answers. Where
// expires_in_sec and id_token stand is our choice.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	APIDomain    string `json:"api_domain,omitempty"`
	TokenType    string `json:"token_type"`
	ExpiresInSec int64  `json:"expires_in_sec,omitempty"`
	ExpiresIn    any    `json:"expires_in,omitempty"` // int64, or a string
	IDToken      string `json:"id_token,omitempty"`
}

// tokens is the success answer; rt is nil where no refresh token is shown.
func (s *Simulator) tokens(c *call, at *accessToken, rt *refreshToken) answer {
	client := s.clients[at.client]
	body := tokenAnswer{AccessToken: at.token, TokenType: "Bearer"}
	marks := []*bool{&at.delivered}
	if rt != nil {
		body.RefreshToken = rt.token
		marks = append(marks, &rt.delivered)
	}
	if !s.knobs.OmitScope {
		body.Scope = s.answeredScopes(client, at.scopes)
	}
	if !s.knobs.OmitAPIDomain {
		body.APIDomain = s.apiDomain(c.site)
	}
	s.expiry(&body, client, at.scopes)
	if c.form.Get("grant_type") == "authorization_code" && slices.ContainsFunc(at.scopes, openID) {
		body.IDToken = s.idToken(c.site, at, c.nonce)
	}
	a := jsonAnswer(200, body)
	a.issued = marks
	return a
}

func (s *Simulator) apiDomain(at *site) string {
	domain := at.url(APIGateway)
	if s.knobs.AccountsPageDomain && at.bases[APIGateway] == "" {
		domain = "https://" + at.accountsPageAPI()
	}
	if s.knobs.APIDomainSlash {
		domain += "/"
	}
	return domain
}

// expiry writes expires_in in today's form, or in that of old clients.
func (s *Simulator) expiry(body *tokenAnswer, client *Client, scopes []string) {
	if s.knobs.OmitExpiresIn {
		return
	}
	seconds := int64(s.knobs.AccessTokenLifetime.Seconds())
	shown := seconds
	ofLegacy := func(scope string) bool { return ofService(scope, s.knobs.LegacyExpiresInServices) }
	if s.knobs.LegacyExpiresIn || client.LegacyExpiresIn || slices.ContainsFunc(scopes, ofLegacy) {
		body.ExpiresInSec = seconds
		shown = s.knobs.AccessTokenLifetime.Milliseconds()
	}
	body.ExpiresIn = shown
	if s.knobs.ExpiresInString {
		body.ExpiresIn = strconv.FormatInt(shown, 10)
	}
}
