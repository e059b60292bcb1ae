// How is a list of scopes written? Commas in Zoho's documents, spaces in its
// answers, both in the wild: all are read, one form is sent.

package zoho

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// ParseScopes splits what a person pasted: commas, spaces or line ends, in any
// mix. Order and case are kept, repetitions dropped. Nothing is validated here, since
// Zoho's answers are read too; see CheckScopes.
func ParseScopes(text string) []string {
	var scopes []string
	for _, scope := range strings.FieldsFunc(text, func(r rune) bool {
		return r == ',' || r == ';' || unicode.IsSpace(r)
	}) {
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// Bounds of what a person may ask for. Zoho documents none; these are far above what
// its products have.
const (
	maxScopes = 200
	maxScope  = 128
)

// CheckScopes refuses text that cannot be a scope, because scopes appear in addresses and
// in commands that people run. It does not know which scopes Zoho has.
func CheckScopes(scopes []string) error {
	if len(scopes) > maxScopes {
		return fmt.Errorf("%d scopes are too many; give at most %d", len(scopes), maxScopes)
	}
	for _, scope := range scopes {
		if len(scope) > maxScope || !Identifier(scope) {
			return fmt.Errorf("%.40q is not a scope; a scope has up to %d letters, digits, '.', '_' and '-', and begins with a letter or digit, such as ZohoCRM.modules.ALL", scope, maxScope)
		}
	}
	return nil
}

// FormatScopes joins scopes as Zoho documents it for a request.
func FormatScopes(scopes []string) string { return strings.Join(scopes, ",") }

// HasScope reports whether scopes have one, word for word. Zoho takes scopes in every case.
func HasScope(scopes []string, scope string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool { return strings.EqualFold(s, scope) })
}

// NewScopes returns the scopes that are not among those that are known, word for word.
func NewScopes(scopes, known []string) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool { return HasScope(known, scope) })
}

// MissingScopes returns the requested scopes that were not granted. Zoho expands
// a trailing ALL into its operations and changes case, so either form counts. Which
// operations a product has is not known: so a partly granted ALL is not noticed.
func MissingScopes(requested, granted []string) []string {
	var missing []string
	for _, want := range requested {
		if !slices.ContainsFunc(granted, func(got string) bool { return covers(want, got) }) {
			missing = append(missing, want)
		}
	}
	return missing
}

// covers reports whether a granted scope is the wanted one or part of its
// expansion: ZohoCRM.modules.ALL is answered as ZohoCRM.modules.READ and so on.
func covers(want, got string) bool {
	want, got = strings.ToLower(want), strings.ToLower(got)
	if want == got {
		return true
	}
	stem, all := strings.CutSuffix(want, ".all")
	return all && strings.HasPrefix(got, stem+".")
}
