// Tests of OpenID Connect: a client finds its way by the discovery document alone.

package zohotest_test

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestAnIDTokenIsWorthItsSignatureAndUserinfoAgrees(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		found := a.get(a.zoho.AccountsURL("eu")+"/.well-known/openid-configuration", "")
		if found.status != 200 || found.text("issuer") != a.zoho.AccountsURL("eu") || found.text("token_endpoint") != a.zoho.AccountsURL("eu")+"/oauth/v2/token" ||
			found.text("authorization_endpoint") != a.zoho.AccountsURL("eu")+"/oauth/v2/auth" {
			t.Fatalf("the discovery document is %s", found.body)
		}
		grant := a.connects("eu", "scope", "openid email profile")
		parts := strings.Split(grant.text("id_token"), ".")
		if len(parts) != 3 {
			t.Fatalf("the ID token is %q", grant.text("id_token"))
		}
		decoded := func(part string) []byte {
			raw, err := base64.RawURLEncoding.DecodeString(part)
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}
		var keys struct {
			Keys []struct{ Kid, N, E string }
		}
		if err := json.Unmarshal([]byte(a.get(found.text("jwks_uri"), "").body), &keys); err != nil || len(keys.Keys) != 1 {
			t.Fatalf("the keys are %+v, %v", keys, err)
		}
		public := &rsa.PublicKey{N: new(big.Int).SetBytes(decoded(keys.Keys[0].N)), E: int(new(big.Int).SetBytes(decoded(keys.Keys[0].E)).Int64())}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], decoded(parts[2])); err != nil {
			t.Error(err)
		}
		var claims map[string]any
		if err := json.Unmarshal(decoded(parts[1]), &claims); err != nil {
			t.Fatal(err)
		}
		user := a.zoho.User("eu")
		if claims["iss"] != found.text("issuer") || claims["aud"] != a.client.ID || claims["sub"] != user.ZUID || claims["email"] != user.Email || claims["name"] != user.Name {
			t.Errorf("the claims are %v", claims)
		}
		info := a.get(found.text("userinfo_endpoint"), grant.accessToken())
		for _, name := range []string{"sub", "email", "name", "given_name", "family_name"} {
			if info.text(name) == "" || info.text(name) != claims[name] {
				t.Errorf("userinfo says %s of %s, the ID token %v", info.text(name), name, claims[name])
			}
		}
		a.wantNoViolations()
	})
}

func TestUserinfoTellsNoMoreThanTheScopes(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		userinfo := a.zoho.AccountsURL("eu") + "/oauth/v2/userinfo"
		r := a.get(userinfo, a.connects("eu", "scope", "openid").accessToken())
		if r.status != 200 || len(r.json) != 1 || r.text("sub") != a.zoho.User("eu").ZUID {
			t.Errorf("with openid alone it answered %d %s", r.status, r.body)
		}
		for name, scope := range map[string]string{"profile alone": "profile", "no scope of OpenID": "AaaServer.profile.READ"} {
			if r := a.get(userinfo, a.connects("eu", "scope", scope).accessToken()); r.status != 400 || r.json != nil {
				t.Errorf("%s: answered %d %s", name, r.status, r.body)
			}
		}
		if r := a.get(userinfo, "1000.no.such"); r.status != 401 || !strings.Contains(r.header.Get("Www-Authenticate"), "invalid_token") {
			t.Errorf("a dead token was answered %d %v", r.status, r.header)
		}
	})
}

func TestARefreshCarriesNoIDToken(t *testing.T) {
	for _, rotate := range []bool{false, true} {
		bubble(t, func(t *testing.T, a app) {
			a.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = rotate })
			grant := a.connects("eu", "scope", "openid,ZohoCRM.org.READ")
			if grant.text("id_token") == "" {
				t.Error("the exchange has no ID token")
			}
			if r := a.refresh("eu", grant.refreshToken()); r.accessToken() == "" || r.text("id_token") != "" {
				t.Errorf("rotation %t: the refresh got %s", rotate, r.body)
			}
			if r := a.exchange("eu", a.consents("eu", "scope", "openid", "access_type", "online").Get("code")); r.text("id_token") == "" || r.refreshToken() != "" {
				t.Errorf("an online exchange got %s", r.body)
			}
		})
	}
}
