// go: github.com/coreos/go-oidc/v3@v3.21.0 golang.org/x/oauth2@v0.38.0

//go:build ignore

package main

import (
	"context"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func main() {
	ctx := context.Background()
	var provider *oidc.Provider
	step("discovery", func() (err error) { provider, err = oidc.NewProvider(ctx, accounts); return err })
	config := &oauth2.Config{ClientID: id, ClientSecret: secret, RedirectURL: redirect, Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, "email", "profile", "ZohoCRM.users.READ"}}
	var got *oauth2.Token
	step("code with nonce", func() (err error) {
		got, err = config.Exchange(ctx, consent(config.AuthCodeURL("s1", oidc.Nonce("n1"), oauth2.AccessTypeOffline, oauth2.SetAuthURLParam("prompt", "consent"))).Get("code"))
		return err
	})
	step("ID token", func() error {
		raw, _ := got.Extra("id_token").(string)
		verified, err := provider.Verifier(&oidc.Config{ClientID: id}).Verify(ctx, raw)
		return must(err, err != nil || verified.Nonce == "n1", "another nonce")
	})
	step("userinfo", func() error {
		info, err := provider.UserInfo(ctx, config.TokenSource(ctx, got))
		return must(err, err != nil || info.Email != "", "no e-mail address")
	})
	step("API", func() error { return read(config.Client(ctx, got)) })
}
