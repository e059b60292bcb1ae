// What happens to a request? It is read, noted, perhaps struck by a fault,
// answered by its endpoint under the lock, and then written or torn.

package zohotest

import (
	"bytes"
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
)

// A call is a request as the endpoints see it.
type call struct {
	site  *site
	side  side
	r     *http.Request
	query url.Values
	body  url.Values
	form  url.Values // query and body merged; the body wins

	basicID, basicSecret string
	basic                bool
}

// An endpoint answers calls; the lock is held meanwhile.
type endpoint struct {
	name   string // what Fault.Endpoint and Counts.ByEndpoint call it
	method string // the only one it has
	side   side   // which hosts have it
	answer func(*Simulator, *call) answer
}

const (
	authPath  = "/oauth/v2/auth" // where a browser starts
	tokenPath = "/oauth/v2/token"
)

// endpointAt finds what answers at a path.
func endpointAt(path string) (endpoint, bool) {
	switch path {
	case authPath, orgAuthPath, extraScopePath:
		return endpoint{"auth", http.MethodGet, accountsSide, (*Simulator).authorize}, true
	case approvePath:
		return endpoint{"auth", http.MethodPost, accountsSide, (*Simulator).approve}, true
	case signInPath:
		return endpoint{"auth", http.MethodGet, accountsSide, (*Simulator).signIn}, true
	case signedInPath:
		return endpoint{"auth", http.MethodPost, accountsSide, (*Simulator).signedIn}, true
	case "/oauth/v2/token/scopeenhance":
		return endpoint{"enhance", http.MethodPost, accountsSide, (*Simulator).scopeEnhance}, true
	case devicePath:
		return endpoint{"auth", http.MethodGet, accountsSide, (*Simulator).devicePage}, true
	case deviceApprovePath:
		return endpoint{"auth", http.MethodPost, accountsSide, (*Simulator).deviceApprove}, true
	case "/oauth/v3/device/code":
		return endpoint{"device", http.MethodPost, accountsSide, (*Simulator).deviceStart}, true
	case "/oauth/v3/device/token":
		return endpoint{"device", http.MethodPost, accountsSide, (*Simulator).devicePoll}, true
	case tokenPath:
		return endpoint{"token", http.MethodPost, accountsSide, (*Simulator).token}, true
	case "/oauth/v2/token/revoke":
		return endpoint{"revoke", http.MethodPost, accountsSide, (*Simulator).revokeOld}, true
	case "/oauth/v2/revoke/token":
		return endpoint{"revoke", http.MethodPost, accountsSide, (*Simulator).revokeNew}, true
	case "/oauth/serverinfo":
		return endpoint{"serverinfo", http.MethodGet, accountsSide, (*Simulator).serverInfo}, true
	case "/oauth/user/info":
		return endpoint{"api", http.MethodGet, accountsSide, (*Simulator).userInfo}, true
	case "/api/v1/organizations":
		return endpoint{"api", http.MethodGet, apiSide, (*Simulator).deskOrganizations}, true
	}
	switch crmPath(path) {
	case "/org":
		return endpoint{"api", http.MethodGet, apiSide, (*Simulator).crmOrg}, true
	case "/users":
		return endpoint{"api", http.MethodGet, apiSide, (*Simulator).crmUsers}, true
	}
	return endpoint{}, false
}

// crmPath is what follows the version in a path of CRM; clients in the wild use
// v2 to v8.
func crmPath(path string) string {
	rest, found := strings.CutPrefix(path, "/crm/v")
	if !found || rest == "" || rest[0] < '2' || rest[0] > '8' {
		return ""
	}
	return rest[1:]
}

// maxBody is far above any OAuth request.
const maxBody = 1 << 20

// readCall reads a request, body and all. It fails only if the body does.
func readCall(at *site, side side, r *http.Request) (*call, error) {
	c := &call{site: at, side: side, r: r, query: url.Values{}, body: url.Values{}, form: url.Values{}}
	if query, err := url.ParseQuery(r.URL.RawQuery); err == nil || query != nil {
		c.query = query
	}
	if r.Body != nil {
		raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			return nil, err
		}
		c.body = parseBody(r.Header.Get("Content-Type"), raw)
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
func parseBody(contentType string, raw []byte) url.Values {
	mediaType, params, _ := mime.ParseMediaType(contentType)
	switch mediaType {
	case "application/x-www-form-urlencoded":
		if form, _ := url.ParseQuery(string(raw)); form != nil {
			return form
		}
	case "multipart/form-data":
		form, err := multipart.NewReader(bytes.NewReader(raw), params["boundary"]).ReadForm(maxBody)
		if err == nil {
			return form.Value
		}
	}
	return url.Values{}
}

// answerTo serves a call, and notes it. It takes the lock itself.
func (s *Simulator) answerTo(ctx context.Context, c *call) answer {
	at, known := endpointAt(c.r.URL.Path)
	known = known && (c.side == bothSides || c.side == at.side)
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
	for _, name := range []string{"client_secret", "code", "refresh_token", "token", "access_token", "code_verifier"} {
		if c.query.Get(name) != "" {
			s.violate(SecretInQuery, "%s in the query of %s at %s", name, c.r.URL.Path, c.site.Name)
		}
		s.remember(c.form.Get(name))
	}
	if at.name != "token" && at.name != "device" && at.name != "enhance" {
		return
	}
	s.counts.ByGrant[grantName(c.form.Get("grant_type"))]++
	if c.basic {
		s.remember(c.basicSecret)
		s.violate(BasicAuth, "client %s at %s", c.basicID, c.site.Name)
	}
	if tried, known := s.codes.get(c.form.Get("code")); known && c.r.Method == at.method {
		tried.tries++
		late := max(0, s.now().Sub(tried.expires))
		switch {
		case tried.tries > 1:
			s.violate(CodeTriedTwice, "code %s of client %s, attempt %d, %s late", short(tried.text), tried.client, tried.tries, late)
		case !s.now().Before(tried.expires):
			s.violate(CodeTriedLate, "code %s of client %s, %s late", short(tried.text), tried.client, late)
		}
	}
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

// delivered marks an answer's tokens as known to the client, or takes it back.
func (s *Simulator) delivered(a answer, yes bool) {
	if len(a.issued) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, mark := range a.issued {
		*mark = yes
	}
	if !yes {
		s.counts.Undelivered++
	}
}
