// When does a code become tokens?

package zohotest_test

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

func (a app) wantError(r reply, code string) {
	a.Helper()
	if r.status != 200 || r.error() != code || r.accessToken() != "" {
		a.Errorf("answered %d %s, want 200 and %s", r.status, r.body, code)
	}
}

func TestACodeWorksOnce(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		code := a.consents("eu").Get("code")
		if r := a.exchange("eu", code); r.refreshToken() == "" {
			t.Fatalf("the exchange got %s", r.body)
		}
		a.wantNoViolations()
		a.wantError(a.exchange("eu", code), "invalid_code")
		a.wantViolation(zohotest.CodeTriedTwice, 1)
	})
}

func TestACodeThatMetAFaultIsTriedTwiceAllTheSame(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		code := a.consents("eu").Get("code")
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "token", Times: 1})
		if r := a.exchange("eu", code); r.status != 503 {
			t.Fatalf("the fault answered %d", r.status)
		}
		a.exchange("eu", code)
		a.wantViolation(zohotest.CodeTriedTwice, 1)
	})
}

func TestACodeDiesAfterTwoMinutes(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		intime, late := a.consents("eu").Get("code"), a.consents("eu").Get("code")
		passes(2*time.Minute - 1)
		if r := a.exchange("eu", intime); r.accessToken() == "" {
			t.Errorf("in time it got %s", r.body)
		}
		passes(1)
		a.wantError(a.exchange("eu", late), "invalid_code")
		a.wantViolation(zohotest.CodeTriedLate, 1)
		a.wantViolation(zohotest.CodeTriedTwice, 0)
	})
}

func TestASelfClientsCodeNeedsNoRedirectAndLivesAsLongAsChosen(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		self := a.as(a.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient, DataCenter: "in"}))
		for _, life := range []time.Duration{0, 10 * time.Minute} {
			want := life
			if life == 0 {
				want = 3 * time.Minute
			}
			made := func() string {
				code, err := a.zoho.SelfClientCode(self.client.ID, "", life, "ZohoCRM.org.READ,ZohoCRM.users.READ")
				if err != nil {
					t.Fatal(err)
				}
				return code
			}
			intime, ignored, late := made(), made(), made()
			passes(want - 1)
			r := self.exchange("in", intime)
			if r.refreshToken() == "" || r.text("scope") != "ZohoCRM.org.READ ZohoCRM.users.READ" {
				t.Errorf("in time it got %s", r.body)
			}
			if r := self.exchange("in", ignored, "redirect_uri", "https://any.example.com"); r.refreshToken() == "" {
				t.Errorf("a redirect URI was not ignored: %s", r.body)
			}
			passes(1)
			self.wantError(self.exchange("in", late), "invalid_code")
		}
		if _, err := a.zoho.SelfClientCode(self.client.ID, "eu", 0, "ZohoCRM.org.READ"); err == nil {
			t.Error("the console of another data centre made a code")
		}
		if _, err := a.zoho.SelfClientCode(a.client.ID, "us", 0, "ZohoCRM.org.READ"); err == nil {
			t.Error("a server-based client got a self client's code")
		}
		if _, err := a.zoho.SelfClientCode(self.client.ID, "in", 0, "CRM"); err == nil {
			t.Error("a bad scope got a code")
		}
	})
}

func TestMistakesInAnExchangeHaveZohosNames(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.Codes = -1 })
		other := a.zoho.AddClient(zohotest.Client{})
		onlyUS := a.zoho.AddClient(zohotest.Client{Enabled: []string{"us"}})
		perDC := a.zoho.AddClient(zohotest.Client{Secret: "secret-of-us", Secrets: map[string]string{"eu": "secret-of-eu"}})
		for name, test := range map[string]struct {
			want   string
			change []string
		}{
			"unknown client":               {"invalid_client", []string{"client_id", "1000.NOBODY"}},
			"no client":                    {"invalid_client", []string{"client_id", ""}},
			"client not enabled":           {"invalid_client", []string{"client_id", onlyUS.ID, "client_secret", onlyUS.Secret}},
			"another data centre's secret": {"invalid_client", []string{"client_id", perDC.ID, "client_secret", "secret-of-us"}},
			"no secret":                    {"invalid_client_secret", []string{"client_secret", ""}},
			"wrong secret":                 {"invalid_client_secret", []string{"client_secret", "guess"}},
			"another client's code":        {"invalid_code", []string{"client_id", other.ID, "client_secret", other.Secret}},
			"code of nobody":               {"invalid_code", []string{"code", "1000.x.y"}},
			"no code":                      {"invalid_code", []string{"code", ""}},
			"no redirect":                  {"invalid_redirect_uri", []string{"redirect_uri", ""}},
			"another registered redirect":  {"invalid_redirect_uri", []string{"redirect_uri", "https://app.example.com/callback"}},
			"unknown grant type":           {"invalid_client", []string{"grant_type", "password"}},
		} {
			t.Log(name)
			a.wantError(a.exchange("eu", a.consents("eu").Get("code"), test.change...), test.want)
		}
		a.wantError(a.exchange("eu", a.consents("us").Get("code")), "invalid_code")
		a.wantViolation(zohotest.WrongDataCenter, 1)
		self := a.as(a.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient, DataCenter: "in"}))
		a.wantError(self.exchange("eu", "1000.x.y"), "invalid_client") // a self client belongs to one data centre
		if r := a.exchange("eu", a.consents("eu").Get("code"), "grant_type", ""); r.status != 400 || r.json != nil {
			t.Errorf("without grant_type it answered %d %s", r.status, r.body)
		}
		if got := a.zoho.Counts().Exchanges; got != 0 {
			t.Errorf("%d exchanges were made", got)
		}
	})
}

func TestARefreshTokenBelongsToItsClient(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		token := a.connects("eu").refreshToken()
		a.wantError(a.as(a.zoho.AddClient(zohotest.Client{})).refresh("eu", token), "invalid_code")
		a.wantError(a.refresh("eu", "1000.x.y"), "invalid_code")
		a.wantError(a.refresh("eu", ""), "invalid_code")
		a.mints(1, token)
	})
}

func TestErrorsCanBeShapedByKnobs(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) {
			k.ErrorStatus, k.BadGrantTypeError, k.WrongDataCenterError = 401, "invalid_code", "invalid_client"
		})
		if r := a.exchange("us", "x", "grant_type", "password"); r.status != 401 || r.error() != "invalid_code" {
			t.Errorf("answered %d %s", r.status, r.body)
		}
		if r := a.refresh("us", a.connects("eu").refreshToken()); r.status != 401 || r.error() != "invalid_client" {
			t.Errorf("answered %d %s", r.status, r.body)
		}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.ErrorHTML = true })
		if r := a.refresh("us", "x"); r.json != nil || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
			t.Errorf("answered %v %s", r.header, r.body)
		}
	})
}

func TestACodeWithAChallengeNeedsItsVerifier(t *testing.T) {
	verifier := strings.Repeat("verifier-", 6)
	sum := sha256.Sum256([]byte(verifier))
	hashed := base64.RawURLEncoding.EncodeToString(sum[:])
	bubble(t, func(t *testing.T, a app) {
		for _, asked := range [][]string{
			{"code_challenge", hashed, "code_challenge_method", "S256"},
			{"code_challenge", verifier, "code_challenge_method", "plain"},
			{"code_challenge", verifier},
		} {
			a.wantError(a.exchange("eu", a.consents("eu", asked...).Get("code")), "invalid_code")
			a.wantError(a.exchange("eu", a.consents("eu", asked...).Get("code"), "code_verifier", verifier+"x"), "invalid_code")
			if r := a.exchange("eu", a.consents("eu", asked...).Get("code"), "code_verifier", verifier); r.accessToken() == "" {
				t.Errorf("%v: the right verifier got %s", asked, r.body)
			}
		}
		short := "too-short"
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.PKCEError = "invalid_grant" })
		a.wantError(a.exchange("us", a.consents("us", "code_challenge", short).Get("code"), "code_verifier", short), "invalid_grant")
	})
}

func TestAVerifierHas43To128UnreservedCharacters(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.Codes = -1 })
		for verifier, good := range map[string]bool{
			strings.Repeat("v", 42): false, strings.Repeat("v", 43): true, strings.Repeat("v", 128): true, strings.Repeat("v", 129): false,
			strings.Repeat("aZ09-._~", 6): true, strings.Repeat("v", 43) + "+": false, strings.Repeat("v", 43) + " ": false,
			strings.Repeat("v", 43) + "é": false, strings.Repeat("v", 43) + "/": false, strings.Repeat("v", 43) + "\n": false,
		} {
			sum := sha256.Sum256([]byte(verifier))
			for _, asked := range [][]string{
				{"code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method", "S256"}, {"code_challenge", verifier},
			} {
				a.zoho.Reset()
				r := a.exchange("eu", a.consents("eu", asked...).Get("code"), "code_verifier", verifier)
				if got := r.accessToken() != ""; got != good {
					t.Errorf("%d characters, ending in %q: answered %s", len(verifier), verifier[len(verifier)-1:], r.body)
				}
				if good {
					a.wantNoViolations()
				} else {
					a.wantViolations(zohotest.WrongVerifier)
				}
			}
		}
	})
}

// Nothing of a redirect URI is normalized, neither before the consent nor at the exchange.
func TestARedirectURIIsComparedByteForByte(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		registered := "https://app.example.com/Callback"
		a = a.as(a.zoho.AddClient(zohotest.Client{RedirectURIs: []string{registered}}))
		for _, other := range []string{
			"https://app.example.com/callback", "https://APP.example.com/Callback", "HTTPS://app.example.com/Callback", registered + "/",
			"https://app.example.com:443/Callback", registered + "?", "https://app.example.com/%43allback", registered + "#",
		} {
			a.wantPage("Invalid Redirect Uri", a.consentURL("us", "redirect_uri", other), zohotest.Consent{})
			a.zoho.Reset()
			a.wantError(a.exchange("eu", a.consents("eu").Get("code"), "redirect_uri", other), "invalid_redirect_uri")
			a.wantViolations(zohotest.WrongRedirectURI)
			passes(10 * time.Minute)
		}
	})
}

func TestSecretsCanDifferByDataCenterAndRotate(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		token := a.connects("eu").refreshToken()
		ours := a.zoho.RotateSecret(a.client.ID, "eu")
		a.wantError(a.refresh("eu", token), "invalid_client") // now it is only the others' secret
		if r := a.refresh("eu", token, "client_secret", ours); r.accessToken() == "" {
			t.Errorf("the new secret got %s", r.body)
		}
		a.connects("us")
		everywhere := a.zoho.RotateSecret(a.client.ID, "")
		a.wantError(a.refresh("eu", token, "client_secret", ours), "invalid_client_secret")
		if r := a.refresh("eu", token, "client_secret", everywhere); r.accessToken() == "" {
			t.Errorf("the newest secret got %s", r.body)
		}
	})
}
