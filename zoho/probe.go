// Does a token work, and whose is it? Two cheap questions to Zoho that mint
// nothing.

package zoho

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Person is whose account a token belongs to.
type Person struct{ ZUID, Email, Name string }

// Organization is which organisation a token works in.
type Organization struct{ ID, Name string }

// UserInfo asks the accounts server whose token it is; that needs the scope
// AaaServer.profile.READ. Zoho, "oauth/user/info".
func (c *Client) UserInfo(ctx context.Context, token Secret) (p Person, err error) {
	defer c.ended(ctx, CallProbe, &err)
	base := c.AccountsURL
	if u, err := url.Parse(base); err == nil {
		base = u.Scheme + "://" + u.Host // a portal's base path has no user info
	}
	fields, err := c.ask(ctx, base+"/oauth/user/info", token)
	if err != nil {
		return Person{}, err
	}
	p = Person{ZUID: Printable(textOrNumber(fields["ZUID"])), Email: Printable(text(fields["Email"])), Name: Printable(text(fields["Display_Name"]))}
	if p.ZUID == "" && p.Email == "" { // an error that Zoho answers with status 200
		return Person{}, &Error{Kind: Unavailable, Server: c.host(), Sent: true, reason: "no user in the answer"}
	}
	return p, nil
}

// CRMOrganization asks Zoho CRM in which organisation the token works; that needs
// the scope ZohoCRM.org.READ.
func (c *Client) CRMOrganization(ctx context.Context, apiDomain string, token Secret) (org Organization, err error) {
	defer c.ended(ctx, CallProbe, &err)
	fields, err := c.ask(ctx, apiDomain+"/crm/v8/org", token)
	if err != nil {
		return Organization{}, err
	}
	var orgs []map[string]json.RawMessage
	if err := json.Unmarshal(fields["org"], &orgs); err != nil || len(orgs) == 0 {
		_, host, _ := strings.Cut(apiDomain, "://")
		return Organization{}, &Error{Kind: Unavailable, Server: host, Sent: true, Answered: true, reason: "no organization in the answer"}
	}
	return Organization{ID: Printable(textOrNumber(firstRaw(orgs[0], "zgid", "id"))), Name: Printable(text(orgs[0]["company_name"]))}, nil
}

func firstRaw(fields map[string]json.RawMessage, names ...string) json.RawMessage {
	for _, name := range names {
		if raw, ok := fields[name]; ok {
			return raw
		}
	}
	return nil
}

// textOrNumber reads an identifier, which Zoho writes either way. Digits stay as
// they are: as a float a long one would lose some.
func textOrNumber(raw json.RawMessage) string {
	var n json.Number
	if s := text(raw); s != "" || json.Unmarshal(raw, &n) != nil {
		return s
	}
	return n.String()
}

// ScopeMissing reports whether a token works and only lacks a scope for what was asked.
func (e *Error) ScopeMissing() bool {
	return e.Code == "INVALID_OAUTHSCOPE" || e.Code == "OAUTH_SCOPE_MISMATCH"
}

// PermissionMissing reports whether a token works and the profile of its user does not
// allow what was asked. CRM answers so to every call until an administrator allows API
// access in the profile (Crm_Implied_Api_Access).
func (e *Error) PermissionMissing() bool {
	return e.Status == http.StatusForbidden && e.Code == "NO_PERMISSION"
}

// apiCodes are the codes of APIs that an error may repeat. Any other text is not repeated.
var apiCodes = []string{"INVALID_OAUTHSCOPE", "OAUTH_SCOPE_MISMATCH", "NO_PERMISSION", "INVALID_TOKEN", "INVALID_OAUTHTOKEN", "AUTHENTICATION_FAILURE"}

// ask makes one GET with a token and returns the fields of the answer.
func (c *Client) ask(ctx context.Context, address string, token Secret) (fields map[string]json.RawMessage, err error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, c.cleaned(err, nil)
	}
	req.Header.Set("Authorization", "Zoho-oauthtoken "+string(token))
	req.Close = true // without an answer a new grant may be given up
	r, err := send(c.Transport, req)
	if err != nil {
		return nil, err
	}
	isJSON := json.Unmarshal(r.body, &fields) == nil
	if r.status == http.StatusOK && isJSON {
		return fields, nil
	}
	e := classifyAPI(r, fields, isJSON)
	e.Server, e.RetryAfter = req.URL.Host, r.retryAfter
	return nil, e
}

// classifyAPI turns an API's answer into an Error. A 401 in Zoho's own words is a refusal
// of the grant, or of the request where Zoho says that only a scope is missing; a page
// says nothing of the token, whatever its status.
func classifyAPI(r reply, fields map[string]json.RawMessage, isJSON bool) *Error {
	var f failure
	_ = json.Unmarshal(r.body, &f) // a page has none of it
	e := &Error{Kind: Unavailable, Status: r.status, Sent: true, Answered: true}
	if code := strings.ToUpper(text(firstRaw(fields, "cause", "code"))); slices.Contains(apiCodes, code) {
		e.Code = code
	}
	switch {
	case transient(r.status):
	case e.ScopeMissing(), e.PermissionMissing():
		e.Kind, e.About = Refused, AboutRequest
	case r.status == http.StatusTooManyRequests, r.status < 500 && f.throttle() && f.described():
		e.Kind = Throttled
	case r.status == http.StatusNoContent:
		e.Kind, e.About, e.reason = Refused, AboutRequest, "no content in the answer"
	case !isJSON && r.status >= 400 && r.status < 500:
		e.Kind, e.About, e.reason = Refused, AboutServer, "a page instead of JSON, "+mediaType(r.contentType)
	case !isJSON && r.status < 500:
		e.reason = "a page instead of JSON, " + mediaType(r.contentType)
	case r.status == http.StatusUnauthorized, e.Code == "INVALID_TOKEN", e.Code == "INVALID_OAUTHTOKEN":
		e.Kind, e.About = Refused, AboutGrant
	case r.status < 500:
		e.Kind, e.About = Refused, AboutRequest
	}
	return e
}
