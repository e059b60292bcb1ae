// Misbehavior that is seen on the wire: secrets in the wrong place, calls that were refused
// and are sent again, tokens that are used after they were refused.

package zohotest

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// repeatable is how often one refused call may be sent within repeatWindow: an operator tries
// again after a correction, and a client may come back after a wait. Two calls are the same if
// they agree in endpoint, data center, grant type, client, client secret, token, scopes and
// organization.
const (
	repeatable   = 3
	repeatWindow = 10 * time.Minute
)

// keptRefusals bounds how many refused calls, codes and tokens are remembered, of each kind.
const keptRefusals = 10_000

// keptPerCall bounds how many refusals of one call are remembered; some of them may not have
// arrived.
const keptPerCall = 10 * repeatable

// looksForSecrets records secrets that stand where logs and histories keep them.
func (s *Simulator) looksForSecrets(c *call) {
	path := c.r.URL.Path
	for name, values := range c.query {
		for _, value := range values {
			switch {
			case value == "" || name == "code_challenge" || name == "enhance_token" && path == extraScopePath: // their places
			case name == "state" && s.isSecret(value):
				s.violate(SecretInState, "a secret as state of %s at %s", c.shownPath(), c.site.Name)
			case slices.Contains(secretParameters, name) || s.isSecret(value):
				s.violate(SecretInQuery, "%s in the query of %s at %s", shownName(name), c.shownPath(), c.site.Name)
			}
		}
	}
	for segment := range strings.SplitSeq(path, "/") {
		if s.isSecret(segment) {
			s.violate(SecretInPath, "a secret in the path of a request at %s", c.site.Name)
		}
	}
	for name, values := range c.r.Header {
		if name == "Referer" && c.at.own {
			continue // of the page before, whose address may hold an enhance token
		}
		for _, value := range values {
			if s.secretInHeader(name, value) {
				s.violate(SecretInHeader, "a secret in the header %s of %s at %s", shownName(name), c.shownPath(), c.site.Name)
			}
		}
	}
}

// secretParameters are secret whatever their value is.
var secretParameters = []string{"client_secret", "code", "refresh_token", "token", "access_token", "code_verifier", "device_code"}

// secretInHeader says whether a header carries a secret that it must not carry. An access
// token belongs into Authorization, and a client's id and secret into Basic.
func (s *Simulator) secretInHeader(name, value string) bool {
	if name == "Authorization" {
		scheme, credentials, _ := strings.Cut(value, " ")
		credentials = strings.TrimSpace(credentials)
		if strings.EqualFold(scheme, "Basic") {
			decoded, _ := base64.StdEncoding.DecodeString(credentials)
			_, password, _ := strings.Cut(string(decoded), ":")
			return tokenGrammar.MatchString(password) && s.isSecret(password)
		}
		return s.isLongLived(credentials)
	}
	for part := range strings.FieldsFuncSeq(value, func(r rune) bool { return strings.ContainsRune(" \t,;=&?\"", r) }) {
		if s.isSecret(part) {
			return true
		}
	}
	return false
}

// tokenGrammar is that of codes and tokens.
var tokenGrammar = regexp.MustCompile(`^100[0-9]\.[0-9a-f]{32}\.[0-9a-f]{32}$`)

// isSecret says whether a text is a secret that was issued here or shown here.
func (s *Simulator) isSecret(text string) bool {
	if len(text) < minSecret {
		return false
	}
	_, shown := s.secrets.get(text)
	return shown || s.clientSecrets[text]
}

// isLongLived says whether a text is a secret other than an access token: a code, a refresh
// token, or the secret of a client.
func (s *Simulator) isLongLived(text string) bool {
	_, code := s.codes.get(text)
	_, device := s.deviceCodes.get(text)
	return s.clientSecrets[text] || s.refreshTokens[text] != nil || code || device
}

// shownPath is a path that may stand in a violation: one of an endpoint.
func (c *call) shownPath() string {
	if c.at.name != "" {
		return c.r.URL.Path
	}
	return "an unknown path"
}

// shownName is a name that a client made up, shortened.
func shownName(name string) string { return name[:min(len(name), 40)] }

// triesCode counts the arrivals of an authorization code at the token endpoint, also of one
// that never was.
func (s *Simulator) triesCode(c *call) {
	text := c.form.Get("code")
	if text == "" || c.r.Method != http.MethodPost {
		return
	}
	if tried, known := s.codes.get(text); known {
		tried.tries++
		late := max(0, s.now().Sub(tried.expires))
		switch {
		case tried.tries > 1:
			s.violate(CodeTriedTwice, "code %s of client %s, attempt %d, %s late", short(tried.text), tried.client, tried.tries, late)
		case !s.now().Before(tried.expires):
			s.violate(CodeTriedLate, "code %s of client %s, %s late", short(tried.text), tried.client, late)
		}
		return
	}
	if c.form.Get("grant_type") != "authorization_code" {
		return // the code of a device, which is polled for
	}
	first, again := s.unknownCodes.get(text)
	if !again {
		s.unknownCodes.put(text, s.now())
		return
	}
	s.violate(CodeTriedTwice, "code %s, which is not known, again, %s late", short(text), s.now().Sub(first))
}

// A refusal is an answer that refused a call for good.
type refusal struct {
	at    time.Time
	told  bool // it arrived
	basic bool // the client authenticated with a Basic header
}

// wasRefused counts a call that Zoho refused for good. A client that knows and sends it again
// and again does not stop.
func (s *Simulator) wasRefused(c *call) {
	id, secret := c.client()
	grant := grantName(c.form.Get("grant_type"))
	same := []string{c.r.URL.Path, c.site.Name, grant, id, secret}
	anybodys := id == ""
	for _, name := range []string{"refresh_token", "token", "code", "scope", "soid"} {
		value := c.form.Get(name)
		same, anybodys = append(same, value), anybodys && value == ""
	}
	if anybodys {
		return
	}
	key := strings.Join(same, "\x00")
	seen, _ := s.refusals.get(key)
	known := slices.DeleteFunc(slices.Clone(seen), func(r *refusal) bool { return !r.told || s.now().Sub(r.at) >= repeatWindow })
	now := &refusal{at: s.now(), basic: c.basic}
	c.told = append(c.told, &now.told)
	s.refusals.put(key, append(newest(seen, keptPerCall), now))
	if slices.ContainsFunc(known, func(r *refusal) bool { return r.basic != c.basic }) {
		s.violate(AuthStyleProbed, "%s with grant type %s of client %s at %s", c.r.URL.Path, grant, shownName(id), c.site.Name)
	}
	if len(known) >= repeatable {
		s.violate(RefusedCallRepeated, "%s with grant type %s of client %s at %s: refused more than %d times in %s, with the same secrets",
			c.r.URL.Path, grant, shownName(id), c.site.Name, repeatable, repeatWindow)
	}
}

// underWay is how long after a refusal calls may still arrive that began before it.
const underWay = 10 * time.Second

// deadToken is what becomes of an access token that the APIs of a data center refuse: a client
// that was told does not send it again. Calls that were under way meanwhile are no misbehavior.
func (s *Simulator) deadToken(c *call, token string) (told *bool) {
	key := strings.Join([]string{c.site.Name, token}, " ")
	first, known := s.deadTokens.get(key)
	if !known {
		first = &refusal{at: s.now()}
		s.deadTokens.put(key, first)
	}
	if first.told && s.now().Sub(first.at) >= underWay {
		s.violate(DeadTokenUsed, "access token %s at %s of %s, after it was refused", short(token), c.service, c.site.Name)
	}
	return &first.told
}
