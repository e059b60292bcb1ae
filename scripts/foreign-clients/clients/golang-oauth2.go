// go: golang.org/x/oauth2@v0.38.0

//go:build ignore

package main

import (
	"context"
	"errors"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

func main() {
	ctx := context.Background()
	endpoint := oauth2.Endpoint{AuthURL: auth, TokenURL: token, DeviceAuthURL: accounts + "/oauth/v3/device/code"}
	config := &oauth2.Config{ClientID: id, ClientSecret: secret, RedirectURL: redirect, Endpoint: endpoint, Scopes: []string{"ZohoCRM.users.READ", "ZohoCRM.org.READ"}}
	verifier := oauth2.GenerateVerifier()
	var got *oauth2.Token
	step("code with PKCE", func() (err error) {
		code := consent(config.AuthCodeURL("s1", oauth2.AccessTypeOffline, oauth2.SetAuthURLParam("prompt", "consent"), oauth2.S256ChallengeOption(verifier))).Get("code")
		got, err = config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
		return err
	})
	step("API", func() error { return read(config.Client(ctx, got)) })
	step("refresh and API", func() error {
		return read(config.Client(ctx, &oauth2.Token{RefreshToken: got.RefreshToken, Expiry: time.Unix(1, 0), AccessToken: "old"}))
	})
	step("client credentials", func() error {
		machine := clientcredentials.Config{ClientID: selfID, ClientSecret: selfSecret, TokenURL: token, Scopes: []string{"ZohoCliq.Users.READ"}}
		_, err := machine.Token(ctx)
		return err
	})
	step("a refused refresh is an error, with the style that it found", func() error {
		_, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: "1000.none", Expiry: time.Unix(1, 0), AccessToken: "old"}).Token()
		return must(nil, err != nil, "none")
	})
	step("a refused first call is an error", func() error {
		fresh := &oauth2.Config{ClientID: id, ClientSecret: secret, Endpoint: endpoint}
		_, err := fresh.TokenSource(ctx, &oauth2.Token{RefreshToken: "1000.never", Expiry: time.Unix(1, 0), AccessToken: "old"}).Token()
		return must(nil, err != nil, "none")
	})
	step("device flow of RFC 8628", func() error {
		device := &oauth2.Config{ClientID: deviceID, ClientSecret: deviceSecret, Endpoint: endpoint, Scopes: config.Scopes}
		_, err := device.DeviceAuth(ctx)
		return err
	})
	step("device code with Zoho's parameters, whose address is verification_url", func() error {
		device := &oauth2.Config{ClientID: deviceID, ClientSecret: deviceSecret, Endpoint: endpoint, Scopes: config.Scopes}
		answer, err := device.DeviceAuth(ctx, oauth2.SetAuthURLParam("grant_type", "device_request"), oauth2.AccessTypeOffline)
		if err == nil && (answer.VerificationURI == "" || answer.Interval > 300) {
			return errors.New("verification_uri " + answer.VerificationURI + ", interval " + time.Duration(answer.Interval*int64(time.Second)).String())
		}
		return err
	})
}
