// How is a list of scopes written? Commas in Zoho's documents, spaces in its
// answers, both in the wild: all are read, one form is sent.

package zoho

import (
	"slices"
	"strings"
)

// ParseScopes splits what a person pasted: commas, spaces or line ends, in any
// mix. Order and case are kept, repetitions dropped. Nothing is validated: only
// Zoho knows its scopes.
func ParseScopes(text string) []string {
	var scopes []string
	for _, scope := range strings.FieldsFunc(text, func(r rune) bool {
		return r == ',' || r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == ';'
	}) {
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// FormatScopes joins scopes as Zoho documents it for a request.
func FormatScopes(scopes []string) string { return strings.Join(scopes, ",") }

// MissingScopes returns the requested scopes that were not granted. Zoho expands
// a trailing ALL into its operations and changes case, so either form counts.
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
