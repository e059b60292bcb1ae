// What does revoking end, and who may?

package zohotest_test

import (
	"net/http"
	"testing"

	"vault-plugin-secrets-zoho/zohotest"
)

// revokes uses the new form.
func (a app) revokes(dc, token string, pairs ...string) reply {
	a.Helper()
	req := a.newPost(a.zoho.AccountsURL(dc)+"/oauth/v2/revoke/token", append([]string{"token", token}, pairs...)...)
	req.SetBasicAuth(a.client.ID, a.client.Secret)
	return a.do(req)
}

func (a app) wantRevoked(r reply) {
	a.Helper()
	if r.status != 200 || r.text("status") != "success" {
		a.Errorf("revoking answered %d %s", r.status, r.body)
	}
}

func TestBothFormsRevokeARefreshTokenWithItsAccessTokens(t *testing.T) {
	for name, revoke := range map[string]func(a app, token string) reply{
		"old": func(a app, token string) reply {
			return a.post(a.zoho.AccountsURL("eu")+"/oauth/v2/token/revoke", "token", token)
		},
		"new":              func(a app, token string) reply { return a.revokes("eu", token, "token_type", "refresh_token") },
		"new without type": func(a app, token string) reply { return a.revokes("eu", token) },
		"under Connected Apps": func(a app, token string) reply {
			a.zoho.RevokeRefreshToken(token)
			return reply{status: 200, json: map[string]any{"status": "success"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, a app) {
				gone, other := a.connects("eu"), a.connects("eu")
				a.wantRevoked(revoke(a, gone.refreshToken()))
				if a.zoho.Alive(gone.accessToken()) || !a.zoho.Alive(other.accessToken()) {
					t.Error("not exactly the revoked grant's access token died")
				}
				a.wantError(a.refresh("eu", gone.refreshToken()), "invalid_code")
				a.mints(1, other.refreshToken())
				a.wantNoViolations()
			})
		})
	}
}

func TestAnAccessTokenIsRevokedAlone(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		first := a.connects("eu")
		second := a.refresh("eu", first.refreshToken())
		a.wantRevoked(a.revokes("eu", first.accessToken(), "token_type", "access_token"))
		if a.zoho.Alive(first.accessToken()) || !a.zoho.Alive(second.accessToken()) {
			t.Error("not exactly one token died")
		}
		a.wantRevoked(a.post(a.zoho.AccountsURL("eu")+"/oauth/v2/token/revoke", "token", second.accessToken()))
		a.mints(1, first.refreshToken())
		if got := a.zoho.Counts(); got.Revocations != 2 || got.KilledByRevoke != 0 {
			t.Errorf("counts are %+v", got)
		}
	})
}

func TestTokensInUseThatARevocationKillsAreCounted(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		first := a.connects("eu")
		a.mints(2, first.refreshToken())
		a.wantRevoked(a.revokes("eu", first.refreshToken()))
		if got := a.zoho.Counts().KilledByRevoke; got != 3 {
			t.Errorf("%d tokens were killed, want 3", got)
		}
	})
}

func TestRevocationsAreRefusedWith400(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		stranger := a.as(a.zoho.AddClient(zohotest.Client{}))
		grant := a.connects("eu")
		refused := func(name string, r reply) {
			t.Helper()
			if r.status != 400 {
				t.Errorf("%s: answered %d %s", name, r.status, r.body)
			}
		}
		refused("unknown token", a.revokes("eu", "1000.x.y"))
		refused("no token", a.revokes("eu", ""))
		refused("another type", a.revokes("eu", grant.refreshToken(), "token_type", "access_token"))
		refused("access token as refresh token", a.revokes("eu", grant.accessToken()))
		refused("unknown type", a.revokes("eu", grant.refreshToken(), "token_type", "code"))
		refused("no client", a.post(a.zoho.AccountsURL("eu")+"/oauth/v2/revoke/token", "token", grant.refreshToken()))
		impostor := a
		impostor.client.Secret = "0123456789abcdef"
		refused("a wrong secret", impostor.revokes("eu", grant.refreshToken()))
		a.wantNoViolations()
		refused("another client", stranger.revokes("eu", grant.refreshToken()))
		refused("another data center", a.revokes("us", grant.refreshToken()))
		a.wantViolations(zohotest.OtherClient, zohotest.WrongDataCenter)
		if !a.zoho.Alive(grant.accessToken()) {
			t.Error("a refused revocation ended the grant")
		}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.RevokeTokenTypeRequired, k.RevokeHTML = true, true })
		r := a.revokes("eu", grant.refreshToken())
		refused("type left out", r)
		if r.json != nil {
			t.Errorf("answered %s, want a page", r.body)
		}
		if !a.zoho.Alive(grant.accessToken()) {
			t.Error("a refused revocation killed a token")
		}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.RevokeAtHome = true })
		a.wantRevoked(a.revokes("us", grant.refreshToken(), "token_type", "refresh_token"))
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.zoho.AccountsURL("eu")+"/oauth/v2/token/revoke?token=1000.secret.secret", nil)
		if err != nil {
			t.Fatal(err)
		}
		refused("gone token in a query", a.do(req))
		a.wantViolation(zohotest.SecretInQuery, 1)
	})
}

func TestTokensDieWithTheirClientAndTheirUser(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		one, two := a.connects("eu"), a.connects("us")
		a.zoho.RemoveUser(a.zoho.User("eu").Email)
		if a.zoho.Alive(one.accessToken()) || !a.zoho.Alive(two.accessToken()) {
			t.Error("not exactly the removed user's tokens died")
		}
		a.zoho.RemoveClient(a.client.ID)
		if a.zoho.Alive(two.accessToken()) || len(a.zoho.RefreshTokens()) != 0 {
			t.Error("the removed client's tokens live")
		}
	})
}

func TestTokensWithoutARefreshTokenDieWithTheirClientAndTheirUser(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		online := func(dc string) string { return a.connects(dc, "access_type", "online").accessToken() }
		eu, us, own := online("eu"), online("us"), a.byItself().accessToken()
		waits := a.device()
		started := waits.starts("us")
		a.zoho.RemoveUser(a.zoho.User("eu").Email)
		if a.zoho.Alive(eu) || !a.zoho.Alive(us) || !a.zoho.Alive(own) {
			t.Error("not exactly the removed user's token died")
		}
		a.wantError(waits.polls("us", started.text("device_code")), "authorization_pending") // nobody's yet
		a.zoho.RemoveClient(a.client.ID)
		if a.zoho.Alive(us) || !a.zoho.Alive(own) {
			t.Error("not exactly the removed client's token died")
		}
		a.wantError(a.exchange("us", "1000.x.y"), "invalid_client")
		a.wantPage("Invalid Client", a.consentURL("us"), zohotest.Consent{})
		if c := a.zoho.DefaultClient(); c.ID != "" {
			t.Errorf("the removed default client is %+v", c)
		}
	})
}

func TestOnlyTheClientOfATokenRevokesItWhereItIs(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		grant := a.connects("eu")
		onlyUS := a.as(a.zoho.AddClient(zohotest.Client{Enabled: []string{"us"}}))
		portal := a.as(a.zoho.AddClient(zohotest.Client{Portal: "1"}))
		nobody := a
		nobody.client.ID = "1000.NOBODY"
		for name, r := range map[string]reply{
			"a client that is not enabled": onlyUS.revokes("eu", "x"), "a portal's client": portal.revokes("us", "x"), "an unknown client": nobody.revokes("eu", "x"),
		} {
			if r.status != 400 || r.error() != "invalid_client" {
				t.Errorf("%s: answered %d %s", name, r.status, r.body)
			}
		}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.RevokeAtHome = true })
		if r := a.revokes("in", grant.refreshToken()); r.error() != "invalid_token" {
			t.Errorf("a data center that is neither the token's nor the client's answered %d %s", r.status, r.body)
		}
		a.wantViolations(zohotest.WrongDataCenter)
		for range 3 {
			a.revokes("eu", "1000.no.such")
		}
		a.wantViolations(zohotest.WrongDataCenter)
		a.revokes("eu", "1000.no.such")
		a.wantViolations(zohotest.WrongDataCenter, zohotest.RefusedCallRepeated)
	})
}
