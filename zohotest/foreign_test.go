// Foreign clients' tests: what published OAuth clients need of the simulator, and what they do that is no violation.

package zohotest_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestAnIDTokenCarriesTheNonceOfItsConsent(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		for _, nonce := range []string{"n-0S6_WzA2Mj", ""} {
			pairs := []string{"scope", "openid"}
			if nonce != "" {
				pairs = append(pairs, "nonce", nonce)
			}
			parts := strings.Split(a.connects("eu", pairs...).text("id_token"), ".")
			if len(parts) != 3 {
				t.Fatalf("the ID token has %d parts", len(parts))
			}
			raw, err := base64.RawURLEncoding.DecodeString(parts[1])
			if err != nil {
				t.Fatal(err)
			}
			var claims map[string]any
			if err := json.Unmarshal(raw, &claims); err != nil {
				t.Fatal(err)
			}
			if got, present := claims["nonce"]; present != (nonce != "") || present && got != nonce {
				t.Errorf("for the nonce %q the claims are %v", nonce, claims)
			}
		}
	})
}

func TestOneWayToAuthenticateIsNoViolationAndTheOtherAfterARefusalIs(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		basic := func(refreshToken string) reply {
			req := a.newPost(a.zoho.AccountsURL("eu")+"/oauth/v2/token", "grant_type", "refresh_token", "refresh_token", refreshToken)
			req.SetBasicAuth(a.client.ID, a.client.Secret)
			return a.do(req)
		}
		token := a.connects("eu").refreshToken()
		if r := basic(token); r.accessToken() == "" {
			t.Errorf("Basic got %s", r.body)
		}
		if r := a.refresh("eu", token); r.accessToken() == "" {
			t.Errorf("a form got %s", r.body)
		}
		for range 2 {
			a.wantError(basic("1000.no.such"), "invalid_code")
		}
		a.wantNoViolations()
		a.wantError(a.refresh("eu", "1000.no.such"), "invalid_code")
		a.wantViolation(zohotest.AuthStyleProbed, 1)
	})
}
