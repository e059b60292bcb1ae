// How is an answer of the token endpoint read? Success is an access token in it,
// whatever the status; expiry follows a rule of its own.

package zoho

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// DefaultLifetime is what an answer without expires_in means. Zoho, "access-token".
	DefaultLifetime = time.Hour
	// msThreshold: an expires_in above a day is milliseconds. Tokens live one hour;
	// old answers say 3600000.
	msThreshold = 86_400
)

// tokenAnswer is a success as Zoho writes it. Its texts, but for the two tokens, are
// Printable: they are stored, shown and logged.
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	APIDomain    string `json:"api_domain"`
	Scope        string `json:"scope"`
	Lifetime     time.Duration
}

// parseTokenAnswer reads a body of any content type. It returns an *Error unless
// the body carries an access token.
func parseTokenAnswer(status int, contentType string, body []byte, maxLifetime time.Duration) (tokenAnswer, *Error) {
	// Fields are decoded one by one: a wrong type in one that does not matter
	// must not lose a token that was minted.
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return tokenAnswer{}, classify(status, false, failure{}, contentType)
	}
	answer := tokenAnswer{
		AccessToken:  text(fields["access_token"]),
		RefreshToken: text(fields["refresh_token"]),
		TokenType:    Printable(text(fields["token_type"])),
		APIDomain:    apiDomain(text(fields["api_domain"])),
		Scope:        Printable(FormatScopes(ParseScopes(text(fields["scope"])))),
		Lifetime:     lifetime(fields["expires_in_sec"], fields["expires_in"], maxLifetime),
	}
	// An access token beside a 4xx or 5xx is no success that anyone documented;
	// beside an error word neither.
	if answer.AccessToken == "" || status >= 300 || text(fields["error"]) != "" {
		var f failure
		_ = json.Unmarshal(body, &f) // an object, as seen above
		return tokenAnswer{}, classify(status, true, f, contentType)
	}
	return answer, nil
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // anything but a string counts as absent
	return s
}

// apiDomain returns the address in api_domain without its last slash, or "" if it is no
// http or https address in ASCII. Tokens are sent there, and people are shown it. Callers use
// the data center's own API domain instead of "".
func apiDomain(address string) string {
	u, err := url.Parse(address)
	odd := strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' })
	if err != nil || odd || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(address, "?#") {
		return ""
	}
	return strings.TrimRight(address, "/")
}

// lifetime applies the rule for Zoho's two expiry fields: expires_in_sec wins;
// otherwise expires_in above a day is milliseconds; absent or senseless means one
// hour; a number may come as a string. It is never longer than limit: a token
// believed dead too early costs a mint, believed alive too long costs an outage.
func lifetime(expiresInSec, expiresIn json.RawMessage, limit time.Duration) time.Duration {
	if limit <= 0 {
		limit = DefaultLifetime
	}
	unit := time.Second
	n, ok := number(expiresInSec)
	if !ok {
		if n, ok = number(expiresIn); ok && n > msThreshold {
			unit = time.Millisecond
		}
	}
	if !ok {
		return min(DefaultLifetime, limit)
	}
	if n > int64(limit/unit) {
		return limit
	}
	return time.Duration(n) * unit
}

// number reads a positive whole number, bare or in quotes.
func number(raw json.RawMessage) (int64, bool) {
	s := strings.Trim(strings.TrimSpace(string(raw)), `"`)
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < 1 || f > 1e15 || f != f {
		return 0, false
	}
	return int64(f), true
}
