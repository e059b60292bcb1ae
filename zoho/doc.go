// Package zoho speaks Zoho's OAuth 2.0 and keeps the tokens that come of it.
//
// Client is the wire: the authorization URL, the exchange of a code, the refresh
// of an access token and its revocation at one accounts server. Keeper decides
// when a refresh is worth one of the few that Zoho allows.
//
// Zoho differs from RFC 6749 where it hurts; the differences are handled here
// and nowhere else:
//
//   - a failed call is usually HTTP 200 with {"error": ...}; only an access token
//     in the answer makes it a success (answer.go)
//   - the throttle's texts are localised; it is known by its shape (error.go)
//   - expires_in is milliseconds when expires_in_sec stands beside it (answer.go)
//   - ten mints in ten minutes, ten live access tokens for one refresh token: the
//     eleventh silently kills the oldest (budget.go)
//   - whatever kills a token, a reader's 401 is the first to tell (complaint.go)
//   - everything belongs to one data centre: codes, tokens, even the client
//     secret (datacenter.go)
//
// The package knows nothing of Vault.
package zoho

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Secret is a string that a log line, an error or a careless %v cannot show.
// It is stored as JSON like any string; string(s) reveals it, on purpose only.
type Secret string

const redacted = "[redacted]"

// String returns a placeholder; it implements fmt.Stringer.
func (Secret) String() string { return redacted }

// Format writes a placeholder whatever the verb; it implements fmt.Formatter.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue returns a placeholder; it implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Token is one access token as it was minted. It never changes afterwards, so a
// *Token may be shared freely.
type Token struct {
	// AccessToken is what product APIs take after "Zoho-oauthtoken ".
	AccessToken Secret `json:"access_token"`
	// TokenType is as Zoho answered it, "Bearer" in practice.
	TokenType string `json:"token_type,omitempty"`
	// APIDomain is the general API gateway of the account's data centre; empty
	// when the answer did not say.
	APIDomain string `json:"api_domain,omitempty"`
	// Scopes are the granted ones as answered; empty when the answer did not say.
	Scopes []string `json:"scopes,omitempty"`
	// Issued is when the request for it was sent, in whole seconds.
	Issued time.Time `json:"issued"`
	// Expires is Issued plus the lifetime: never later than Zoho's own expiry.
	Expires time.Time `json:"expires"`
	// Variant tells apart tokens that one grant mints for different scopes; only
	// client credentials do.
	Variant string `json:"variant,omitempty"`
	// Credential is the Account.Name it was minted for; others may have been served it too.
	Credential string `json:"credential,omitempty"`
	// Rejected is when a reader, or Zoho itself, said that it is dead before its time;
	// zero if nobody did. It is handed out no more.
	Rejected time.Time `json:"rejected,omitzero"`
	// Condemned: it is to be revoked, and is handed out no more.
	Condemned bool `json:"condemned,omitempty"`
	// Epoch is the one in which it was asked for, see Epochs.
	Epoch uint64 `json:"epoch,omitempty"`
}

// LongestLife is longer than any access token lives: a day is the most that is believed,
// whatever Zoho answers.
const LongestLife = 25 * time.Hour

// Lifetime is how long the token lived when it was minted.
func (t *Token) Lifetime() time.Duration { return t.Expires.Sub(t.Issued) }

// Grant is what access tokens are minted from: a refresh token, or, when that is
// empty, the client's own credentials for the scopes named here.
type Grant struct {
	RefreshToken Secret
	Scopes       []string
	// SOID names the organisation, <service>.<zsoid>, for client credentials.
	SOID string
}

// Answer is a successful answer of the token endpoint.
type Answer struct {
	Token *Token
	// RefreshToken is empty unless Zoho sent one.
	RefreshToken Secret
	// Received is when the answer was complete.
	Received time.Time
}
