// Does it work over real sockets, with a browser, and when connections tear?

package zohotest_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
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

func TestTornConnectionsEndWithATCPReset(t *testing.T) {
	plain := listening(t)
	for name, a := range map[string]app{"plain HTTP": plain, "TLS": listeningWithTLS(t)} {
		grant := a.connects("eu")
		for _, kind := range []zohotest.FaultKind{zohotest.Reset, zohotest.LostAnswer} {
			a.zoho.Fault(zohotest.Fault{Kind: kind, Times: 1})
			if r := a.refresh("eu", grant.refreshToken()); !errors.Is(r.err, syscall.ECONNRESET) {
				t.Errorf("%s, %s: the client got %v", name, kind, r.err)
			}
		}
	}
}

// listeningWithTLS is listening, with a certificate that the client trusts.
func listeningWithTLS(t *testing.T) app {
	t.Helper()
	certified := httptest.NewTLSServer(nil)
	t.Cleanup(certified.Close)
	zoho := zohotest.New()
	stop, err := zoho.ListenWith(zohotest.Listening{TLS: &tls.Config{Certificates: certified.TLS.Certificates}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return app{t, zoho, certified.Client(), zoho.DefaultClient()}
}

func TestListenersCanSpeakTLS(t *testing.T) {
	a := listeningWithTLS(t)
	grant := a.connects("eu")
	if domain := grant.text("api_domain"); !strings.HasPrefix(domain, "https://127.0.0.1:") || domain != a.zoho.APIURL("eu") {
		t.Errorf("the API is at %s", domain)
	}
	if r := a.get(a.zoho.APIURL("eu")+"/crm/v8/org", grant.accessToken()); r.status != 200 {
		t.Errorf("the API answered %d %s", r.status, r.body)
	}
	if r := a.get(strings.Replace(a.zoho.APIURL("eu"), "https://", "http://", 1)+"/crm/v8/org", grant.accessToken()); r.status == 200 {
		t.Error("it speaks plain HTTP too")
	}
}

func TestAddressesOfListenersCanBeMade(t *testing.T) {
	zoho := zohotest.New()
	stop, err := zoho.ListenWith(zohotest.Listening{URL: func(listener net.Addr) string {
		return fmt.Sprint("http://zoho.example.com:", listener.(*net.TCPAddr).Port)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if at := zoho.AccountsURL("us"); !strings.HasPrefix(at, "http://zoho.example.com:") {
		t.Errorf("the accounts server is at %s", at)
	}
	for listener, want := range map[string]string{
		"127.0.0.1:80": "http://127.0.0.1:80", "0.0.0.0:80": "http://localhost:80", "[::]:80": "http://localhost:80", "[::1]:80": "http://[::1]:80",
	} {
		if got := zohotest.LocalURL("http", net.TCPAddrFromAddrPort(netip.MustParseAddrPort(listener))); got != want {
			t.Errorf("a listener at %s is reached at %s, want %s", listener, got, want)
		}
	}
	if got := zohotest.LocalURL("https", &net.UnixAddr{Name: "/run/sim"}); got != "https:///run/sim" {
		t.Errorf("a listener that is not TCP is reached at %s", got)
	}
}

func TestAPortThatIsTakenIsNamedAndNothingListens(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	zoho := zohotest.New()
	if stop, err := zoho.ListenAt("127.0.0.1", taken.Addr().(*net.TCPAddr).Port-2); err == nil || stop != nil || !strings.Contains(err.Error(), "of data center") {
		t.Errorf("with a port that is taken it answers %v", err)
	}
	for _, dc := range zoho.DataCenters() {
		if at := zoho.AccountsURL(dc); strings.Contains(at, "127.0.0.1") {
			t.Errorf("after the failure %s still is at %s", dc, at)
		}
	}
}

// broken is a connection whose other end may be gone.
type broken struct {
	http.ResponseWriter
	write, flush error
}

func (w broken) Write(body []byte) (int, error) {
	if w.write != nil {
		return 0, w.write
	}
	return w.ResponseWriter.Write(body)
}

func (w broken) FlushError() error { return w.flush }

// unflushable is the writer of a server or middleware that cannot flush.
type unflushable struct{ w http.ResponseWriter }

func (u unflushable) Header() http.Header            { return u.w.Header() }
func (u unflushable) Write(body []byte) (int, error) { return u.w.Write(body) }
func (u unflushable) WriteHeader(status int)         { u.w.WriteHeader(status) }

func TestTokensAreDeliveredUnlessWritingTheirAnswerFails(t *testing.T) {
	left, leave := context.WithCancel(t.Context())
	leave()
	for name, test := range map[string]struct {
		ctx     context.Context
		writer  func(http.ResponseWriter) http.ResponseWriter
		arrives bool
	}{
		"the answer is written":         {t.Context(), func(w http.ResponseWriter) http.ResponseWriter { return broken{w, nil, nil} }, true},
		"the server does not flush":     {t.Context(), func(w http.ResponseWriter) http.ResponseWriter { return unflushable{w} }, true},
		"the write fails":               {t.Context(), func(w http.ResponseWriter) http.ResponseWriter { return broken{w, io.ErrClosedPipe, nil} }, false},
		"the flush fails":               {t.Context(), func(w http.ResponseWriter) http.ResponseWriter { return broken{w, nil, io.ErrClosedPipe} }, false},
		"the client left":               {left, func(w http.ResponseWriter) http.ResponseWriter { return w }, false},
		"the client left, and it fails": {left, func(w http.ResponseWriter) http.ResponseWriter { return broken{w, io.ErrClosedPipe, nil} }, false},
	} {
		zoho := zohotest.New()
		a := app{t, zoho, nil, zoho.DefaultClient()}
		req := httptest.NewRequestWithContext(test.ctx, "POST", "/oauth/v2/token", strings.NewReader(form("grant_type", "authorization_code", "client_id", a.client.ID,
			"client_secret", a.client.Secret, "redirect_uri", a.client.RedirectURIs[0], "code", a.consents("us").Get("code")).Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		zoho.Handler("us", zohotest.AccountsServer).ServeHTTP(test.writer(httptest.NewRecorder()), req)
		tokens := zoho.RefreshTokens()
		if len(tokens) != 1 || tokens[0].Delivered != test.arrives || zoho.AccessTokens(tokens[0].Token)[0].Delivered != test.arrives {
			t.Errorf("%s: the tokens are %+v", name, tokens)
		}
		if got, want := zoho.Counts().Undelivered, map[bool]int{true: 0, false: 1}[test.arrives]; got != want {
			t.Errorf("%s: %d answers did not arrive, want %d", name, got, want)
		}
	}
}

// body is a request's body that notes when it is closed.
type body struct {
	io.Reader
	closed bool
}

func (b *body) Close() error { b.closed = true; return nil }

func TestTheTransportClosesBodiesAndReadsNoMoreThanAnOAuthRequestHas(t *testing.T) {
	zoho := zohotest.New()
	for name, test := range map[string]struct {
		body    io.Reader
		address string
		answers bool
	}{
		"a call":               {strings.NewReader("grant_type=x"), zoho.AccountsURL("us") + "/oauth/v2/token", true},
		"a body without end":   {endless{}, zoho.AccountsURL("us") + "/oauth/v2/token", true},
		"a body that breaks":   {iotest.ErrReader(io.ErrUnexpectedEOF), zoho.AccountsURL("us") + "/oauth/v2/token", false},
		"a host that is not":   {strings.NewReader("x"), "https://accounts.example.com/oauth/v2/token", false},
		"a scheme that is not": {strings.NewReader("x"), "http://accounts.zoho.com/oauth/v2/token", false},
	} {
		sent := &body{Reader: test.body}
		req, err := http.NewRequestWithContext(t.Context(), "POST", test.address, sent)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := zoho.Transport().RoundTrip(req)
		if (err == nil) != test.answers || !sent.closed {
			t.Errorf("%s: answered %v, %v; the body is closed: %t", name, resp, err, sent.closed)
		}
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func TestAnswersToHEADHaveNoBody(t *testing.T) {
	for name, a := range map[string]app{"sockets": listening(t), "in process": inProcess(t)} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, a.zoho.AccountsURL("us")+"/oauth/serverinfo", nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := a.do(req); r.status != 400 || r.body != "" || r.err != nil {
			t.Errorf("%s: answered %+v", name, r)
		}
	}
}

// inProcess is an app without sockets, and without a clock of its own.
func inProcess(t *testing.T) app {
	t.Helper()
	zoho := zohotest.New()
	return app{t, zoho, &http.Client{Transport: zoho.Transport()}, zoho.DefaultClient()}
}
