// go: github.com/zitadel/oidc/v3@v3.52.0

//go:build ignore

package main

import (
	"context"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"
)

func main() {
	ctx := context.Background()
	var party rp.RelyingParty
	step("discovery", func() (err error) {
		party, err = rp.NewRelyingPartyOIDC(ctx, accounts, id, secret, redirect, []string{"openid", "email", "profile", "ZohoCRM.users.READ"})
		return err
	})
	var got *oidc.Tokens[*oidc.IDTokenClaims]
	step("code and ID token", func() (err error) {
		url := rp.AuthURL("s1", party, rp.WithPrompt("consent"), rp.AuthURLOpt(func() []oauth2.AuthCodeOption { return []oauth2.AuthCodeOption{oauth2.AccessTypeOffline} }))
		got, err = rp.CodeExchange[*oidc.IDTokenClaims](ctx, consent(url).Get("code"), party)
		return err
	})
	step("userinfo", func() error {
		_, err := rp.Userinfo[*oidc.UserInfo](ctx, got.AccessToken, "Bearer", got.IDTokenClaims.Subject, party)
		return err
	})
	step("API", func() error { return read(party.OAuthConfig().Client(ctx, got.Token)) })
	step("refresh", func() error {
		_, err := rp.RefreshTokens[*oidc.IDTokenClaims](ctx, party, got.RefreshToken, "", "")
		return err
	})
	step("revocation", func() error { return rp.RevokeToken(ctx, party, got.RefreshToken, "refresh_token") })
}
