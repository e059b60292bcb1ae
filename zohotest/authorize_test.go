// What does the browser get to see, and where does it land?

package zohotest_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

func codeOf(t *testing.T, landed string) string {
	t.Helper()
	u, err := url.Parse(landed)
	if err != nil || u.Query().Get("code") == "" {
		t.Fatalf("no code in %q: %v", landed, err)
	}
	return u.Query().Get("code")
}

func TestTheBrowserLandsWithCodeLocationAndAccountsServer(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		landed, err := a.zoho.Authorize(a.consentURL("us", "state", "a b&c=%/é"), zohotest.Consent{DataCenter: "ca"})
		if err != nil {
			t.Fatal(err)
		}
		shape := regexp.MustCompile(`^http://localhost:8910/callback\?state=a\+b%26c%3D%25%2F%C3%A9&code=1000\.[0-9a-f]{32}\.[0-9a-f]{32}&location=ca&accounts-server=https%3A%2F%2Faccounts\.zohocloud\.ca&$`)
		if !shape.MatchString(landed) {
			t.Errorf("landed at %s", landed)
		}
	})
}

func TestWhatTheRedirectCarriesIsAKnobAndAConsent(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) {
			k.OmitState, k.OmitLocation, k.OmitAccountsServer, k.TrailingAmpersand = true, true, true, false
		})
		landed, err := a.zoho.Authorize(a.consentURL("us"), zohotest.Consent{})
		if err != nil || !regexp.MustCompile(`^http://localhost:8910/callback\?code=[0-9a-f.]+$`).MatchString(landed) {
			t.Errorf("landed at %s, %v", landed, err)
		}
	})
	bubble(t, func(t *testing.T, a app) {
		landed, err := a.zoho.Authorize(a.consentURL("us"), zohotest.Consent{NoState: true, NoAccountsServer: true})
		if err != nil || strings.Contains(landed, "state=") || strings.Contains(landed, "accounts-server=") {
			t.Errorf("landed at %s, %v", landed, err)
		}
	})
}

func TestAUserWhoRejectsSendsTheBrowserBackWithAccessDenied(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		landed, err := a.zoho.Authorize(a.consentURL("us"), zohotest.Consent{Reject: true})
		if err != nil || landed != "http://localhost:8910/callback?state=xyz&error=access_denied&" {
			t.Errorf("landed at %s, %v", landed, err)
		}
		if got := a.zoho.Counts(); got.Rejections != 1 || got.Consents != 0 {
			t.Errorf("counts are %+v", got)
		}
	})
}

func TestBadConsentRequestsEndOnZohosPage(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		onlyUS := a.zoho.AddClient(zohotest.Client{Enabled: []string{"us"}})
		both := a.zoho.AddClient(zohotest.Client{Enabled: []string{"us", "cn"}})
		chinese := a.zoho.AddClient(zohotest.Client{DataCenter: "cn"})
		self := a.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.UnknownScopes = []string{"ZohoCRM.nothing.READ"} })
		for name, test := range map[string]struct {
			start, user, wantPage string
			change                []string
		}{
			"unknown client":            {"us", "us", "Invalid Client", []string{"client_id", "1000.NOBODY"}},
			"self client":               {"us", "us", "Invalid Client", []string{"client_id", self.ID}},
			"no response type":          {"us", "us", "Invalid response type", []string{"response_type", ""}},
			"wrong response type":       {"us", "us", "Invalid response type", []string{"response_type", "cod"}},
			"redirect with a slash":     {"us", "us", "Invalid Redirect Uri", []string{"redirect_uri", "http://localhost:8910/callback/"}},
			"redirect to 127.0.0.1":     {"us", "us", "Invalid Redirect Uri", []string{"redirect_uri", "http://127.0.0.1:8910/callback"}},
			"no scope":                  {"us", "us", "Invalid OAuth scope", []string{"scope", ""}},
			"scope of one word":         {"us", "us", "Invalid OAuth scope", []string{"scope", "ZohoCRM"}},
			"unknown scope":             {"us", "us", "Invalid OAuth scope", []string{"scope", "ZohoCRM.org.READ,zohocrm.nothing.read"}},
			"unknown PKCE method":       {"us", "us", "Invalid Request", []string{"code_challenge", "x", "code_challenge_method", "S512"}},
			"data centre not enabled":   {"us", "eu", "Invalid Client", []string{"client_id", onlyUS.ID}},
			"Chinese user at us":        {"us", "cn", "Invalid Client", nil},
			"Chinese user although on":  {"us", "cn", "Invalid Client", []string{"client_id", both.ID}},
			"other client at China":     {"cn", "cn", "Invalid Client", nil},
			"European user at China":    {"cn", "eu", "Invalid Client", []string{"client_id", chinese.ID}},
			"Chinese client everywhere": {"us", "us", "Invalid Client", []string{"client_id", chinese.ID}},
		} {
			landed, err := a.zoho.Authorize(a.consentURL(test.start, test.change...), zohotest.Consent{DataCenter: test.user})
			if err == nil || !strings.HasPrefix(err.Error(), test.wantPage+": ") {
				t.Errorf("%s: landed at %q, page %v", name, landed, err)
			}
		}
		if landed, err := a.zoho.Authorize(a.consentURL("cn", "client_id", chinese.ID), zohotest.Consent{}); err != nil || !strings.Contains(landed, "location=cn") {
			t.Errorf("a Chinese client in China: landed at %q, page %v", landed, err)
		}
		if a.zoho.Counts().Consents != 1 {
			t.Error("an error page gave out a code")
		}
	})
}

func TestARefreshTokenComesOnlyWhenZohoWouldSendOne(t *testing.T) {
	for name, test := range map[string]struct {
		access, prompt string
		before, want   bool
	}{
		"online":                            {"online", "", false, false},
		"online with prompt":                {"online", "consent", false, false},
		"access type left out":              {"", "consent", false, false},
		"offline, first consent":            {"offline", "", false, true},
		"offline, consented before":         {"offline", "", true, false},
		"offline with prompt, first":        {"offline", "consent", false, true},
		"offline with prompt, consented":    {"offline", "consent", true, true},
		"offline with prompt of other kind": {"offline", "login", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, a app) {
				if test.before {
					a.connects("eu", "access_type", "online")
				}
				r := a.connects("eu", "access_type", test.access, "prompt", test.prompt)
				if got := r.refreshToken() != ""; got != test.want {
					t.Errorf("a refresh token came: %v, want %v", got, test.want)
				}
			})
		})
	}
}

func TestTheEleventhCodeInTenMinutesIsDenied(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		for range 10 {
			a.consents("eu")
		}
		if got := a.consents("us").Get("error"); got != "access_denied" {
			t.Errorf("the eleventh consent of the client got %q", got)
		}
		a.wantViolation(zohotest.CodeThrottleTripped, 1)
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.CodeKey = zohotest.PerUser })
		if a.consents("us").Get("code") == "" {
			t.Error("codes of other users count")
		}
		passes(10 * time.Minute)
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.CodeKey = zohotest.PerClient })
		if a.consents("eu").Get("code") == "" {
			t.Error("the window did not end")
		}
	})
}
