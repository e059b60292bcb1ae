// Package tokensource gives a Go app Zoho access tokens that Vault hands out. The app
// needs a Vault client that is logged in, and may read one path.
//
//	source := tokensource.New(vault, "zoho/creds/crm")
//	zoho := source.Client()
//	domain, err := source.APIDomain(ctx)
//	resp, err := zoho.Get(domain + "/crm/v8/org")
//
// A [Source] is an [golang.org/x/oauth2.TokenSource]. It reads a token when one is
// first wanted, and another when the answer's ttl is over, one read for all who wait.
// While Vault is down, or answers with anything but a token, the cached token is used
// until it expires; then callers get an error that names the address. In the token's last
// 30 s a caller waits up to 2 s for a new one first. After a failed read there is no other
// for 5 s, or for as long as Vault's Retry-After says.
//
// The clock of the app's machine may be wrong, and may step: the life of a token is
// expire_time less the Date of Vault's answer, and is counted with the monotonic clock.
//
// Its [Transport] sends the token as Zoho wants it (Authorization: Zoho-oauthtoken),
// and tells Vault about a token that Zoho rejects with a 401: Zoho kills tokens without
// telling. Vault then hands that token out to nobody, and the request is sent once more
// with the next one, if its body can be sent twice.
//
// Give the credential max_age (vault write zoho/creds/crm max_age=30m), so that all
// processes of all apps share one token. Zoho mints ten in ten minutes, for all of them.
//
// This module has no public import path yet. Until then an app takes the folder as it is
// (doc.go, read.go, source.go, transport.go): it needs golang.org/x/oauth2 and
// github.com/hashicorp/vault/api, and nothing else of this tree.
//
// The client's login is its owner's matter: a new token given to the client with
// SetToken is used from the next read on.
package tokensource
