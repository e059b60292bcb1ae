// Serving: a request is read, noted, perhaps struck by a fault, answered by its endpoint under
// the lock, and then written or torn.

package zohotest

import (
	"bytes"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
)

// A call is a request as the endpoints see it.
type call struct {
	site    *site
	service Service
	at      endpoint // the zero endpoint if there is none at the path
	r       *http.Request
	query   url.Values
	body    url.Values
	form    url.Values // query and body merged; the body wins

	basicID, basicSecret string
	basic                bool
	unreadable           bool // there is a body, and it is no form

	nonce string // of the code that is exchanged

	told []*bool // what the client knows once the answer has arrived
}

// An endpoint answers calls; the lock is held meanwhile.
type endpoint struct {
	name    string // what Fault.Endpoint and Counts.ByEndpoint call it
	method  string // the only one it has
	path    string
	service Service  // whose hosts have it
	grants  []string // values of grant_type that it takes
	own     bool     // a page of the simulator's own, which portals have too
	answer  func(*Simulator, *call) answer
}

const (
	authPath  = "/oauth/v2/auth" // where a browser starts
	tokenPath = "/oauth/v2/token"
)

// endpoints are all there are.
var endpoints []endpoint

func init() { // the functions refer to the table
	endpoints = []endpoint{
		{name: "auth", method: http.MethodGet, path: authPath, service: AccountsServer, answer: (*Simulator).authorize},
		{name: "auth", method: http.MethodGet, path: orgAuthPath, service: AccountsServer, answer: (*Simulator).authorize},
		{name: "auth", method: http.MethodGet, path: extraScopePath, service: AccountsServer, answer: (*Simulator).authorize},
		{name: "auth", method: http.MethodPost, path: approvePath, service: AccountsServer, own: true, answer: (*Simulator).approve},
		{name: "auth", method: http.MethodGet, path: signInPath, service: AccountsServer, own: true, answer: (*Simulator).signIn},
		{name: "auth", method: http.MethodPost, path: signedInPath, service: AccountsServer, own: true, answer: (*Simulator).signedIn},
		{name: "auth", method: http.MethodGet, path: devicePath, service: AccountsServer, answer: (*Simulator).devicePage},
		{name: "auth", method: http.MethodPost, path: deviceApprovePath, service: AccountsServer, answer: (*Simulator).deviceApprove},
		{name: "token", method: http.MethodPost, path: tokenPath, service: AccountsServer, answer: (*Simulator).token,
			grants: []string{"authorization_code", "refresh_token", "client_credentials"}},
		{name: "enhance", method: http.MethodPost, path: "/oauth/v2/token/scopeenhance", service: AccountsServer, answer: (*Simulator).scopeEnhance,
			grants: []string{"update_scopes_token"}},
		{name: "device", method: http.MethodPost, path: "/oauth/v3/device/code", service: AccountsServer, answer: (*Simulator).deviceStart,
			grants: []string{"device_request"}},
		{name: "device", method: http.MethodPost, path: "/oauth/v3/device/token", service: AccountsServer, answer: (*Simulator).devicePoll,
			grants: []string{"device_token"}},
		{name: "revoke", method: http.MethodPost, path: "/oauth/v2/token/revoke", service: AccountsServer, answer: (*Simulator).revokeOld},
		{name: "revoke", method: http.MethodPost, path: "/oauth/v2/revoke/token", service: AccountsServer, answer: (*Simulator).revokeNew},
		{name: "auth", method: http.MethodGet, path: portalPrefix + "*/auth", service: PortalServer, answer: (*Simulator).authorize},
		{name: "token", method: http.MethodPost, path: portalPrefix + "*/token", service: PortalServer, answer: (*Simulator).token,
			grants: []string{"authorization_code", "refresh_token"}},
		{name: "revoke", method: http.MethodPost, path: portalPrefix + "*/token/revoke", service: PortalServer, answer: (*Simulator).revokeOld},
		{name: "openid", method: http.MethodGet, path: discoveryPath, service: AccountsServer, answer: (*Simulator).discovery},
		{name: "openid", method: http.MethodGet, path: keysPath, service: AccountsServer, answer: (*Simulator).keys},
		{name: "api", method: http.MethodGet, path: userinfoPath, service: AccountsServer, answer: (*Simulator).userinfo},
		{name: "serverinfo", method: http.MethodGet, path: "/oauth/serverinfo", service: AccountsServer, answer: (*Simulator).serverInfo},
		{name: "api", method: http.MethodGet, path: "/oauth/user/info", service: AccountsServer, answer: (*Simulator).userInfo},
		{name: "api", method: http.MethodGet, path: "/crm/v8/org", service: APIGateway, answer: (*Simulator).crmOrg},
		{name: "api", method: http.MethodGet, path: "/crm/v8/users", service: APIGateway, answer: (*Simulator).crmUsers},
		{name: "api", method: http.MethodGet, path: "/api/v1/organizations", service: DeskServer, answer: (*Simulator).deskOrganizations},
	}
}

// endpointAt finds what answers at a path.
func endpointAt(path string) (endpoint, bool) {
	path = tablePath(path)
	for _, e := range endpoints {
		if e.path == path {
			return e, true
		}
	}
	return endpoint{}, false
}

// anyCRM begins the paths of all versions of CRM; clients in the wild use v2 to v8.
var anyCRM = regexp.MustCompile(`^/crm/v[2-8]\b`)

// tablePath is a path, or the beginning of one, as the table of endpoints has it: with the
// newest version of CRM, and any portal.
func tablePath(path string) string {
	path = anyCRM.ReplaceAllString(path, "/crm/v8")
	if _, rest, found := portalPath(path); found {
		path = portalPrefix + "*" + rest
	}
	return path
}

// maxBody is far above any OAuth request.
const maxBody = 1 << 20

// readCall reads a request, body and all. It fails only if the body does.
func readCall(at *site, service Service, r *http.Request) (*call, error) {
	c := &call{site: at, service: service, r: r, query: r.URL.Query(), body: url.Values{}, form: url.Values{}}
	if r.Body != nil {
		raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			return nil, err
		}
		form, ok := parseBody(r.Header.Get("Content-Type"), raw)
		c.body, c.unreadable = form, !ok && len(raw) > 0
	}
	for name, values := range c.query {
		c.form[name] = values
	}
	for name, values := range c.body {
		c.form[name] = values
	}
	c.basicID, c.basicSecret, c.basic = r.BasicAuth()
	return c, nil
}

// parseBody reads both documented forms (Zoho, refresh). What it cannot read
// counts as absent.
func parseBody(contentType string, raw []byte) (form url.Values, ok bool) {
	mediaType, params, _ := mime.ParseMediaType(contentType)
	switch mediaType {
	case "application/x-www-form-urlencoded":
		form, _ = url.ParseQuery(string(raw)) // has what could be read
		return form, true
	case "multipart/form-data":
		form, err := multipart.NewReader(bytes.NewReader(raw), params["boundary"]).ReadForm(maxBody)
		if err == nil {
			return form.Value, true
		}
	}
	return url.Values{}, false
}

// answerTo serves a call, and notes it. It takes the lock itself.
func (s *Simulator) answerTo(ctx context.Context, c *call) answer {
	at, known := endpointAt(c.r.URL.Path)
	c.at = at
	s.mu.Lock()
	s.looksForSecrets(c)
	if known && c.service != at.service && !(at.own && c.service == PortalServer) {
		s.violate(WrongHost, "%s at the host of %s of %s; it is at that of %s", c.r.URL.Path, c.service, c.site.Name, at.service)
		known = false
	}
	s.mu.Unlock()
	a := s.answerAt(ctx, at, known, c)
	s.answered(at, known, c, a)
	return a
}

func (s *Simulator) answerAt(ctx context.Context, at endpoint, known bool, c *call) answer {
	if !known {
		s.mu.Lock()
		s.counts.ByEndpoint["other"]++
		origin := s.corsOrigin(at, c)
		s.mu.Unlock()
		a := page(http.StatusNotFound, "Page not found", "The page you are looking for does not exist.")
		switch {
		case origin == "":
		case c.isPreflight():
			// The page's own call shows that the path is unknown.
			at.method = c.r.Header.Get("Access-Control-Request-Method")
			a = preflight(at, c, origin)
		default:
			a = a.readableFrom(origin)
		}
		return a
	}
	s.mu.Lock()
	origin := s.corsOrigin(at, c)
	if origin != "" && c.isPreflight() {
		s.counts.ByEndpoint["preflight"]++
		s.mu.Unlock()
		return preflight(at, c, origin)
	}
	s.arrived(at, c)
	fault, struck := s.takeFault(at.name, c.site.Name, c.r.URL.Path, c.form.Get("grant_type"))
	s.mu.Unlock()
	if struck {
		if a, ok := s.before(ctx, c, fault); !ok {
			if origin != "" && a.header != nil {
				a = a.readableFrom(origin)
			}
			return a
		}
	}
	s.mu.Lock()
	var a answer
	if c.r.Method != at.method {
		a = page(http.StatusBadRequest, "Invalid Request", "The request method is not allowed.")
	} else {
		a = at.answer(s, c)
	}
	if a.refused {
		s.wasRefused(c)
	}
	a.told = append(a.told, c.told...)
	s.mu.Unlock()
	if struck {
		a = s.after(ctx, fault, a)
	}
	if origin != "" {
		a = a.readableFrom(origin)
	}
	return a
}

// arrived notes what can be seen on the wire before anything is decided.
func (s *Simulator) arrived(at endpoint, c *call) {
	s.sweep()
	s.counts.ByEndpoint[at.name]++
	switch at.name {
	case "auth":
		s.counts.AuthCalls++
	case "token":
		s.counts.TokenCalls++
	case "revoke":
		s.counts.RevokeCalls++
	case "device":
		s.counts.DeviceCalls++
	case "api":
		s.counts.APICalls++
	}
	if c.r.Method != at.method {
		s.violate(WrongMethod, "%s %s at %s", c.r.Method, c.r.URL.Path, c.site.Name)
	}
	for _, name := range secretParameters {
		s.remember(c.form.Get(name))
	}
	if c.unreadable {
		s.violate(NotAForm, "a body of type %q at %s of %s", shownName(c.r.Header.Get("Content-Type")), c.r.URL.Path, c.site.Name)
	}
	if at.name != "token" && at.name != "device" && at.name != "enhance" {
		return
	}
	s.counts.ByGrant[grantName(c.form.Get("grant_type"))]++
	if c.basic {
		s.remember(c.basicSecret)
	}
	s.triesCode(c)
}

// grantName keeps counters bounded whatever a client sends.
func grantName(grant string) string {
	switch grant {
	case "authorization_code", "refresh_token", "client_credentials", "device_request", "device_token", "update_scopes_token":
		return grant
	case "":
		return "none"
	}
	return "other"
}

// delivered marks what an answer says as known to the client. For its tokens it also takes
// that back.
func (s *Simulator) delivered(a answer, yes bool) {
	if len(a.issued) == 0 && len(a.told) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, mark := range a.told {
		*mark = *mark || yes
	}
	if len(a.issued) == 0 {
		return
	}
	for _, mark := range a.issued {
		*mark = yes
	}
	if !yes {
		s.counts.Undelivered++
	}
}
