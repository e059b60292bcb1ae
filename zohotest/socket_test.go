// Does it work over real sockets, with a browser, and when connections tear?

package zohotest_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

// listening is an app over sockets, with a browser's patience: it does not
// follow the last redirect.
func listening(t *testing.T) app {
	t.Helper()
	zoho := zohotest.New()
	stop, err := zoho.Listen()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	browser := &http.Client{
		Timeout:       30 * time.Second,
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(browser.CloseIdleConnections)
	return app{t, zoho, browser, zoho.DefaultClient()}
}

// field finds what a page's form holds.
func field(t *testing.T, page, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no %s in the page:\n%s", pattern, page)
	}
	return html.UnescapeString(found[1])
}

func TestAPersonConsentsInABrowserWithoutJavaScript(t *testing.T) {
	a := listening(t)
	start := a.consentURL("us", "state", `"><script>alert(1)</script>`, "scope", "ZohoCRM.org.READ,Desk.basic.READ")
	page := a.get(start, "")
	if page.status != 200 || strings.Contains(page.body, "<script") || !strings.Contains(page.body, "<li>Desk.basic.READ</li>") {
		t.Fatalf("the page is %d\n%s", page.status, page.body)
	}
	if strings.Contains(page.body, a.zoho.User("cn").Email) {
		t.Error("a Chinese user is offered at us")
	}
	action := field(t, page.body, `<form method="post" action="([^"]*)"`)
	request := field(t, page.body, `name="request" value="([^"]*)"`)
	european := a.zoho.User("eu")
	field(t, page.body, `<option value="(`+regexp.QuoteMeta(european.Email)+`)"`)

	landed := a.post(a.zoho.AccountsURL("us")+action, "request", request, "email", european.Email, "decision", "accept")
	to, err := url.Parse(landed.header.Get("Location"))
	if err != nil || landed.status != 302 {
		t.Fatalf("the button led to %d %v", landed.status, landed.header)
	}
	got := to.Query()
	if got.Get("state") != `"><script>alert(1)</script>` || got.Get("location") != "eu" || got.Get("accounts-server") != a.zoho.AccountsURL("eu") {
		t.Errorf("the browser landed at %s", to)
	}
	r := a.exchange("eu", got.Get("code"))
	if r.text("api_domain") != a.zoho.APIURL("eu") || !strings.HasPrefix(a.zoho.APIURL("eu"), "http://127.0.0.1:") {
		t.Errorf("the exchange got %s", r.body)
	}
	for _, address := range []string{a.zoho.APIURL("eu") + "/crm/v8/org", a.zoho.DeskURL("eu") + "/api/v1/organizations"} {
		if r := a.get(address, r.accessToken()); r.status != 200 {
			t.Errorf("%s answered %d %s", address, r.status, r.body)
		}
	}
	landed = a.post(a.zoho.AccountsURL("us")+action, "request", request, "email", european.Email, "decision", "reject")
	if !strings.Contains(landed.header.Get("Location"), "error=access_denied") {
		t.Errorf("rejecting led to %v", landed.header)
	}
	a.wantNoViolations()
}

func TestErrorPagesAreHTMLWithTheStatusOfTheKnob(t *testing.T) {
	a := listening(t)
	page := a.get(a.consentURL("us", "client_id", "<b>"), "")
	if page.status != 200 || !strings.Contains(page.body, "<h1>Invalid Client</h1>") {
		t.Errorf("answered %d %s", page.status, page.body)
	}
	a.zoho.Knobs(func(k *zohotest.Knobs) { k.PageErrorStatus = 400 })
	if page := a.get(a.consentURL("us", "client_id", "<b>"), ""); page.status != 400 {
		t.Errorf("answered %d", page.status)
	}
}

func TestAutoConsentNeedsNoPerson(t *testing.T) {
	a := listening(t)
	a.zoho.Knobs(func(k *zohotest.Knobs) { k.AutoConsent, k.AutoConsentEmail = true, a.zoho.DefaultClient().Owner })
	if landed := a.get(a.consentURL("us"), ""); landed.status != 302 || !strings.Contains(landed.header.Get("Location"), "location=us") {
		t.Errorf("answered %d %v", landed.status, landed.header)
	}
}

func TestTornConnectionsAreTornOnTheWire(t *testing.T) {
	a := listening(t)
	a.zoho.Knobs(func(k *zohotest.Knobs) { k.Mints = -1 })
	grant := a.connects("eu")
	for _, kind := range []zohotest.FaultKind{zohotest.Reset, zohotest.LostAnswer, zohotest.Truncated} {
		a.zoho.Reset()
		a.zoho.Fault(zohotest.Fault{Kind: kind, Times: 1})
		if r := a.refresh("eu", grant.refreshToken()); r.err == nil || r.accessToken() != "" {
			t.Errorf("%s: the client got %+v", kind, r)
		}
		if got := a.zoho.Counts(); got.TokenCalls != 1 || got.Undelivered != got.Minted {
			t.Errorf("%s: counts are %+v", kind, got)
		}
		a.mints(1, grant.refreshToken())
	}
}

func TestAHangEndsWithTheClientsPatience(t *testing.T) {
	a := listening(t)
	a.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang, Endpoint: "token"})
	a.http.Timeout = 50 * time.Millisecond
	if r := a.refresh("eu", "x"); r.err == nil {
		t.Errorf("the client got %+v", r)
	}
}

func TestStoppingGivesTheRealAddressesBack(t *testing.T) {
	zoho := zohotest.New()
	stop, err := zoho.Listen()
	if err != nil {
		t.Fatal(err)
	}
	address := zoho.AccountsURL("eu")
	stop()
	stop()
	if zoho.AccountsURL("eu") != "https://accounts.zoho.eu" || zoho.APIURL("ca") != "https://www.zohoapis.ca" {
		t.Error("it still names its listeners")
	}
	if _, err := http.Get(address); err == nil {
		t.Error("it still answers")
	}
}

func TestAServerOfOnesOwnCanSpeakTLS(t *testing.T) {
	zoho := zohotest.New()
	server := httptest.NewTLSServer(zoho.Handler("in", zohotest.AccountsServer))
	defer server.Close()
	zoho.SetURL("in", zohotest.AccountsServer, server.URL)
	a := app{t, zoho, server.Client(), zoho.DefaultClient()}
	grant := a.connects("in")
	if grant.text("api_domain") != "https://www.zohoapis.in" { // which no server of this test is
		t.Errorf("answered %s", grant.body)
	}
	zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Times: 1})
	if r := a.refresh("in", grant.refreshToken()); r.err == nil {
		t.Errorf("the reset answered %d", r.status)
	}
	a.wantNoViolations()
}
