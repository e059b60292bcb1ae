// Does a consent in the person's own browser end as it should, whatever they,
// their browser, strangers and Vault do?

package main

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"vault-plugin-secrets-zoho/internal/page"
)

func TestAcceptConnectsAndEverybodyIsTold(t *testing.T) {
	fake := newFake()
	l := start(t, fake, "crm")
	if link := l.open(); link != theLink {
		t.Errorf("the browser opened %q", link)
	}
	got := l.land(redirect)
	if got.header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("the browser gets %v", got.header)
	}
	if got.status != 200 || !strings.Contains(got.body, "Zoho is connected") {
		t.Errorf("the browser shows %d\n%s", got.status, got.body)
	}
	for _, fact := range []string{"user@zylker.example", "Europe (eu)", "ZohoCRM.org.READ", "ZohoCRM.users.READ", "crm"} {
		if !strings.Contains(got.body, fact) {
			t.Errorf("the browser does not show %s", fact)
		}
	}
	if strings.Contains(got.body, theCode) || strings.Contains(got.body, theState) {
		t.Errorf("the page repeats what it was sent:\n%s", got.body)
	}
	l.want(exitConnected).says(theLink, "user@zylker.example", "Europe (eu)", "ZohoCRM.org.READ", "not granted  ZohoCRM.users.READ", "vault read zoho/creds/crm")
	written := fake.made("PUT", "creds")
	if len(written) != 1 || written[0].fields["callback_url"] != "http://localhost:"+l.port+"/callback?"+redirect {
		t.Errorf("Vault was handed %v", written)
	}
	if started := fake.made("PUT", "authorize"); len(started) != 1 || !maps.Equal(started[0].fields, map[string]any{"redirect_uri": "http://localhost:" + l.port + "/callback"}) {
		t.Errorf("the consent was started with %v", started)
	}
	fake.withdrew(t, 0)
}

func TestAScriptGetsOneObject(t *testing.T) {
	fake := newFake()
	l := start(t, fake, "-format=json", "crm")
	l.open()
	l.land(redirect)
	l.want(exitConnected)
	var got map[string]any
	decoder := json.NewDecoder(strings.NewReader(l.stdout.String()))
	if err := decoder.Decode(&got); err != nil {
		t.Fatalf("%v: %s", err, l.stdout)
	}
	if _, err := decoder.Token(); err != io.EOF {
		t.Errorf("there is more on standard output:\n%s", l.stdout)
	}
	encoded, _ := json.Marshal(got)
	const want = `{"account":"user@zylker.example","credential":"crm","data_center":"eu","granted_scopes":["ZohoCRM.org.READ"],"requested_scopes":["ZohoCRM.org.READ","ZohoCRM.users.READ"],"result":"connected"}`
	if string(encoded) != want {
		t.Errorf("got %s\nwant %s", encoded, want)
	}
}

func TestAFailureIsAnObjectToo(t *testing.T) {
	fake := newFake()
	fake.authorize = refuses(400, "scopes are missing; name some")
	l := start(t, fake, "-format=json", "crm").want(exitFailed)
	var got outcome
	if err := json.Unmarshal([]byte(l.stdout.String()), &got); err != nil || got.Result != resultFailed || got.Credential != "crm" || got.Problem != "scopes are missing; name some" {
		t.Errorf("%v: %+v from %s", err, got, l.stdout)
	}
}

func TestRejectIsDeclinedAndLeavesNothing(t *testing.T) {
	fake := newFake()
	fake.creds = refuses(400, "the consent was declined (access_denied): the person chose reject; start again with authorize/crm")
	l := start(t, fake, "crm")
	l.open()
	if got := l.land("error=access_denied&state=" + theState); got.status != 200 || !strings.Contains(got.body, "Nothing was connected") {
		t.Errorf("the browser shows %d\n%s", got.status, got.body)
	}
	l.want(exitDeclined).says("the consent was declined")
	if n := len(fake.made("PUT", "creds")); n != 1 {
		t.Errorf("Vault was told %d times", n)
	}
	fake.withdrew(t, 0) // Vault has ended it
}

// The word says who has to do what, so that each has its own text.
func TestWordOfZohoIsShownWithWhatToDo(t *testing.T) {
	for word, c := range map[string]struct {
		shown string
		says  []string
	}{
		"access_denied":          {"access_denied", []string{"Reject was not chosen", "ten authorization codes in ten minutes", "wait ten minutes"}},
		"no_org":                 {"no_org", []string{"no organization", "Sign in to Zoho with an account that belongs to an organization"}},
		"server_error":           {"server_error", []string{"server_error", "API console"}},
		"%1B%5B2Jevil%3Cscript>": {"unknown", []string{"unknown"}},
	} {
		fake := newFake()
		fake.creds = refuses(400, "Vault's own text")
		l := start(t, fake, "-format=json", "crm")
		l.open()
		got := l.land("error=" + word + "&state=" + theState)
		l.want(exitDeclined).says(append(c.says, "declined ("+c.shown+")")...)
		var end outcome
		if err := json.Unmarshal([]byte(l.stdout.String()), &end); err != nil || end.Word != c.shown || end.Result != resultDeclined {
			t.Errorf("%s: %+v, %v", word, end, err)
		}
		shown := html.UnescapeString(got.body)
		for _, text := range append(c.says, "run zoho-login in the terminal") {
			if got.status != 200 || !strings.Contains(shown, text) {
				t.Errorf("%s: the browser does not show %q, but %d\n%s", word, text, got.status, shown)
			}
		}
		if all := got.body + l.stdout.String() + l.stderr.String(); strings.Contains(all, "evil") || strings.Contains(all, "\x1b[2J") {
			t.Errorf("%s: the word is repeated: %s", word, all)
		}
		fake.withdrew(t, 0)
	}
}

func TestWordOfZohoIsShownThoughVaultCannotBeTold(t *testing.T) {
	fake := newFake()
	fake.creds = refuses(503, "Vault is sealed")
	l := start(t, fake, "crm")
	l.open()
	l.land("error=no_org&state=" + theState)
	l.want(exitDeclined).says("no organization", "Vault did not get this result", "Vault is sealed")
	fake.withdrew(t, 1)
}

// What is not Zoho's answer to this consent spends nothing, learns nothing, and
// does not keep the right one from being taken.
func TestStrangersAreIgnored(t *testing.T) {
	fake := newFake()
	l := start(t, fake, "crm")
	l.open()
	for _, stranger := range []struct {
		method, target string
		header         http.Header
		status         int
	}{
		{"GET", "/", nil, 404},
		{"GET", "/favicon.ico", nil, 404},
		{"GET", "/callback/?" + redirect, nil, 404},
		{"GET", "/Callback?" + redirect, nil, 404},
		{"GET", "/callback", nil, 404},
		{"GET", "/callback?code=" + theCode, nil, 404},
		{"GET", "/callback?state=&code=" + theCode, nil, 404},
		{"GET", "/callback?state=" + theState + "x&code=" + theCode, nil, 404},
		{"GET", "/callback?state=" + theState[1:] + "&code=" + theCode, nil, 404},
		{"GET", "/callback?state=%3Cscript%3E&code=" + theCode, nil, 404},
		{"GET", "/callback?state=wrong&" + redirect, nil, 404},
		{"GET", "/callback?" + redirect + "&state=wrong", nil, 404},
		{"GET", "/callback?" + redirect + "&x=%zz", nil, 404},
		{"GET", "/callback?status=success&scope_enhanced=true", nil, 404},
		{"HEAD", "/callback?" + redirect, nil, 405},
		{"POST", "/callback?" + redirect, nil, 405},
		{"GET", "/callback?" + redirect, http.Header{"Sec-Purpose": {"prefetch;prerender"}}, 503},
		{"GET", "/callback?" + redirect, http.Header{"Purpose": {"prefetch"}}, 503},
		{"GET", "/callback?state=" + theState, nil, 400},
		{"GET", "/callback?state=" + theState + "&status=success", nil, 400},
	} {
		got := l.get(stranger.method, stranger.target, stranger.header)
		if got.status != stranger.status {
			t.Errorf("%s %s %v: %d, want %d", stranger.method, stranger.target, stranger.header, got.status, stranger.status)
		}
		if strings.Contains(got.body, "STATE") || strings.Contains(got.body, "script") || strings.Contains(got.body, "1000.") {
			t.Errorf("%s %s: the answer repeats what was sent:\n%s", stranger.method, stranger.target, got.body)
		}
		if kind := got.header.Get("Content-Type"); kind != "text/plain; charset=utf-8" && kind != "text/html; charset=utf-8" {
			t.Errorf("%s %s: the type is %q", stranger.method, stranger.target, kind)
		}
		if allow := got.header.Get("Allow"); (allow == "GET") != (got.status == 405) {
			t.Errorf("%s %s: allow is %q", stranger.method, stranger.target, allow)
		}
		for name, values := range page.Headers() {
			if !slices.Equal(got.header[name], values) {
				t.Errorf("%s %s: header %s is %q", stranger.method, stranger.target, name, got.header[name])
			}
		}
	}
	if n := len(fake.made("PUT", "creds")); n != 0 {
		t.Fatalf("strangers made %d writes", n)
	}
	l.land(redirect)
	l.want(exitConnected)
}

func TestASecondTabSeesTheSameAndNothingIsSentTwice(t *testing.T) {
	fake := newFake()
	connect, arrived, finish := fake.creds, make(chan bool), make(chan bool)
	fake.creds = func(r request) (int, any) {
		arrived <- true
		<-finish
		return connect(r)
	}
	l := start(t, fake, "-linger=1h", "crm") // no tab comes too late
	l.open()
	var tabs sync.WaitGroup
	for range 3 {
		tabs.Go(func() {
			if got := l.land(redirect); got.status != 200 || !strings.Contains(got.body, "Zoho is connected") {
				t.Errorf("a tab shows %d\n%s", got.status, got.body)
			}
		})
	}
	<-arrived
	close(finish)
	tabs.Wait()
	l.interrupt()
	l.want(exitConnected)
	if n := len(fake.made("PUT", "creds")); n != 1 {
		t.Errorf("%d writes, want one", n)
	}
}

func TestReloadingShowsTheOutcomeAgain(t *testing.T) {
	for name, how := range map[string]answer{"connected": newFake().creds, "refused": refuses(400, "code refused")} {
		t.Run(name, func(t *testing.T) {
			fake := newFake()
			fake.creds = how
			l := start(t, fake, "-linger=1h", "crm")
			l.open()
			first := l.land(redirect)
			for range 3 {
				if again := l.land(redirect); again.status != first.status || again.body != first.body {
					t.Errorf("it shows %d, then %d\n%s", first.status, again.status, again.body)
				}
			}
			if other := l.land("error=access_denied&state=" + theState); other.body != first.body {
				t.Errorf("another answer changed the outcome:\n%s", other.body)
			}
			if n := len(fake.made("PUT", "creds")); n != 1 {
				t.Errorf("%d writes, want one", n)
			}
			l.interrupt() // ends the wait, and changes nothing
			l.want(map[string]int{"connected": exitConnected, "refused": exitFailed}[name])
		})
	}
}

func TestAClosedTabDoesNotStopWhatItBegan(t *testing.T) {
	fake := newFake()
	connect, arrived, finish := fake.creds, make(chan bool), make(chan bool)
	fake.creds = func(r request) (int, any) {
		arrived <- true
		<-finish
		return connect(r)
	}
	l := start(t, fake, "crm")
	l.open()
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", l.port))
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "GET /callback?"+redirect+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-arrived
	conn.Close()
	close(finish)
	l.want(exitConnected).says("Zoho is connected")
}

// Browsers hold connections ready that they may never use.
func TestASilentConnectionDoesNotHoldTheEnd(t *testing.T) {
	fake := newFake()
	l := start(t, fake, "crm")
	l.open()
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", l.port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	l.land(redirect)
	l.want(exitConnected)
	if n, err := conn.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes on a connection that asked nothing", n)
	}
}

func TestATakenPortIsToldBeforeAnythingStarts(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		fake, port := newFake(), freePort(t)
		other, err := net.Listen("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Logf("no %s here", host)
			continue
		}
		start(t, fake, "-port", port, "crm").want(exitFailed).says("port "+port+" on "+host+" is taken", "-port")
		other.Close()
		if len(fake.requests) != 0 {
			t.Errorf("Vault was asked %v", fake.requests)
		}
	}
}

func TestTheLoopbackAddressesAreFreeAgainAfterwards(t *testing.T) {
	refused := newFake()
	refused.authorize = refuses(403, "permission denied")
	connects := start(t, newFake(), "crm")
	connects.open()
	connects.land(redirect)
	connects.want(exitConnected)
	for _, l := range []*login{connects, start(t, refused, "crm").want(exitFailed)} {
		listeners, err := listen(l.port)
		if err != nil {
			t.Fatal(err)
		}
		for _, listener := range listeners {
			if ip := listener.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
				t.Errorf("it listens at %s", ip)
			}
			listener.Close()
		}
	}
}

// A laptop's clock may be far from Vault's.
func TestAClockThatIsAheadLeavesTime(t *testing.T) {
	fake := newFake()
	fake.authorize = always(200, map[string]any{"authorization_url": theLink, "state": theState, "expire_time": "2001-01-01T00:00:00Z"})
	l := start(t, fake, "crm")
	l.open()
	l.land(redirect)
	l.want(exitConnected)
}

// sentenceShown is how an error's text appears to a person.
var sentenceShown = regexp.MustCompile(`<p class="lead">\p{Lu}[^<]*\.</p>`)

func TestVaultRefusing(t *testing.T) {
	for name, c := range map[string]struct {
		set      func(*fakeVault)
		says     string
		finishes bool
		withdraw int
	}{
		"a policy, at the start":   {func(f *fakeVault) { f.authorize = refuses(403, "1 error occurred:\n\t* permission denied\n\n") }, "starting a consent: Vault forbids it (permission denied): the token needs update on zoho/authorize/crm", false, 0},
		"no such mount":            {func(f *fakeVault) { f.authorize = refuses(404, "no handler for route \"zoho/authorize/crm\"") }, "no secrets engine is mounted at zoho/. To see all mounts, run: vault secrets list. Then name the mount with -mount", false, 0},
		"somebody else's consent":  {func(f *fakeVault) { f.authorize = refuses(400, "a consent for \"crm\" waits; force=true") }, "zoho-login: a consent for \"crm\" waits; force=true", false, 0},
		"sealed":                   {func(f *fakeVault) { f.authorize = refuses(503, "Vault is sealed") }, "starting a consent: Vault is sealed", false, 0},
		"another engine":           {func(f *fakeVault) { f.authorize = always(200, map[string]any{"keys": 1}) }, "the answer has no link", false, 0},
		"an answer without a body": {func(f *fakeVault) { f.authorize = always(204, nil) }, "Vault sent an empty answer", false, 0},
		"a proxy's page":           {func(f *fakeVault) { f.authorize = always(502, "<html>") }, "Vault, or a proxy in front of it, answered 502 Bad Gateway", false, 0},
		"a policy, at the end":     {func(f *fakeVault) { f.creds = refuses(403, "permission denied") }, "handing Zoho's answer to Vault: Vault forbids it (permission denied): the token needs create and update on zoho/creds/crm", true, 1},
		"the code":                 {func(f *fakeVault) { f.creds = refuses(400, "code refused by accounts.zoho.eu (invalid_code): expired") }, "zoho-login: code refused by accounts.zoho.eu (invalid_code): expired", true, 0},
		"Zoho away":                {func(f *fakeVault) { f.creds = refuses(503, "the code is not spent") }, "the code is not spent", true, 1},
		"and not letting withdraw": {func(f *fakeVault) {
			f.creds, f.end = refuses(503, "sealed"), refuses(403, "permission denied")
		}, "withdrawing the consent: Vault forbids it (permission denied): the token needs update on zoho/authorize/crm, or it has expired. To see what it may do, run: vault token capabilities zoho/authorize/crm. To log in again, run: vault login; the consent was not withdrawn, and expires at ", true, 1},
		"not telling the account": {func(f *fakeVault) { f.status = refuses(403, "permission denied") }, "Zoho is connected", true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newFake()
			c.set(fake)
			l := start(t, fake, "crm")
			code := exitFailed
			if c.finishes {
				l.open()
				got := l.land(redirect)
				if name == "not telling the account" {
					code = exitConnected
				} else if got.status != 400 || !strings.Contains(got.body, "Zoho was not connected") || !strings.Contains(got.body, "terminal") || !sentenceShown.MatchString(got.body) {
					t.Errorf("the browser shows %d\n%s", got.status, got.body)
				}
			}
			l.want(code).says(c.says)
			fake.withdrew(t, c.withdraw)
		})
	}
}

func TestAVaultThatIsAwayIsNamed(t *testing.T) {
	cleanEnvironment(t)
	t.Setenv("VAULT_ADDR", "http://127.0.0.1:"+freePort(t))
	startHere(t, "crm").want(exitFailed).says("cannot be reached", "connection refused; check that VAULT_ADDR is the address of Vault")
}

func TestInterruptingLeavesNothing(t *testing.T) {
	t.Run("before anything", func(t *testing.T) {
		fake := newFake()
		l := start(t, fake, "-paste", "crm") // reads nothing until it is told to
		l.interrupt()
		l.want(exitInterrupted)
		if started, ended := len(fake.made("PUT", "authorize")), len(fake.made("WITHDRAW", "authorize")); started != ended {
			t.Errorf("%d started, %d withdrawn", started, ended)
		}
	})
	t.Run("while it starts", func(t *testing.T) {
		fake := newFake()
		begin := fake.authorize
		var l *login
		begun := make(chan bool)
		fake.authorize = func(r request) (int, any) {
			<-begun
			l.interrupt()
			return begin(r)
		}
		l = start(t, fake, "crm")
		close(begun)
		l.want(exitInterrupted)
		fake.withdrew(t, 1)
		if len(l.opened) != 0 {
			t.Error("a browser was opened for a consent that is over")
		}
	})
	t.Run("while the person is at Zoho", func(t *testing.T) {
		fake := newFake()
		l := start(t, fake, "crm")
		l.open()
		l.interrupt()
		l.want(exitInterrupted).says("interrupted; nothing was connected")
		fake.withdrew(t, 1)
	})
	t.Run("while Vault has the code", func(t *testing.T) {
		fake := newFake()
		connect := fake.creds
		var l *login
		fake.creds = func(r request) (int, any) {
			l.interrupt()
			return connect(r)
		}
		l = start(t, fake, "crm")
		l.open()
		if got := l.land(redirect); !strings.Contains(got.body, "Zoho is connected") {
			t.Errorf("the browser shows\n%s", got.body)
		}
		l.want(exitConnected) // it is, whatever was wished
		fake.withdrew(t, 0)
	})
	t.Run("while a consent is withdrawn", func(t *testing.T) {
		fake := newFake()
		var l *login
		fake.creds = refuses(503, "sealed")
		fake.end = func(request) (int, any) {
			l.interrupt()
			return 204, nil
		}
		l = start(t, fake, "crm")
		l.open()
		l.land(redirect)
		l.want(exitFailed)
		fake.withdrew(t, 1)
	})
}

func TestNobodyInTimeLeavesNothing(t *testing.T) {
	fake := newFake()
	start(t, fake, "-timeout=1ns", "crm").want(exitTimedOut).says("nobody consented in time")
	fake.withdrew(t, 1)
}

func TestOptionsReachVault(t *testing.T) {
	fake := newFake()
	l := start(t, fake, "crm", "-mount=/team/zoho/", "-scopes=ZohoCRM.org.READ,ZohoCRM.users.READ", "-data-center=eu", "-force", "-no-browser", "-timeout=1ns")
	l.want(exitTimedOut)
	got := fake.made("PUT", "authorize")
	want := map[string]any{"redirect_uri": "http://localhost:" + l.port + "/callback", "scopes": "ZohoCRM.org.READ,ZohoCRM.users.READ", "data_center": "eu", "force": true}
	if len(got) != 1 || got[0].path != "team/zoho/authorize/crm" || !maps.Equal(got[0].fields, want) {
		t.Errorf("Vault was asked %v, want %v", got, want)
	}
}

func TestWhatOthersWroteDoesNotSteerTheTerminal(t *testing.T) {
	const hostile = "a\x1b[2J\u202eb\nzoho-login: all is well\r"
	fake := newFake()
	fake.authorize = always(200, map[string]any{"authorization_url": theLink, "state": theState, "expire_time": "2100-01-01T00:00:00Z", "warnings": []string{"one " + hostile}})
	fake.creds = always(200, map[string]any{"data_center": hostile, "granted_scopes": []string{hostile}, "warnings": []string{"two " + hostile}})
	fake.status = always(200, map[string]any{"zoho_email": hostile})
	l := start(t, fake, "crm")
	l.open()
	l.land(redirect)
	l.want(exitConnected).says("warning: one a?[2J?b zoho-login: all is well", "warning: two a?[2J?b", "account      a?[2J?b", "data centre  a?[2J?b", "scopes       a?[2J?b")
	l3 := start(t, fake, "-format=json", "crm")
	l3.open()
	shown := html.UnescapeString(l3.land(redirect).body)
	l3.want(exitConnected)
	var got outcome
	if err := json.Unmarshal([]byte(l3.stdout.String()), &got); err != nil {
		t.Fatal(err)
	}
	fake.authorize = refuses(400, hostile)
	l2 := start(t, fake, "crm").want(exitFailed)
	l4 := start(t, fake, "-format=json", "crm").want(exitFailed)
	var failed outcome
	if err := json.Unmarshal([]byte(l4.stdout.String()), &failed); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(shown, "\x1b\u202e") {
		t.Errorf("the browser shows %q", shown)
	}
	for _, said := range []string{l.stdout.String() + l.stderr.String(), l2.stderr.String(), fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", failed), l3.stdout.String(), l4.stdout.String()} {
		if strings.ContainsAny(said, "\x1b\u202e\r") || strings.Contains(said, "\nzoho-login: all is well") {
			t.Errorf("it prints %q", said)
		}
	}
}

func TestWhoSitsElsewhereIsToldHow(t *testing.T) {
	fake := newFake()
	for address, told := range map[string]bool{"": false, "192.0.2.1 50000 192.0.2.2 22": true} {
		serve(t, fake)
		t.Setenv("SSH_CONNECTION", address)
		l := startHere(t, "-no-browser", "crm")
		l.waitFor("Waiting")
		if got := strings.Contains(l.stderr.String(), "ssh -L "+l.port+":localhost:"+l.port); got != told {
			t.Errorf("SSH_CONNECTION=%q: told %v", address, got)
		}
		l.interrupt()
		l.want(exitInterrupted)
	}
}

func TestOneReadsTheLinkWhereNoBrowserOpens(t *testing.T) {
	fake := newFake()
	fake.status = refuses(404, "")
	l := start(t, fake, "-no-browser", "crm")
	defer l.interrupt()
	l.waitFor(theLink)
	if len(l.opened) != 0 {
		t.Error("a browser was opened")
	}
	l.land(redirect)
	l.want(exitConnected)
}

// Zoho's page for more scopes is opened with a token, and may send the browser back
// without a state.
func TestAddedScopesComeWithoutStateAndTheirLinkIsNotShown(t *testing.T) {
	fake := newFake()
	l := start(t, fake, "-add-scopes=ZohoCRM.users.READ", "crm")
	l.open()
	if got := l.land("code=" + theCode); got.status != 404 {
		t.Errorf("a code without a state: %d", got.status)
	}
	l.land("status=success&scope_enhanced=true")
	l.want(exitConnected)
	if strings.Contains(l.stderr.String(), theLink) {
		t.Error("the link is on the screen")
	}
	if got := fake.made("PUT", "authorize")[0].fields; got["add_scopes"] != "ZohoCRM.users.READ" {
		t.Errorf("asked for %v", got)
	}
}

func TestVaultIsFoundAsItsOwnCommandFindsIt(t *testing.T) {
	fake := newFake()
	fake.authorize = refuses(400, "enough")
	start(t, fake, "-mount=zoho", "crm").want(exitFailed)
	t.Setenv("VAULT_TOKEN", "")
	t.Setenv("VAULT_NAMESPACE", "team")
	t.Setenv("VAULT_WRAP_TTL", "60s")
	if err := os.WriteFile(filepath.Join(os.Getenv("HOME"), ".vault-token"), []byte("hvs.from-vault-login\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	startHere(t, "crm").want(exitFailed)
	t.Setenv("VAULT_AGENT_ADDR", os.Getenv("VAULT_ADDR"))
	t.Setenv("VAULT_ADDR", "http://127.0.0.1:"+freePort(t))
	if err := os.Remove(filepath.Join(os.Getenv("HOME"), ".vault-token")); err != nil {
		t.Fatal(err)
	}
	startHere(t, "crm").want(exitFailed)
	var got []string
	for _, r := range fake.made("PUT", "authorize") {
		got = append(got, r.token+" "+r.namespace)
	}
	if want := []string{"hvs.the-token ", "hvs.from-vault-login team", " team"}; !slices.Equal(got, want) {
		t.Errorf("Vault saw %q, want %q", got, want)
	}
}

func TestWhoeverIsNotLoggedInIsTold(t *testing.T) {
	fake := newFake()
	fake.authorize = refuses(403, "missing client token")
	serve(t, fake)
	t.Setenv("VAULT_TOKEN", "")
	startHere(t, "crm").want(exitFailed).says("Vault needs a token; run: vault login")
}
