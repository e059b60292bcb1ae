// Is a command line that makes no sense refused before Vault is asked?

package main

import (
	"strings"
	"testing"
)

func TestWrongUsageIsToldAndAsksNothing(t *testing.T) {
	for args, says := range map[string]string{
		"":                                             "name one credential",
		"crm sales":                                    "names 2",
		"-nonsense crm":                                "-nonsense",
		"../sys/raw":                                   "is not the name of a credential",
		"zoho/crm":                                     "is not the name of a credential",
		"..":                                           "is not the name of a credential",
		"crm?list=true":                                "is not the name of a credential",
		"-mount= crm":                                  "is not a path",
		"-mount=../sys crm":                            "is not a path",
		"-mount=a/../sys crm":                          "is not a path",
		"-mount=zoho?x crm":                            "is not a path",
		"-format=yaml crm":                             "text or json",
		"-device -paste crm":                           "use one of them",
		"-device -port=1 crm":                          "-device needs no redirect URI",
		"-device -add-scopes=a crm":                    "leave -device out",
		"-scopes=a -add-scopes=b crm":                  "use one of them",
		"-port=1 -redirect-uri=http://l crm":           "leave -port out",
		"-port=0 crm":                                  "is no port",
		"-port=65536 crm":                              "is no port",
		"-timeout=0s crm":                              "-timeout",
		"-timeout=-1s crm":                             "-timeout",
		"-linger=-1s crm":                              "-linger",
		"-organization -device crm":                    "leave -device out",
		"-organization -add-scopes=a crm":              "use one of them",
		"-soid=ZohoCRM.1 crm":                          "goes with -organization",
		"-device -ttl=1h crm":                          "leave -ttl out",
		"-add-scopes=a -expected-user=b crm":           "leave them out",
		"-expected-user= crm":                          "is empty",
		"-expected-data-center= crm":                   "is empty",
		"-redirect-uri=callback crm":                   "not a whole address",
		"-redirect-uri=http://localhost:1/?a=b crm":    "not a whole address",
		"-redirect-uri=https://localhost:1/ crm":       "add -paste",
		"-redirect-uri=http://app.example.com/cb crm":  "add -paste",
		"-redirect-uri=http://localhost.evil:1/cb crm": "add -paste",
	} {
		fake := newFake()
		line := strings.Fields(args)
		var screen output
		cleanEnvironment(t)
		if code := run(t.Context(), line, terminal{stdout: &screen, stderr: &screen}); code != exitUsage || !strings.Contains(screen.String(), says) || !strings.Contains(screen.String(), "-help") {
			t.Errorf("%q: exit code %d, %s", args, code, &screen)
		}
		if len(fake.requests) != 0 {
			t.Errorf("%q: asked %v", args, fake.requests)
		}
	}
}

func TestHelpNamesEveryFlagAndExitCode(t *testing.T) {
	var out, errs output
	if code := run(t.Context(), []string{"-help"}, terminal{stdout: &out, stderr: &errs}); code != 0 || errs.String() != "" {
		t.Errorf("exit code %d, %s", code, &errs)
	}
	for _, text := range []string{"0 connected", "1 failed", "2 wrong usage", "3 declined", "4 not in time", "130 interrupted", "-force", "http://localhost:8910/callback", "VAULT_NAMESPACE"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("%q is not in\n%s", text, &out)
		}
	}
}

func TestARegisteredRedirectURIIsSentAsItIs(t *testing.T) {
	fake, port := newFake(), freePort(t)
	l := start(t, fake, "-redirect-uri=http://localhost:"+port, "crm")
	l.port = port
	l.open()
	if got := l.get("GET", "/?"+redirect, nil); got.status != 200 {
		t.Errorf("the browser shows %d", got.status)
	}
	l.want(exitConnected)
	if got := fake.made("PUT", "authorize")[0].fields["redirect_uri"]; got != "http://localhost:"+port {
		t.Errorf("Vault was asked for %q", got)
	}
}

func TestEveryFormOfLoopbackCanBeRegistered(t *testing.T) {
	for redirect, port := range map[string]string{"http://127.0.0.1:8910/callback": "8910", "http://[::1]:1/": "1", "http://localhost/callback": "80"} {
		o, err := readOptions([]string{"-redirect-uri", redirect, "crm"}, terminal{})
		if err != nil || o.port() != port || o.redirectURI != redirect {
			t.Errorf("%s: port %s, %v", redirect, o.port(), err)
		}
	}
}

func TestNoBrowserIsOpenedWhereNobodyWouldSeeIt(t *testing.T) {
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	t.Setenv("PATH", t.TempDir()) // and none is opened by this test
	for address, says := range map[string]string{
		"file:///etc/passwd": "does not begin with https://", "--help": "does not begin with https://", "https://accounts.zoho.com/": "no display",
	} {
		if _, err := openBrowser(address); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", address, err)
		}
	}
}
