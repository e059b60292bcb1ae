// What may the page do? Show itself, with its one style, and nothing else.

package page

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
)

//go:embed page.css
var style string

// Policy is the Content-Security-Policy for the page, also in a meta element of it.
var Policy = "default-src 'none'; style-src 'sha256-" + digest(style) + "'; base-uri 'none'; form-action 'none'"

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Headers are for whoever serves the page and may send headers of its own. Only
// a header can forbid framing; a frame around this page gains nothing, since
// there is nothing on it that acts.
func Headers() map[string][]string {
	return map[string][]string{
		"Content-Security-Policy": {Policy + "; frame-ancestors 'none'"},
		"Referrer-Policy":         {"no-referrer"},
		"X-Frame-Options":         {"DENY"},
		"X-Content-Type-Options":  {"nosniff"},
		"Cache-Control":           {"no-store"},
	}
}
