// Foreign answers: what a proxy, a filter or a wrong server says in Zoho's place.

package backend_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// A person who only reads has no config and no fields of a write to check.
func TestAnswerThatIsNotZohosNamesProxyAndServer(t *testing.T) {
	for name, a := range map[string]struct {
		fault zohotest.Fault
		body  string // answered in place of the fault
		kind  string
	}{
		"a page, 403": {fault: zohotest.Fault{Kind: zohotest.HTML, Status: 403}, kind: "text/html"},
		"a page, 400": {fault: zohotest.Fault{Kind: zohotest.HTML, Status: 400}, kind: "text/html"},
		"JSON, 403":   {body: `{"message":"Forbidden"}`, kind: "application/json"},
		// These were taken for Zoho's throttle, which waits instead of naming the cause.
		"JSON, with a status":        {body: `{"timestamp":"2026-11-30T12:00:00","status":403,"error":"Forbidden","path":"/oauth/v2/token"}`, kind: "application/json"},
		"JSON, one word":             {body: `{"error":"Unauthorized"}`, kind: "application/json"},
		"JSON, one upper-case word":  {body: `{"error":"FORBIDDEN"}`, kind: "application/json"},
		"JSON, the name of a status": {body: `{"status":404,"error":"Not Found"}`, kind: "application/json"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.connect("crm")
				m.hours()
				spoil := func() {
					if a.body == "" {
						m.zoho.Fault(a.fault)
						return
					}
					m.tap(func(r *http.Request, _ string) (int, string) {
						if strings.HasSuffix(r.URL.Path, "/oauth/v2/token") {
							return 403, a.body
						}
						return 0, ""
					})
				}
				words := []string{"not an answer of Zoho's OAuth", "proxy", "filter", "data_center", "accounts_urls", "HTTP 40", a.kind}
				landed := m.consent("books", nil, zohotest.Consent{})
				spoil()
				m.refused(logical.ReadOperation, "creds/crm", nil, 400, words...)
				m.refused(logical.UpdateOperation, "creds/books", data{"callback_url": landed}, 400, append(words, "authorize/books")...)
				if text := m.read("status/crm")["remedy"]; !strings.Contains(text.(string), "proxy") {
					t.Errorf("the remedy in status is %v", text)
				}
				if _, err := m.try(logical.ReadOperation, "creds/crm", nil); err == nil || strings.Contains(err.Error(), "this write") {
					t.Errorf("a read is told: %v", err)
				}
			})
		})
	}
}

// A text of Zoho's is stored, shown and logged; see zoho/answer_test.go for all texts.
func TestInvisibleCharactersInZohosScopesAreReplaced(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.tap(func(r *http.Request, _ string) (int, string) {
			if strings.HasSuffix(r.URL.Path, "/oauth/v2/token") {
				return 200, `{"access_token":"1000.a.b","refresh_token":"1000.c.d","expires_in":3600,"token_type":"Bearer\u001b[31m","scope":"a\u001b[31mb c\u202ed","api_domain":"https://www.zohoapis.com\u202e"}`
			}
			return 0, ""
		})
		m.write("creds/crm", data{"callback_url": landed})
		status, creds := m.read("status/crm"), m.read("creds/crm")
		if shown := fmt.Sprint(status, creds, m.logs.String()); strings.ContainsAny(shown, "\x1b\u202e") {
			t.Errorf("shown: %q", shown)
		}
		if creds["api_domain"] != "https://www.zohoapis.com" || !slices.Equal(status["granted_scopes"].([]string), []string{"a?[31mb", "c?d"}) {
			t.Errorf("api_domain is %q, granted_scopes %q", creds["api_domain"], status["granted_scopes"])
		}
	})
}
