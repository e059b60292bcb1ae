// ready_test.go: mistakes that are found before a consent is started and a person is sent to
// Zoho.

package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// wroteNothing checks that nothing was sent that a server could store.
func (f *fakeVault) wroteNothing(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.requests {
		if r.method != "GET" && r.path != "sys/capabilities-self" {
			t.Errorf("%s %s was sent", r.method, r.path)
		}
	}
}

func TestAMountOfAnotherEngineIsNamedAndNotWrittenTo(t *testing.T) {
	denied := refuses(403, "permission denied")
	mount := func(path, engine string) answer {
		return always(200, map[string]any{"path": path, "type": engine})
	}
	for name, c := range map[string]struct {
		set  func(*fakeVault)
		says []string
	}{
		"kv": {func(f *fakeVault) { f.callback, f.mounts = denied, mount("zoho/", "kv") }, []string{`the mount zoho/ is a secrets engine of the type "kv", not vault-plugin-secrets-zoho; nothing was written`, "run: vault secrets list"}},
		"kv with a secret of that name": {func(f *fakeVault) {
			f.callback, f.mounts = always(200, map[string]any{"password": "hunter2"}), mount("zoho/", "kv")
		}, []string{`of the type "kv"`}},
		"a path within kv":     {func(f *fakeVault) { f.callback, f.mounts = denied, mount("z/", "kv") }, []string{`the mount z/ is a secrets engine of the type "kv"`}},
		"a path within zoho":   {func(f *fakeVault) { f.callback, f.mounts = denied, mount("z/", "vault-plugin-secrets-zoho") }, []string{"inside the mount z/", " -mount=z"}},
		"nothing, or no right": {func(f *fakeVault) { f.callback, f.mounts = denied, denied }, []string{"no Zoho secrets engine is mounted there", "run: vault secrets list", "-mount", "VAULT_NAMESPACE"}},
		"sealed": {func(f *fakeVault) {
			f.callback, f.health = refuses(503, "Vault is sealed"), always(200, raw{"initialized": true, "sealed": true, "version": "1.21.0"})
		}, []string{"is sealed", "its operator runs: vault operator unseal"}},
		"not initialized": {func(f *fakeVault) {
			f.callback, f.health = refuses(503, "Vault is sealed"), always(200, raw{"sealed": true, "version": "1.21.0"})
		}, []string{"is not initialized", "its operator runs: vault operator init"}},
		"a plugin that does not start": {func(f *fakeVault) { f.callback = refuses(500, "unrecognized remote plugin message") }, []string{"unrecognized remote plugin message"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, way := range []string{"-no-browser", "-paste", "-device"} {
				fake := newFake()
				c.set(fake)
				serve(t, fake)
				l := startDevice(t, way, "crm")
				l.want(exitFailed).says(append(c.says, "looking for the Zoho secrets engine at zoho/")...)
				fake.wroteNothing(t)
				if strings.Contains(l.stderr.String(), "hunter2") {
					t.Error("it prints a secret")
				}
			}
		})
	}
}

// A filter may keep the callback from this machine; Vault says what is mounted.
func TestAFilteredCallbackIsNoObstacleIfVaultNamesTheEngine(t *testing.T) {
	fake := newFake()
	fake.callback, fake.health = always(403, "<html>forbidden"), always(403, "<html>forbidden")
	l := start(t, fake, "crm")
	l.open()
	l.land(redirect)
	l.want(exitConnected)
}

func TestAServerThatIsNotVaultIsNamed(t *testing.T) {
	page := func(status int, contentType, text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				t.Errorf("%s %s was sent to it", r.Method, r.URL)
			}
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			io.WriteString(w, text)
		})
	}
	plain := func(h http.Handler) func(*testing.T) string {
		return func(t *testing.T) string {
			server := httptest.NewServer(h)
			t.Cleanup(server.Close)
			return server.URL
		}
	}
	for name, c := range map[string]struct {
		address func(*testing.T) string
		says    []string
	}{
		"a web site":            {plain(page(200, "text/html", "<html>welcome")), []string{"does not answer as Vault does", "200 OK (text/html)", "Set VAULT_ADDR"}},
		"a web site, not found": {plain(page(404, "text/html", "<html>not found")), []string{"does not answer as Vault does", "404 Not Found (text/html)"}},
		"another API":           {plain(page(404, "application/json", `{"message":"not found"}`)), []string{"does not answer as Vault does", "404 Not Found (application/json)"}},
		"an API that accepts":   {plain(page(200, "application/json", `{"ok":true}`)), []string{"does not answer as Vault does"}},
		"an empty answer":       {plain(page(204, "", "")), []string{"does not answer as Vault does", "204 No Content (no content type)"}},
		"TLS, without it": {func(t *testing.T) string {
			return "http" + strings.TrimPrefix(speaksTLS(t), "https")
		}, []string{"speaks TLS, and VAULT_ADDR begins with http://", "run: export VAULT_ADDR=https://127.0.0.1:"}},
		"no TLS, with it": {func(t *testing.T) string {
			return "https" + strings.TrimPrefix(plain(page(200, "", ""))(t), "http")
		}, []string{"does not speak TLS", "run: export VAULT_ADDR=http://127.0.0.1:"}},
		"an unknown authority": {speaksTLS, []string{"cannot be reached", "certificate", "set VAULT_CACERT"}},
		"no HTTP": {func(t *testing.T) string {
			return listens(t, func(conn net.Conn) {
				conn.Read(make([]byte, 1)) // what speaks first is told in several ways by net/http
				io.WriteString(conn, "SSH-2.0-OpenSSH_9.2\r\n")
				io.Copy(io.Discard, conn)
			})
		}, []string{"does not speak HTTP", "set VAULT_ADDR"}},
	} {
		t.Run(name, func(t *testing.T) {
			cleanEnvironment(t)
			t.Setenv("VAULT_ADDR", c.address(t))
			t.Setenv("VAULT_TOKEN", "hvs.the-token")
			l := startHere(t, "crm").want(exitFailed)
			l.says(c.says...)
			if len(l.opened) != 0 {
				t.Error("a browser was opened")
			}
		})
	}
}

// speaksTLS starts a server whose certificate nobody knows, and returns its address.
func speaksTLS(t *testing.T) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// listens serves connections on a loopback port, and returns its address.
func listens(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { conn.Close() })
			go handle(conn)
		}
	}()
	return "http://" + l.Addr().String()
}

// The checks have a deadline of their own, which VAULT_CLIENT_TIMEOUT of the test shortens.
func TestAServerThatDoesNotAnswerIsNamed(t *testing.T) {
	cleanEnvironment(t)
	t.Setenv("VAULT_ADDR", listens(t, func(conn net.Conn) { io.Copy(io.Discard, conn) }))
	t.Setenv("VAULT_CLIENT_TIMEOUT", "1ns")
	if readyTime > 15*time.Second {
		t.Errorf("a person waits %s for a message", readyTime)
	}
	startHere(t, "crm").want(exitFailed).says("did not answer in time; check that VAULT_ADDR is the address of Vault")
}

func TestPermissionsAreCheckedBeforeThePersonIsSentToZoho(t *testing.T) {
	connected := always(200, map[string]any{"state": "ready", "connected_time": "2000-01-01T00:00:00Z"})
	waiting := always(200, map[string]any{"state": "awaiting_consent"})
	absent, forbidden := always(404, nil), refuses(403, "permission denied")
	for name, c := range map[string]struct {
		flag             string
		authorize, creds []string
		status           answer
		lacks            string // "": it is allowed
		warns            string
	}{
		"all":                               {"", []string{"update"}, []string{"create", "update"}, forbidden, "", ""},
		"root":                              {"", []string{"root"}, []string{"root"}, forbidden, "", ""},
		"nothing":                           {"", []string{"deny"}, []string{"deny"}, forbidden, "lacks update on zoho/authorize/crm, and create and update on zoho/creds/crm", ""},
		"not authorize":                     {"", []string{"read"}, []string{"create", "update"}, forbidden, "lacks update on zoho/authorize/crm", ""},
		"not creds":                         {"", []string{"update"}, []string{"read"}, forbidden, "lacks create and update on zoho/creds/crm", ""},
		"create alone, for a new one":       {"", []string{"update"}, []string{"create"}, absent, "", ""},
		"create alone, while another waits": {"", []string{"update"}, []string{"create"}, waiting, "", ""},
		"create alone, for one there is":    {"", []string{"update"}, []string{"create"}, connected, "lacks update on zoho/creds/crm", ""},
		"update alone, for one there is":    {"", []string{"update"}, []string{"update"}, connected, "", ""},
		"update alone, for a new one":       {"", []string{"update"}, []string{"update"}, absent, "lacks create on zoho/creds/crm", ""},
		"update alone, nobody knows":        {"", []string{"update"}, []string{"update"}, forbidden, "", `has no create on zoho/creds/crm, which works only if "crm" is connected already`},
		"create alone, nobody knows":        {"", []string{"update"}, []string{"create"}, forbidden, "", `has no update on zoho/creds/crm, which works only if "crm" is not connected yet`},
		"paste, not creds":                  {"-paste", []string{"update"}, nil, forbidden, "lacks create and update on zoho/creds/crm", ""},
		"device":                            {"-device", []string{"update"}, []string{"read"}, absent, "", ""},
		"device, not reading":               {"-device", []string{"update"}, []string{"create", "update"}, absent, "lacks read on zoho/creds/crm", ""},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newFake()
			fake.may, fake.status = policy(map[string][]string{"authorize": c.authorize, "creds": c.creds}), c.status
			fake.authorize = refuses(400, "this is as far as the test goes")
			args := []string{"crm"}
			if c.flag != "" {
				args = append(args, c.flag)
			}
			serve(t, fake)
			l := startDevice(t, args...)
			l.want(exitFailed)
			if c.lacks == "" {
				l.says("as far as the test goes")
			} else {
				l.says(c.lacks+".", "nothing was started", "vault token capabilities zoho/")
				fake.wroteNothing(t)
			}
			if warned := strings.Contains(l.stderr.String(), "warning"); warned != (c.warns != "") {
				t.Errorf("it says %s", l.stderr)
			}
			l.says(c.warns)
		})
	}
}

// startDevice is startHere for the flags of every flow.
func startDevice(t *testing.T, args ...string) *login {
	t.Helper()
	if !strings.Contains(strings.Join(args, " "), "-device") {
		return startHere(t, args...)
	}
	l := &login{t: t, stdout: &output{}, stderr: &output{}, opened: make(chan string, 1), ended: make(chan struct{})}
	l.code = run(t.Context(), args, terminal{stdin: strings.NewReader(""), stdout: l.stdout, stderr: l.stderr})
	close(l.ended)
	return l
}

func TestATokenThatMayNotAskIsNotHeldUp(t *testing.T) {
	for name, may := range map[string]answer{
		"forbidden": refuses(403, "permission denied"), "unknown": refuses(404, "unsupported path"), "empty": always(204, nil),
		"other paths": always(200, map[string]any{"zoho/authorize/other": []string{"deny"}}), "another form": always(200, map[string]any{"zoho/authorize/crm": "deny"}),
	} {
		t.Run(name, func(t *testing.T) {
			fake := newFake()
			fake.may = may
			l := start(t, fake, "crm")
			l.open()
			l.land(redirect)
			l.want(exitConnected)
		})
	}
}

func TestWhatTheAccountMustBeReachesVault(t *testing.T) {
	fake := newFake()
	start(t, fake, "crm", "-expected-user=ann@example.com", "-expected-data-center=eu", "-organization", "-soid=ZohoCRM.1", "-ttl=1h", "-timeout=1ns").want(exitTimedOut)
	got := fake.made("PUT", "authorize")[0].fields
	for field, want := range map[string]any{"expected_user": "ann@example.com", "expected_data_center": "eu", "flow": "organization", "soid": "ZohoCRM.1", "ttl": "1h"} {
		if got[field] != want {
			t.Errorf("%s is %v, want %v", field, got[field], want)
		}
	}
}

func TestAConsentThatIsNotReplacedComesWithCommands(t *testing.T) {
	text := `a consent for "crm" that was started at 2000-01-01T00:00:00Z by operator waits until 2000-01-02T00:00:00Z; let it be finished, or write force=true to replace it: its link no longer works then`
	for name, c := range map[string]struct {
		stored answer
		args   []string
		says   []string
	}{
		"with conditions": {always(200, map[string]any{"state": "waiting", "expected_user": "o'neil@example.com", "expected_data_center": "eu"}), nil, []string{
			`To replace it and keep its conditions, run: zoho-login -port=8910 -scopes=ZohoCRM.org.READ crm -force '-expected-user=o'"'"'neil@example.com' -expected-data-center=eu; to replace it and drop them, run: zoho-login -port=8910 -scopes=ZohoCRM.org.READ crm -force`,
		}},
		"without conditions": {always(200, map[string]any{"state": "waiting", "expected_user": ""}), nil, []string{"To replace it, run: zoho-login -port=8910 -scopes=ZohoCRM.org.READ crm -force"}},
		"not readable":       {refuses(403, "permission denied"), nil, []string{"To replace it, run: zoho-login -port=8910 -scopes=ZohoCRM.org.READ crm -force"}},
	} {
		t.Run(name, func(t *testing.T) {
			fake := newFake()
			fake.authorize, fake.consent = refuses(400, text), c.stored
			serve(t, fake)
			o, err := readOptions([]string{"-port=8910", "-scopes=ZohoCRM.org.READ", "crm"}, terminal{})
			if err != nil {
				t.Fatal(err)
			}
			client, err := newClient()
			if err != nil {
				t.Fatal(err)
			}
			v := &vault{client: client, mount: o.mount, name: o.name, asked: o}
			_, err = v.start(t.Context(), o)
			for _, says := range append(c.says, text) {
				if !strings.Contains(fmt.Sprint(err), says) {
					t.Errorf("it does not say %q, but %v", says, err)
				}
			}
			// What is printed can be typed.
			if _, err := readOptions(strings.Fields("-port=8910 -scopes=ZohoCRM.org.READ crm -force -expected-user=a@b -expected-data-center=eu"), terminal{}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestABrowserThatFailsLaterIsToldWithTheLink(t *testing.T) {
	for name, args := range map[string][]string{"a consent": {"crm"}, "more scopes": {"-add-scopes=ZohoCRM.users.READ", "crm"}} {
		t.Run(name, func(t *testing.T) {
			serve(t, newFake())
			bin := t.TempDir()
			// Real processes: the opener of the desktop ends as xdg-open does without a browser.
			if err := os.WriteFile(filepath.Join(bin, "xdg-open"), []byte("#!/bin/sh\nexit 3\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
			t.Setenv("DISPLAY", ":0")
			l := startOpening(t, openBrowser, nil, args...)
			l.waitFor("The browser did not open: xdg-open ended with exit status 3.")
			l.waitFor("Open this link in a browser on this machine, and accept:\n\n  " + theLink)
			l.land(redirect)
			l.want(exitConnected)
		})
	}
}

func TestAnOpenerThatIsNotInstalledIsNamed(t *testing.T) {
	t.Setenv("DISPLAY", ":0")
	t.Setenv("PATH", t.TempDir())
	if _, err := openBrowser("https://accounts.zoho.com/"); err == nil || !strings.Contains(err.Error(), "xdg-open, which opens browsers, is not installed") {
		t.Error(err)
	}
}

// startOpening runs the command with a browser and a look at Zoho's page of a test's own.
func startOpening(t *testing.T, browse func(string) (<-chan error, error), visit func(string) (string, error), args ...string) *login {
	t.Helper()
	opened := make(chan string, 1)
	l := &login{t: t, stdout: &output{}, stderr: &output{}, opened: opened, port: freePort(t), ended: make(chan struct{})}
	on := terminal{stdin: strings.NewReader(""), stdout: l.stdout, stderr: l.stderr, browse: func(address string) (<-chan error, error) {
		opened <- address
		if browse != nil {
			return browse(address)
		}
		return nil, nil
	}}
	if visit != nil {
		on.visit = visitPage
	}
	go func() {
		defer close(l.ended)
		l.code = run(t.Context(), append([]string{"-linger=0s", "-port=" + l.port}, args...), on)
	}()
	t.Cleanup(func() { <-l.ended })
	return l
}

// Zoho's page is asked over a real socket, as the browser asks for it.
func TestAnErrorPageOfZohoIsToldWhileThePersonWaits(t *testing.T) {
	const script = `<script>var texts={"e":"Invalid Redirect Uri"}</script>`
	for name, c := range map[string]struct{ text, says string }{
		"redirect URI": {"<title>Error</title>" + script + "<h1>Invalid Redirect Uri</h1>", "/callback is not registered for this client"},
		"client":       {"<h1>Invalid Client</h1>", "does not know client_id of the mount's config"},
		"scope":        {"<h1>Invalid OAuth Scope</h1>", "does not know one of the scopes"},
		"sign in":      {script + "<h1>Sign in</h1>", ""},
	} {
		t.Run(name, func(t *testing.T) {
			asked := make(chan string, 2)
			zoho := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.WriteString(w, c.text)
				asked <- r.Method
			}))
			defer zoho.Close()
			fake := newFake()
			fake.authorize = always(200, map[string]any{"authorization_url": zoho.URL + "/oauth/v2/auth", "state": theState, "expire_time": "2100-01-01T00:00:00Z"})
			serve(t, fake)
			l := startOpening(t, nil, func(string) (string, error) { return "", nil }, "crm")
			l.open()
			<-asked
			if c.says != "" {
				l.waitFor("warning: Zoho's page says")
			}
			l.land(redirect)
			l.want(exitConnected).says(c.says)
			if c.says == "" && strings.Contains(l.stderr.String(), "warning") {
				t.Errorf("it says %s", l.stderr)
			}
		})
	}
}

// A page that redirects is none of Zoho's error pages, and a redirect could bring a code here.
func TestNoRedirectOfZohoIsFollowed(t *testing.T) {
	followed := false
	zoho := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			followed = true
		}
		http.Redirect(w, r, "/callback?code=1", http.StatusFound)
	}))
	defer zoho.Close()
	if _, err := visitPage(t.Context(), zoho.URL+"/"); err != nil || followed {
		t.Errorf("followed: %v, %v", followed, err)
	}
}

func TestNoColorLeavesTheDrawingOut(t *testing.T) {
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminal can be made here:", err)
	}
	defer tty.Close()
	for value, want := range map[string]bool{"": true, "1": false, "0": false} {
		t.Setenv("TERM", "xterm")
		t.Setenv("NO_COLOR", value)
		if got := showsColors(tty); got != want {
			t.Errorf("NO_COLOR=%q: colors are shown: %v", value, got)
		}
	}
}

// Winsock's numbers are not those that the package syscall gives to the same names.
func TestATakenPortIsToldFromAMachineWithoutIPv6(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		syscall.EADDRINUSE: "taken", 10048: "taken", 10013: "taken",
		syscall.EADDRNOTAVAIL: "none", syscall.EAFNOSUPPORT: "none", 10049: "none", 10047: "none",
		syscall.EACCES: "", syscall.EMFILE: "",
	} {
		err := &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", errno)}
		got := ""
		if isOneOf(err, addressInUse) {
			got += "taken"
		}
		if isOneOf(err, noSuchAddress) {
			got += "none"
		}
		if got != want {
			t.Errorf("errno %d is %q, want %q", errno, got, want)
		}
	}
}

func TestATakenPortComesWithACommand(t *testing.T) {
	for line, says := range map[string]string{
		"crm":            "then run for example: zoho-login crm -port=8911",
		"-port=8910 crm": "then run for example: zoho-login -port=8910 crm -port=8911",
		"-redirect-uri=http://localhost:8910 crm": "then run for example: zoho-login -redirect-uri=http://localhost:8910 crm -redirect-uri=http://localhost:8911",
	} {
		o, err := readOptions(strings.Fields(line), terminal{})
		if err != nil {
			t.Fatal(err)
		}
		said := o.portProblem(&takenError{o.port(), "::1"})
		if !strings.Contains(said, says) || !strings.Contains(said, "port 8910 on ::1 is taken") {
			t.Errorf("%s: %s", line, said)
		}
		_, command, _ := strings.Cut(said, "for example: zoho-login ")
		if again, err := readOptions(strings.Fields(command), terminal{}); err != nil || again.port() != "8911" {
			t.Errorf("%s: the command takes port %v, %v", line, again.port(), err)
		}
	}
}

func TestAPortThatNeedsMoreRightsComesWithACommand(t *testing.T) {
	for line, says := range map[string]string{
		"-port=443 crm": "Use another port: register its redirect URI in Zoho's API console, then run for example: zoho-login -port=443 crm -port=8910",
		"-redirect-uri=http://localhost/callback crm": "zoho-login -redirect-uri=http://localhost/callback crm -redirect-uri=http://localhost:8910/callback",
		"-redirect-uri=http://[::1]/ crm":             "'-redirect-uri=http://[::1]:8910/'",
		"-port=65535 crm":                             "crm -port=8910",
	} {
		o, err := readOptions(strings.Fields(line), terminal{})
		if err != nil {
			t.Fatal(err)
		}
		if said := o.portProblem(os.NewSyscallError("bind", syscall.EACCES)); !strings.Contains(said, says) || !strings.Contains(said, "bind: permission denied") {
			t.Errorf("%s: %s", line, said)
		}
	}
}
