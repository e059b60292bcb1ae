// What makes a usable configuration? Its fields, their defaults, and what is
// refused.

package backend

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"vault-plugin-secrets-zoho/backend/internal/parallel"
	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// config is what is stored at config.
type config struct {
	store.Versioned
	ClientID         string                 `json:"client_id"`
	ClientSecret     zoho.Secret            `json:"client_secret,omitempty"`
	ClientSecrets    map[string]zoho.Secret `json:"client_secrets,omitempty"`
	DataCenter       string                 `json:"data_center"`
	AccountsURLs     map[string]string      `json:"accounts_urls,omitempty"`
	RedirectURI      string                 `json:"redirect_uri,omitempty"`
	VaultAddr        string                 `json:"vault_addr,omitempty"`
	ReturnURLs       []string               `json:"return_urls,omitempty"`
	Scopes           []string               `json:"scopes,omitempty"`
	MaxAge           time.Duration          `json:"max_age"`
	MinTTL           time.Duration          `json:"min_ttl"`
	MintLimit        int                    `json:"mint_limit"`
	MintWindow       time.Duration          `json:"mint_window"`
	MintLimitKey     zoho.MintKey           `json:"mint_limit_key,omitempty"`
	LiveTokenLimit   int                    `json:"live_token_limit"`
	RequestTimeout   time.Duration          `json:"request_timeout"`
	MaxTokenLifetime time.Duration          `json:"max_token_lifetime"`
	CAPEM            string                 `json:"ca_pem,omitempty"`
	PKCE             bool                   `json:"pkce,omitempty"`
	// LogKey keys the fingerprints of tokens in logs, and seals OAuth states.
	LogKey []byte `json:"log_key"`
}

// defaultMinTTL is longer than Vault Agent's five-minute poll of unleased data.
const defaultMinTTL = 10 * time.Minute

func defaultConfig() config {
	return config{
		DataCenter: "us", MinTTL: defaultMinTTL,
		MintLimit: zoho.DefaultLimits.Mints, MintWindow: zoho.DefaultLimits.Window, LiveTokenLimit: zoho.DefaultLimits.Live,
		RequestTimeout: zoho.DefaultTimeout, MaxTokenLifetime: zoho.DefaultLifetime,
	}
}

// merge applies the fields that were sent.
func merge(c config, f *fields) config {
	fallback := defaultConfig()
	f.text("client_id", &c.ClientID)
	f.secret("client_secret", &c.ClientSecret)
	if f.present("client_secrets") {
		pairs := make(map[string]string, len(c.ClientSecrets))
		for dc, secret := range c.ClientSecrets {
			pairs[dc] = string(secret)
		}
		f.dataCenterPairs("client_secrets", &pairs)
		c.ClientSecrets = map[string]zoho.Secret{}
		for dc, secret := range pairs {
			c.ClientSecrets[dc] = zoho.Secret(secret)
		}
	}
	if f.text("data_center", &c.DataCenter); c.DataCenter == "" {
		c.DataCenter = fallback.DataCenter
	}
	c.DataCenter = strings.ToLower(c.DataCenter)
	f.dataCenterPairs("accounts_urls", &c.AccountsURLs)
	f.redirect(&c.RedirectURI, &c.VaultAddr)
	f.texts("return_urls", &c.ReturnURLs)
	f.scopes("scopes", &c.Scopes)
	f.duration("max_age", &c.MaxAge, fallback.MaxAge)
	f.duration("min_ttl", &c.MinTTL, fallback.MinTTL)
	f.int("mint_limit", &c.MintLimit, fallback.MintLimit)
	f.duration("mint_window", &c.MintWindow, fallback.MintWindow)
	key := string(c.MintLimitKey)
	f.text("mint_limit_key", &key)
	c.MintLimitKey = zoho.MintKey(key)
	f.int("live_token_limit", &c.LiveTokenLimit, fallback.LiveTokenLimit)
	f.duration("request_timeout", &c.RequestTimeout, fallback.RequestTimeout)
	f.duration("max_token_lifetime", &c.MaxTokenLifetime, fallback.MaxTokenLifetime)
	f.certificates("ca_pem", &c.CAPEM)
	f.bool("pkce", &c.PKCE)
	return c
}

// check refuses what can't work and returns the client that it makes.
func (c *config) check(transport http.RoundTripper, observe observer) (*client, error) {
	switch {
	case c.ClientID == "":
		return nil, refuse("client_id is missing; copy it from Zoho's API console")
	case !zoho.Identifier(c.ClientID) || len(c.ClientID) > maxIdentifier:
		return nil, refuse("client_id has spaces, quotes or other characters that no client id has; copy it again from Zoho's API console")
	case c.ClientSecret == "" && len(c.ClientSecrets) == 0:
		return nil, refuse("client_secret is missing; copy it from Zoho's API console")
	case c.MintLimit < 1 || c.MintLimit > 1000:
		return nil, refuse("mint_limit must be between 1 and 1000; Zoho's limit is 10")
	case !slices.Contains([]zoho.MintKey{"", zoho.KeyAuto, zoho.KeyGrant, zoho.KeyClient}, c.MintLimitKey):
		return nil, refuse("mint_limit_key must be auto, refresh_token or client")
	case c.LiveTokenLimit < 1 || c.LiveTokenLimit > 1000:
		return nil, refuse("live_token_limit must be between 1 and 1000; Zoho's limit is 10, 15 or 30")
	case c.MintWindow < time.Second || c.MintWindow > 24*time.Hour:
		return nil, refuse("mint_window must be between 1s and 24h; Zoho's window is 10m")
	case c.RequestTimeout < time.Second || c.RequestTimeout > time.Minute:
		return nil, refuse("request_timeout must be between 1s and 1m")
	case c.MaxTokenLifetime < time.Minute || c.MaxTokenLifetime > 24*time.Hour:
		return nil, refuse("max_token_lifetime must be between 1m and 24h; Zoho's tokens live 1h")
	}
	if c.RedirectURI != "" {
		if err := checkRedirect(c.RedirectURI); err != nil {
			return nil, err
		}
	}
	if err := checkVaultAddr(c.VaultAddr); err != nil {
		return nil, err
	}
	for _, address := range c.ReturnURLs {
		if _, err := returnEntry(address); err != nil {
			return nil, err
		}
	}
	made, err := newClient(*c, transport, observe)
	if err != nil {
		return nil, refuse("%s", err)
	}
	if _, err := made.dataCenter(c.DataCenter); err != nil {
		return nil, err
	}
	if made.secret(c.DataCenter) == "" {
		return nil, refuse("there is no client secret for the home data center %q; give client_secret, or name it in client_secrets", c.DataCenter)
	}
	for name := range c.AccountsURLs {
		if !zoho.Identifier(name) {
			return nil, refuse("accounts_urls: %q is not the name of a data center; use Zoho's short code in lower case, such as us or eu", shorten(name))
		}
	}
	for name, secret := range c.ClientSecrets {
		if _, found := made.table.ByName(name); !found {
			// It may be a secret: who writes them the wrong way round must not find it in a log.
			return nil, refuse("unknown data center in client_secrets, which takes pairs of a data center and its secret (eu=...); use one of %s, or add its accounts server to accounts_urls", made.table.Names())
		}
		if secret == "" {
			return nil, refuse("client_secrets has no secret for data center %q", name)
		}
	}
	return made, nil
}

// checkSent refuses values of this request. A stored value must not make a change of another
// field fail; it is bounded where it is used.
func (c *config) checkSent(f *fields) error {
	if f.given("min_ttl") && c.MinTTL > c.MaxTokenLifetime-leastUse {
		return tooLong(c.MaxTokenLifetime)
	}
	return nil
}

// secretsAgain refuses a change of where a secret goes without the secret: who
// may write config, but does not know the secret, must not be able to have it
// sent to a host of their choice.
func secretsAgain(old, next config, f *fields) error {
	var changed string
	switch {
	case old.ClientID != next.ClientID:
		changed = "client_id"
	case old.DataCenter != next.DataCenter:
		changed = "data_center"
	case !maps.Equal(old.AccountsURLs, next.AccountsURLs):
		changed = "accounts_urls"
	case old.CAPEM != next.CAPEM:
		changed = "ca_pem" // with an authority of one's own any host can pose as Zoho
	default:
		return nil
	}
	if old.ClientSecret != "" && next.ClientSecret != "" && !f.given("client_secret") {
		return refuse("a write that changes %s must carry client_secret again, so that a stored secret is never sent to a new place", changed)
	}
	if len(old.ClientSecrets) > 0 && len(next.ClientSecrets) > 0 && !f.given("client_secrets") {
		return refuse("a write that changes %s must carry client_secrets again, so that a stored secret is never sent to a new place", changed)
	}
	again := map[string]string{}
	(&fields{FieldData: f.FieldData}).dataCenterPairs("client_secrets", &again)
	for dc := range old.ClientSecrets {
		// A PATCH does not change the data centers that it does not name.
		if _, kept := next.ClientSecrets[dc]; kept && again[dc] == "" {
			return refuse("a write that changes %s must carry the client secret of data center %q again in client_secrets, so that a stored secret is never sent to a new place", changed, dc)
		}
	}
	return nil
}

// Bounds of verify: how many data centers are tried at once, and how long in all.
const (
	verifiers  = 16
	verifyTime = 75 * time.Second // Vault ends a request after 90 seconds
)

// verify tries the client at home, and in each data center that has a secret of its own.
// It returns what to warn of, home first.
func (c *client) verify(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	centers := []string{c.DataCenter}
	for _, dc := range slices.Sorted(maps.Keys(c.ClientSecrets)) {
		if dc != c.DataCenter {
			centers = append(centers, dc)
		}
	}
	failed := parallel.Each(centers, verifiers, func(dc string) error { return c.verifyAt(ctx, dc) })
	var warnings []string
	for _, dc := range centers {
		if err := failed[dc]; err != nil {
			warnings = append(warnings, err.Error())
		}
	}
	return warnings
}

// verifyAt tries the client in one data center with a made-up refresh token. Zoho checks
// the client first: invalid_code means that it knows it.
func (c *client) verifyAt(ctx context.Context, name string) error {
	dc, err := c.dataCenter(name)
	if err != nil {
		return nil // check has refused it
	}
	_, err = mintingFor(callVerify, c.at(dc)).Mint(ctx, zoho.Grant{RefreshToken: zoho.Secret("1000." + hex32() + "." + hex32())})
	e := zoho.AsError(err)
	switch {
	case e == nil || e.Kind == zoho.Refused && e.About == zoho.AboutGrant:
		return nil
	case e.Kind != zoho.Refused || e.About != zoho.AboutClient:
		return fmt.Errorf("stored, but the client could not be tried in data center %q: %s. Write verify=true to config to try it again", dc.Name, e.Error())
	case name == c.DataCenter:
		return fmt.Errorf("stored, but %s does not accept this client (%s): %s. Consents will fail until it is corrected", e.Server, e.Code, remedy(e.Kind, e.About, e.Code, ""))
	}
	return fmt.Errorf("stored, but %s does not accept this client with the secret that client_secrets has for data center %q (%s): wrong secret, or this data center is not enabled for the client in Zoho's API console. Accounts of that data center cannot be connected until it is corrected", e.Server, dc.Name, e.Code)
}

func hex32() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x", b)
}
