// What may a token do? Zoho's scope grammar and comparison.

package zohotest

import (
	"regexp"
	"slices"
	"strings"
)

// scopeGrammar: Service.scope.OPERATION, with any number of middle parts.
var scopeGrammar = regexp.MustCompile(`^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)+$`)

// splitScopes takes commas, as documented, and spaces, as clients send them.
func splitScopes(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// validScopes says whether Zoho knows all of these scopes, of which there must
// be one at least.
func (s *Simulator) validScopes(scopes []string) bool {
	for _, scope := range scopes {
		if slices.ContainsFunc(s.knobs.UnknownScopes, func(unknown string) bool { return strings.EqualFold(scope, unknown) }) {
			return false
		}
		if !scopeGrammar.MatchString(scope) && !openID(scope) {
			return false
		}
	}
	return len(scopes) > 0
}

func openID(scope string) bool {
	return scope == "openid" || scope == "email" || scope == "profile"
}

// allows says whether granted scopes include a needed one, itself or by ALL.
func (s *Simulator) allows(granted []string, needed string) bool {
	stem := needed[:strings.LastIndexByte(needed, '.')]
	for _, scope := range granted {
		if scope == needed || scope == stem+".ALL" {
			return true
		}
		if !s.knobs.StrictScopeCase && (strings.EqualFold(scope, needed) || strings.EqualFold(scope, stem+".ALL")) {
			return true
		}
	}
	return false
}

// ofService says whether a scope belongs to one of these services.
func ofService(scope string, services []string) bool {
	service, _, _ := strings.Cut(scope, ".")
	return slices.ContainsFunc(services, func(s string) bool { return strings.EqualFold(s, service) })
}

// answeredScopes is the scope field of an answer: spaces between, and ALL
// taken apart for whom the knobs say so.
func (s *Simulator) answeredScopes(client *Client, scopes []string) string {
	var expanded []string
	for _, scope := range scopes {
		stem, all := strings.CutSuffix(scope, ".ALL")
		if !all || !s.knobs.ExpandScopes && !client.ExpandScopes && !ofService(scope, s.knobs.ExpandScopesServices) {
			expanded = append(expanded, scope)
			continue
		}
		for _, operation := range []string{"READ", "CREATE", "UPDATE", "DELETE"} {
			expanded = append(expanded, stem+"."+operation)
		}
	}
	return strings.Join(expanded, " ")
}
