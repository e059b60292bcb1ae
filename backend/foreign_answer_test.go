// Foreign answers: what a proxy, a filter or a wrong server says in Zoho's place.

package backend_test

import (
	"net/http"
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
