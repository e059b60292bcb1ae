// Can a browser hold several accounts, use the wrong one, and switch?

package zohotest_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zohotest"
)

// tab is a browser's tab: it keeps cookies, follows redirects between Zoho's
// pages, and stops where it would leave them.
type tab struct {
	app
	at   string // the address bar
	page string
}

// browses opens a browser with Anna and Ben of Europe, who are signed in as named.
func browses(t *testing.T, signedIn ...string) *tab {
	t.Helper()
	a := listening(t)
	for _, name := range []string{"anna", "ben"} {
		a.zoho.AddUser(zohotest.User{Email: name + "@example.com", DataCenter: "eu"})
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	a.http.Jar = jar
	b := &tab{app: a}
	if len(signedIn) > 0 {
		cookie, err := a.zoho.SignIn(signedIn...)
		if err != nil {
			t.Fatal(err)
		}
		for _, dc := range a.zoho.DataCenters() {
			accounts, err := url.Parse(a.zoho.AccountsURL(dc))
			if err != nil {
				t.Fatal(err)
			}
			jar.SetCookies(accounts, []*http.Cookie{cookie})
		}
	}
	return b
}

// resolve is an address as the page at the address bar means it.
func (b *tab) resolve(address string) *url.URL {
	b.Helper()
	at, err := url.Parse(b.at)
	if err != nil {
		b.Fatal(err)
	}
	to, err := at.Parse(address)
	if err != nil {
		b.Fatal(err)
	}
	return to
}

func (b *tab) opens(address string) *tab {
	b.Helper()
	to := b.resolve(address)
	return b.shows(to.String(), b.get(to.String(), ""))
}

// shows is where an answer leads.
func (b *tab) shows(asked string, r reply) *tab {
	b.Helper()
	if r.err != nil {
		b.Fatal(r.err)
	}
	b.at, b.page = asked, r.body
	if to := r.header.Get("Location"); to != "" {
		next := b.resolve(to)
		if next.Host != b.resolve("").Host {
			b.at, b.page = next.String(), ""
			return b
		}
		return b.opens(next.String())
	}
	return b
}

// presses a button of the page's form, and picks from its lists before: pairs are
// names and values.
func (b *tab) presses(pairs ...string) *tab {
	b.Helper()
	fields := []string{}
	for _, hidden := range []string{"path", "request", "continue", "email"} {
		if strings.Contains(b.page, `type="hidden" name="`+hidden+`"`) {
			fields = append(fields, hidden, field(b.T, b.page, `type="hidden" name="`+hidden+`" value="([^"]*)"`))
		}
	}
	for i := 1; i < len(pairs); i += 2 {
		field(b.T, b.page, `<(?:button|option) [^>]*(value="`+pairs[i]+`")`)
	}
	to := b.resolve(field(b.T, b.page, `<form method="post" action="([^"]*)"`)).String()
	return b.shows(to, b.post(to, append(fields, pairs...)...))
}

// chooses another account.
func (b *tab) chooses(email string) *tab {
	b.Helper()
	return b.opens(field(b.T, b.page, `<a href="(/signin[^"]*)"`)).presses("email", email)
}

func (b *tab) wants(text string) *tab {
	b.Helper()
	if !strings.Contains(b.page, text) {
		b.Errorf("%q is not on the page:\n%s", text, b.page)
	}
	return b
}

func (b *tab) wantsNot(text string) *tab {
	b.Helper()
	if strings.Contains(b.page, text) {
		b.Errorf("%q is on the page:\n%s", text, b.page)
	}
	return b
}

// consentedAs exchanges what the browser landed with, and says whose the grant is.
func (b *tab) consentedAs() string {
	b.Helper()
	if r := b.exchange("eu", codeOf(b.T, b.at)); r.refreshToken() == "" {
		b.Fatalf("the exchange got %s", r.body)
	}
	tokens := b.zoho.RefreshTokens()
	return tokens[len(tokens)-1].Email
}

const asAnna, asBen = "Signed in as <strong>anna@example.com</strong>", "Signed in as <strong>ben@example.com</strong>"

func TestAPersonWithTheWrongAccountSwitchesAndAccepts(t *testing.T) {
	b := browses(t, "ben@example.com", "anna@example.com")
	start := b.consentURL("us", "state", `"<é&+`)
	b.opens(start).wants(asBen).wantsNot("<select").presses("decision", "accept")
	if who := b.consentedAs(); who != "ben@example.com" {
		t.Errorf("%s consented", who)
	}
	b.opens(start).wants(asBen)
	b.opens(field(t, b.page, `<a href="(/signin[^"]*)"`)).wants("anna@example.com (User EU, data centre eu), signed in").
		wants(b.zoho.User("ca").Email+" (User CA, data centre ca)</button>").wantsNot(b.zoho.User("cn").Email).presses("email", "anna@example.com").wants(asAnna)
	if b.at != start {
		t.Errorf("the person came back to\n%s, not\n%s", b.at, start)
	}
	b.presses("decision", "accept")
	if who := b.consentedAs(); who != "anna@example.com" {
		t.Errorf("%s consented", who)
	}
	if got := b.resolve("").Query().Get("state"); got != `"<é&+` {
		t.Errorf("state came back as %q", got)
	}
	b.opens(start).wants(asAnna).presses("decision", "reject")
	if !strings.Contains(b.at, "error=access_denied") {
		t.Errorf("rejecting landed at %s", b.at)
	}
	b.wantNoViolations()
}

func TestABrowserWithoutASessionIsAskedWhoThePersonIsAndCanSignIn(t *testing.T) {
	b := browses(t)
	b.opens(b.consentURL("us")).wants("You are <select").wantsNot("Signed in as")
	if chosen := field(t, b.page, `value="([^"]*)" selected`); chosen != b.zoho.User("us").Email {
		t.Errorf("%s is preset", chosen)
	}
	if who := b.presses("email", "anna@example.com", "decision", "accept").consentedAs(); who != "anna@example.com" {
		t.Errorf("%s consented", who)
	}
	b.opens(b.consentURL("us")).wants("You are <select").chooses("ben@example.com").wants(asBen)
	b.opens(b.consentURL("eu")).wants(asBen) // another data centre
	b.opens(b.zoho.AccountsURL("us")+"/signin").presses("email", "anna@example.com").wants("<h1>Signed in</h1>")
	b.opens(b.consentURL("us")).wants(asAnna).chooses("ben@example.com").wants(asBen)
}

func TestWhatThePageShowedIsWhoConsents(t *testing.T) {
	b := browses(t, "anna@example.com", "ben@example.com")
	b.opens(b.consentURL("us")).wants(asAnna)
	other := *b
	other.chooses("ben@example.com").wants(asBen)
	b.presses("decision", "accept")
	if who := b.consentedAs(); who != "anna@example.com" {
		t.Errorf("%s consented", who)
	}
}

func TestAnAccountThatCannotConsentIsToldSoAndCanBeSwitched(t *testing.T) {
	b := browses(t, "ben@example.com")
	b.app = b.byOrganization()
	b.zoho.AddUser(zohotest.User{Email: "ben@example.com", DataCenter: "eu", Member: true})
	b.opens(b.orgURL("us")).wants(asBen).wants("ben@example.com is no administrator of the organization.").wantsNot("<button")
	b.opens(field(t, b.page, `<a href="(/signin[^"]*)"`)).wantsNot("ben@example.com").presses("email", "anna@example.com")
	b.wants(asAnna).presses("decision", "accept")
	if who := b.consentedAs(); who != "anna@example.com" {
		t.Errorf("%s consented", who)
	}
	grant := b.zoho.RefreshTokens()[0]
	cookie, err := b.zoho.SignIn("ben@example.com")
	if err != nil {
		t.Fatal(err)
	}
	b.opens(b.zoho.AccountsURL("eu") + "/signin?session=" + cookie.Value).wants("ben@example.com")
	b.opens(b.extraScopeURL("eu", b.enhances("eu", grant.Token).accessToken(), "ZohoPay.refunds.READ")).
		wants("ben@example.com is not the account that is asked.").chooses("anna@example.com").presses("decision", "accept")
	if !strings.Contains(b.at, "scope_enhanced=true") {
		t.Errorf("landed at %s", b.at)
	}
}

func TestWhetherSeveralAccountsAreAskedForIsAKnob(t *testing.T) {
	b := browses(t, "anna@example.com", "ben@example.com")
	b.zoho.Knobs(func(k *zohotest.Knobs) { k.ChooseAccount = true })
	first, second := b.consentURL("us", "state", "1"), b.consentURL("us", "state", "2")
	b.opens(first).wants("<h1>Choose an account</h1>").presses("email", "ben@example.com").wants(asBen)
	b.opens(first).wants(asBen)
	b.opens(second).wants("<h1>Choose an account</h1>")
	b.opens(b.zoho.AccountsURL("us")+"/oauth/v3/device?user_code=X").wants("<h1>Choose an account</h1>").presses("email", "anna@example.com").wants(asAnna)
	b.zoho.RemoveUser("ben@example.com")
	b.opens(second).wants(asAnna)
}

func TestAPersonWhoLeavesIsSignedOutEverywhere(t *testing.T) {
	b := browses(t, "anna@example.com", "ben@example.com")
	start := b.consentURL("us")
	b.opens(start).wants(asAnna)
	b.zoho.RemoveUser("anna@example.com")
	gone := *b
	if gone.presses("decision", "accept"); !strings.Contains(gone.page, "<h1>Invalid User</h1>") {
		t.Errorf("somebody who left consented, at %s: %s", gone.at, gone.page)
	}
	b.opens(start).wants(asBen)
	b.zoho.RemoveUser("ben@example.com")
	b.opens(start).wants("You are <select")
}

func TestASessionConsentsAtOnceAndToDevicesToo(t *testing.T) {
	b := browses(t, "anna@example.com")
	b.zoho.Knobs(func(k *zohotest.Knobs) { k.AutoConsent = true })
	if who := b.opens(b.consentURL("us")).consentedAs(); who != "anna@example.com" {
		t.Errorf("%s consented", who)
	}
	b.zoho.Knobs(func(k *zohotest.Knobs) { k.AutoConsentEmail = "ben@example.com" })
	if who := b.opens(b.consentURL("us")).consentedAs(); who != "ben@example.com" {
		t.Errorf("%s consented", who)
	}
	device := b.device()
	started := device.starts("us")
	b.opens(started.text("verification_uri_complete")).wants(asAnna).chooses("ben@example.com").wants(asBen).wants(started.text("user_code"))
	b.post(b.zoho.AccountsURL("us")+"/oauth/v3/device/approve", "user_code", started.text("user_code"), "decision", "accept")
	if r := device.polls("eu", started.text("device_code")); r.refreshToken() == "" {
		t.Errorf("in Ben's data centre the poll got %s", r.body)
	}
}

func TestTheChoiceLeadsNowhereElse(t *testing.T) {
	b := browses(t)
	for _, then := range []string{
		"https://evil.example/oauth/v2/auth", "//evil.example/oauth/v2/auth", "/\\evil.example", "/oauth/v2/token", "?x", "javascript:alert(1)", "%zz",
	} {
		b.opens(b.zoho.AccountsURL("us") + "/signin?" + url.Values{"continue": {then}}.Encode()).wants("<h1>Invalid Request</h1>")
		r := b.post(b.zoho.AccountsURL("us")+"/signin/account", "continue", then, "email", "anna@example.com")
		if to := r.header.Get("Location"); to != "" || !strings.Contains(r.body, "<h1>Invalid Request</h1>") {
			t.Errorf("%q led to %q: %d %s", then, to, r.status, r.body)
		}
	}
	b.opens(b.zoho.AccountsURL("us") + "/signin?" + url.Values{"continue": {"/oauth/v2/auth?client_id=x"}}.Encode()).wants("<h1>Invalid Client</h1>")
	b.opens(b.zoho.AccountsURL("us") + "/signin?session=x").wants("<h1>Invalid Session</h1>")
	b.shows(b.at, b.post(b.zoho.AccountsURL("us")+"/signin/account", "email", "nobody@example.com")).wants("<h1>Invalid User</h1>")
	b.opens(b.consentURL("us")).wants("You are <select")
}

func TestAScriptSignsABrowserIn(t *testing.T) {
	b := browses(t)
	s := script{t, b.zoho.Control()}
	made := must[map[string]string](s, "POST", "/sign-in", `{"emails":["anna@example.com","BEN@example.com","anna@example.com"]}`)
	b.opens(made["url"]).wants("This browser uses anna@example.com, then ben@example.com.").opens(b.consentURL("us")).wants(asAnna)

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.consentURL("eu"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Cookie", made["cookie"])
	b.http.Jar = nil
	if r := b.do(request); !strings.Contains(r.body, asAnna) {
		t.Errorf("the cookie alone shows %s", r.body)
	}
	made = must[map[string]string](s, "POST", "/sign-in", `{"emails":["anna@example.com"],"data_center":"eu"}`)
	if !strings.HasPrefix(made["url"], b.zoho.AccountsURL("eu")+"/signin?") {
		t.Errorf("for eu the page is %s", made["url"])
	}
	for body, want := range map[string]string{
		`{"emails":["nobody@example.com"]}`:                      "nobody@example.com",
		`{"emails":[]}`:                                          "e-mail address",
		`{"emails":["anna@example.com"],"data_center":"mars"}`:   "mars",
		`{"accounts":["anna@example.com"],"data_center":"mars"}`: "accounts",
	} {
		if status, answer := s.call("POST", "/sign-in", body); status != 400 || !strings.Contains(answer, want) {
			t.Errorf("%s answered %d %s, want %q", body, status, answer, want)
		}
	}
}

func TestPagesFitAPhoneAndSayWhatTheyAre(t *testing.T) {
	b := browses(t, "anna@example.com")
	for _, address := range []string{b.consentURL("us"), b.orgURL("us"), b.consentURL("us", "client_id", "x"), b.zoho.AccountsURL("us") + "/signin", b.zoho.AccountsURL("us") + "/oauth/v3/device"} {
		b.opens(address)
		for _, wanted := range []string{`<html lang="en">`, `<meta name="viewport" content="width=device-width, initial-scale=1">`, "<title>", "<main>", "<h1>"} {
			b.wants(wanted)
		}
		b.wantsNot("<script").wantsNot(" tabindex")
	}
}

func TestASessionEndsWithItsLastAccount(t *testing.T) {
	b := browses(t, "anna@example.com")
	cookie, err := b.zoho.SignIn("anna@example.com", "ben@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if cookie.Path != "/" || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode {
		t.Errorf("the cookie is %s", cookie)
	}
	at := b.zoho.AccountsURL("us") + "/signin?session=" + cookie.Value
	b.opens(at).wants("This browser uses anna@example.com, then ben@example.com.")
	b.zoho.RemoveUser("anna@example.com")
	b.opens(at).wants("This browser uses ben@example.com.")
	b.zoho.RemoveUser("ben@example.com")
	b.opens(at).wants("<h1>Invalid Session</h1>")
	b.opens(b.consentURL("us")).wants("You are <select")
}

func TestThePageOffersTheWayBackOnlyIfNobodyCanDecide(t *testing.T) {
	b := browses(t)
	for _, dc := range b.zoho.DataCenters() {
		b.zoho.RemoveUser(b.zoho.User(dc).Email)
	}
	b.alone()
	b.opens(b.consentURL("eu", "scope", "ZohoCRM.org.READ")).wants("Accept").wantsNot("Back to app") // Anna could
	b.zoho.RemoveUser("anna@example.com")
	b.zoho.RemoveUser("ben@example.com")
	b.opens(b.consentURL("eu", "scope", "ZohoCRM.org.READ")).wants("Back to app").wantsNot("Accept")
	b.zoho.RemoveUser(lonely)
	b.opens(b.consentURL("eu", "scope", "ZohoCRM.org.READ")).wants("Accept").wantsNot("Back to app")
}

func TestAPortalsCustomerSignsInAtThePortal(t *testing.T) {
	b := browses(t)
	portal, _, _ := strings.Cut(b.zoho.PortalURL("us", "1"), "/clientoauth")
	b.opens(portal+"/signin").presses("email", "anna@example.com").wants("<h1>Signed in</h1>")
	b.wantNoViolations()
}
