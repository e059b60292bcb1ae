// CORS: whether a page of another origin may read answers. Nothing that this project
// knows says what Zoho sends, so the simulator sends nothing unless a test asks for it.

package zohotest

import (
	"net/http"
	"slices"
)

// corsOrigin is the Access-Control-Allow-Origin of a call; empty if its page may not
// read the answer. Pages for people are never read by other pages.
func (s *Simulator) corsOrigin(at endpoint, c *call) string {
	origin := c.r.Header.Get("Origin")
	if origin == "" || at.name == "auth" {
		return ""
	}
	if slices.Contains(s.knobs.CORSOrigins, "*") || slices.Contains(s.knobs.CORSOrigins, origin) {
		return origin
	}
	return ""
}

// isPreflight says whether a browser asks before the call of a page of another origin.
func (c *call) isPreflight() bool {
	return c.r.Method == http.MethodOptions && c.r.Header.Get("Access-Control-Request-Method") != ""
}

// preflight permits the endpoint's method, and the headers that the browser names.
func preflight(at endpoint, c *call, origin string) answer {
	a := answer{status: http.StatusNoContent, header: http.Header{"Access-Control-Allow-Methods": {at.method}}}
	if wanted := c.r.Header.Get("Access-Control-Request-Headers"); wanted != "" {
		a.header.Set("Access-Control-Allow-Headers", wanted)
	}
	return a.readableFrom(origin)
}

// readableFrom lets pages of an origin read an answer.
func (a answer) readableFrom(origin string) answer {
	a.header.Set("Access-Control-Allow-Origin", origin)
	a.header.Add("Vary", "Origin")
	return a
}
