package tokensource_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"golang.org/x/oauth2"

	"vault-plugin-secrets-zoho/tokensource"
)

// An app calls Zoho CRM. Its client adds the token to each request, and gets another
// from Vault when it is time, or when Zoho rejects the one at hand.
func Example() {
	vault, zoho := exampleVault() // api.NewClient, and a login; http.DefaultTransport
	source := tokensource.New(vault, "zoho/creds/crm")
	app := &http.Client{Transport: &tokensource.Transport{Source: source, Base: zoho}}

	domain, err := source.APIDomain(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	resp, err := app.Get(domain + "/crm/v8/org")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(domain, resp.StatusCode)
	// Output: https://www.zohoapis.eu 200
}

// Any library that takes an oauth2.TokenSource works, and sends Zoho's own header.
func ExampleSource_Token() {
	vault, _ := exampleVault()
	var source oauth2.TokenSource = tokensource.New(vault, "zoho/creds/crm")

	token, err := source.Token()
	if err != nil {
		log.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, token.Extra("api_domain").(string)+"/crm/v8/org", nil)
	if err != nil {
		log.Fatal(err)
	}
	token.SetAuthHeader(req)
	fmt.Println(token.Type(), token.Extra("data_center"), token.Valid())
	// Output: Zoho-oauthtoken eu true
}

// An app that sends its requests itself says which token met a 401, and tries once more
// with the one that it gets.
func ExampleSource_Rejected() {
	vault, zoho := exampleVault()
	source := tokensource.New(vault, "zoho/creds/crm")
	ctx := context.Background()
	call := func(token *oauth2.Token) (status int) {
		req, err := http.NewRequest(http.MethodGet, token.Extra("api_domain").(string)+"/crm/v8/org", nil)
		if err != nil {
			log.Fatal(err)
		}
		token.SetAuthHeader(req)
		resp, err := (&http.Client{Transport: zoho}).Do(req)
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}

	token, err := source.TokenContext(ctx)
	if err != nil {
		log.Fatal(err)
	}
	zoho.kill(token.AccessToken) // its user clicked it away
	status := call(token)
	if status == http.StatusUnauthorized {
		next, err := source.Rejected(ctx, token)
		if err != nil {
			log.Fatal(err)
		}
		if next.AccessToken != token.AccessToken {
			fmt.Println(status, "then", call(next))
		}
	}
	// Output: 401 then 200
}
