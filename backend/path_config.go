// What is the OAuth client of this mount? The path config: id, secret, home data
// centre, defaults and limits.

package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

// config is what is stored at config.
type config struct {
	versioned
	ClientID         string                 `json:"client_id"`
	ClientSecret     zoho.Secret            `json:"client_secret,omitempty"`
	ClientSecrets    map[string]zoho.Secret `json:"client_secrets,omitempty"`
	DataCenter       string                 `json:"data_center"`
	AccountsURLs     map[string]string      `json:"accounts_urls,omitempty"`
	RedirectURI      string                 `json:"redirect_uri,omitempty"`
	Scopes           []string               `json:"scopes,omitempty"`
	MaxAge           time.Duration          `json:"max_age"`
	MinTTL           time.Duration          `json:"min_ttl"`
	MintLimit        int                    `json:"mint_limit"`
	MintWindow       time.Duration          `json:"mint_window"`
	LiveTokenLimit   int                    `json:"live_token_limit"`
	RequestTimeout   time.Duration          `json:"request_timeout"`
	MaxTokenLifetime time.Duration          `json:"max_token_lifetime"`
	CAPEM            string                 `json:"ca_pem,omitempty"`
	PKCE             bool                   `json:"pkce,omitempty"`
	// LogKey keys the fingerprints of tokens in logs.
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

func configFields() map[string]*framework.FieldSchema {
	sensitive := &framework.DisplayAttributes{Sensitive: true}
	return map[string]*framework.FieldSchema{
		"client_id":          {Type: framework.TypeString, Description: "Client ID of the OAuth client, from Zoho's API console. Required on create. Changing it requires the secret again."},
		"client_secret":      {Type: framework.TypeString, Description: "Client secret. Required on create; never shown. In a write that changes client_id, data_center or accounts_urls it must be given again.", DisplayAttrs: sensitive},
		"client_secrets":     {Type: framework.TypeKVPairs, Description: "Client secrets by data center (eu=...,in=...), for clients that have a secret of their own in each. A data center not named here uses client_secret. Never shown.", DisplayAttrs: sensitive},
		"data_center":        {Type: framework.TypeString, Default: "us", Description: "Home data center, where the client is registered: us, eu, in, au, jp, ca, sa, uk, cn, ae, or one added with accounts_urls."},
		"accounts_urls":      {Type: framework.TypeKVPairs, Description: "Accounts servers by data center (eu=https://accounts.zoho.eu). Adds to or overrides the built-in table, for new data centers, portals and simulators. https only; plain http for loopback addresses alone."},
		"redirect_uri":       {Type: framework.TypeString, Description: "Default redirect URI for authorize, exactly as registered in Zoho's API console."},
		"scopes":             {Type: framework.TypeCommaStringSlice, Description: "Default scopes for authorize, separated by commas or spaces, such as ZohoCRM.modules.ALL."},
		"max_age":            {Type: framework.TypeDurationSecond, Default: 0, Description: "How old an access token may be to be handed out again. 0 (the default): every read gets a new one, as far as Zoho's limits let it."},
		"min_ttl":            {Type: framework.TypeDurationSecond, Default: seconds(defaultMinTTL), Description: "How long a handed-out access token should live on. Must be below the lifetime of a token."},
		"mint_limit":         {Type: framework.TypeInt, Default: zoho.DefaultLimits.Mints, Description: "How many access tokens Zoho mints for one grant within mint_window."},
		"mint_window":        {Type: framework.TypeDurationSecond, Default: seconds(zoho.DefaultLimits.Window), Description: "Length of Zoho's throttle window."},
		"live_token_limit":   {Type: framework.TypeInt, Default: zoho.DefaultLimits.Live, Description: "How many access tokens of one grant live at once; Zoho kills the oldest when one more is minted. 10, or 15 or 30 for some products."},
		"request_timeout":    {Type: framework.TypeDurationSecond, Default: seconds(zoho.DefaultTimeout), Description: "Longest time for one call to Zoho, 1s to 1m."},
		"max_token_lifetime": {Type: framework.TypeDurationSecond, Default: seconds(zoho.DefaultLifetime), Description: "Longest lifetime of an access token that is believed, whatever Zoho's answer says."},
		"ca_pem":             {Type: framework.TypeString, Description: "PEM certificates to trust for the accounts servers instead of the system's."},
		"pkce":               {Type: framework.TypeBool, Default: false, Description: "Add PKCE (S256) to consents; needed for mobile and desktop clients."},
	}
}

func (b *backend) pathConfig() *framework.Path {
	taken := configFields()
	taken["verify"] = &framework.FieldSchema{Type: framework.TypeBool, Default: true, Description: "Try the client at Zoho after storing it, with a made-up refresh token, and warn if Zoho does not know it."}
	shown := configFields()
	delete(shown, "client_secret")
	delete(shown, "client_secrets")
	shown["client_secret_set"] = &framework.FieldSchema{Type: framework.TypeBool, Description: "Whether a client_secret is stored."}
	shown["client_secrets_set"] = &framework.FieldSchema{Type: framework.TypeStringSlice, Description: "The data centers that have a client secret of their own."}
	write := &framework.PathOperation{
		Callback: b.writeConfig, Summary: "Store or change the OAuth client of this mount.",
		Responses: map[int][]framework.Response{http.StatusOK: {{Description: "Stored; a warning says what Zoho thinks of the client."}}, http.StatusNoContent: {{Description: "Stored."}}},
	}
	return &framework.Path{
		Pattern:        configKey,
		DisplayAttrs:   &framework.DisplayAttributes{OperationPrefix: "zoho", OperationSuffix: "client-configuration"},
		Fields:         taken,
		ExistenceCheck: existence(func(string) string { return configKey }),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.CreateOperation: write,
			logical.UpdateOperation: write,
			logical.PatchOperation: &framework.PathOperation{
				Callback: b.writeConfig, Summary: "Change some fields; null puts a default back.",
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "patch"},
				Responses:    write.Responses,
			},
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.readConfig, Summary: "Show the OAuth client of this mount, without its secrets.",
				Responses: map[int][]framework.Response{http.StatusOK: {{Description: "The client.", Fields: shown}}},
			},
			logical.DeleteOperation: &framework.PathOperation{
				Callback: b.deleteConfig, Summary: "Forget the OAuth client; refused while credentials exist.",
				Responses: map[int][]framework.Response{http.StatusNoContent: {{Description: "Forgotten."}}},
			},
		},
		HelpSynopsis: "The OAuth client that this mount uses at Zoho.",
		HelpDescription: `
Register a client in Zoho's API console (https://api-console.zoho.com and its
siblings in other data centers), then write its client_id and client_secret here.
A write changes only the fields it names. Secrets are never shown.

After storing, the client is tried at its home data center with a made-up refresh
token; a warning tells if Zoho does not know the client. verify=false skips that.`,
	}
}

// existence answers whether there is something at a storage key.
func existence(key func(name string) string) framework.ExistenceFunc {
	return func(ctx context.Context, req *logical.Request, d *framework.FieldData) (bool, error) {
		name, named := d.Raw["name"].(string)
		if named && validName(name) != nil {
			return false, nil // the handler says what is wrong with it
		}
		entry, err := req.Storage.Get(ctx, key(name))
		return entry != nil, err
	}
}

func (b *backend) writeConfig(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	var old config
	err := get(ctx, req.Storage, configKey, &old)
	created := errors.Is(err, errAbsent)
	switch {
	case created && req.Operation == logical.PatchOperation:
		return nil, absent("there is no config to patch; create it with a write")
	case created:
		old = defaultConfig()
		old.LogKey = make([]byte, 32)
		_, _ = rand.Read(old.LogKey) // never fails
	case err != nil:
		return nil, err
	}
	f := newFields(req, data)
	next := merge(old, f)
	if f.err != nil {
		return nil, f.err
	}
	c, err := next.check(b.memory.transport)
	if err != nil {
		return nil, err
	}
	if !created {
		if err := secretsAgain(old, next, f); err != nil {
			return nil, err
		}
	}
	if err := put(ctx, req.Storage, configKey, &next); err != nil {
		return nil, err
	}
	b.memory.forget(configKey)
	b.Logger().Info("config written", "client_id", next.ClientID, "data_center", next.DataCenter)

	verify := true
	if f.sent("verify") {
		f.bool("verify", &verify)
	}
	if !verify {
		return nil, nil
	}
	warning := c.verify(ctx)
	if warning == "" {
		return nil, nil
	}
	resp := &logical.Response{}
	resp.AddWarning(warning)
	return resp, nil
}

// merge applies the fields that were sent.
func merge(c config, f *fields) config {
	fallback := defaultConfig()
	f.text("client_id", &c.ClientID)
	f.secret("client_secret", &c.ClientSecret)
	if f.sent("client_secrets") {
		pairs := make(map[string]string, len(c.ClientSecrets))
		for dc, secret := range c.ClientSecrets {
			pairs[dc] = string(secret)
		}
		f.pairs("client_secrets", &pairs)
		c.ClientSecrets = map[string]zoho.Secret{}
		for dc, secret := range pairs {
			c.ClientSecrets[strings.ToLower(dc)] = zoho.Secret(secret)
		}
	}
	if f.text("data_center", &c.DataCenter); c.DataCenter == "" {
		c.DataCenter = fallback.DataCenter
	}
	c.DataCenter = strings.ToLower(c.DataCenter)
	f.pairs("accounts_urls", &c.AccountsURLs)
	f.text("redirect_uri", &c.RedirectURI)
	f.scopes("scopes", &c.Scopes)
	f.duration("max_age", &c.MaxAge, fallback.MaxAge)
	f.duration("min_ttl", &c.MinTTL, fallback.MinTTL)
	f.int("mint_limit", &c.MintLimit, fallback.MintLimit)
	f.duration("mint_window", &c.MintWindow, fallback.MintWindow)
	f.int("live_token_limit", &c.LiveTokenLimit, fallback.LiveTokenLimit)
	f.duration("request_timeout", &c.RequestTimeout, fallback.RequestTimeout)
	f.duration("max_token_lifetime", &c.MaxTokenLifetime, fallback.MaxTokenLifetime)
	f.text("ca_pem", &c.CAPEM)
	f.bool("pkce", &c.PKCE)
	return c
}

// check refuses what can't work and returns the client that it makes.
func (c *config) check(transport http.RoundTripper) (*client, error) {
	switch {
	case c.ClientID == "":
		return nil, refuse("client_id is missing; copy it from Zoho's API console")
	case strings.ContainsAny(c.ClientID, " \t\r\n\"'"):
		return nil, refuse("client_id holds spaces or quotes; copy it again from Zoho's API console")
	case c.ClientSecret == "" && len(c.ClientSecrets) == 0:
		return nil, refuse("client_secret is missing; copy it from Zoho's API console")
	case c.MinTTL >= c.MaxTokenLifetime:
		return nil, refuse("min_ttl must be below the lifetime of an access token (%s)", c.MaxTokenLifetime)
	case c.MintLimit < 1 || c.MintLimit > 1000:
		return nil, refuse("mint_limit must be between 1 and 1000; Zoho's limit is 10")
	case c.LiveTokenLimit < 1 || c.LiveTokenLimit > 1000:
		return nil, refuse("live_token_limit must be between 1 and 1000; Zoho's limit is 10, 15 or 30")
	case c.MintWindow < time.Second || c.MintWindow > 24*time.Hour:
		return nil, refuse("mint_window must be between 1s and 24h; Zoho's window is 10m")
	case c.RequestTimeout < time.Second || c.RequestTimeout > time.Minute:
		return nil, refuse("request_timeout must be between 1s and 1m")
	case c.MaxTokenLifetime < time.Minute || c.MaxTokenLifetime > 24*time.Hour:
		return nil, refuse("max_token_lifetime must be between 1m and 24h; Zoho's tokens live 1h")
	}
	for name, secret := range c.ClientSecrets {
		if secret == "" {
			return nil, refuse("client_secrets has no secret for data center %q", shorten(name))
		}
	}
	if c.RedirectURI != "" {
		if err := checkRedirect(c.RedirectURI); err != nil {
			return nil, err
		}
	}
	made, err := newClient(*c, transport)
	if err != nil {
		return nil, refuse("%s", err)
	}
	if _, err := made.dataCenter(c.DataCenter); err != nil {
		return nil, err
	}
	if made.secret(c.DataCenter) == "" {
		return nil, refuse("there is no client secret for the home data center %q; give client_secret, or name it in client_secrets", c.DataCenter)
	}
	for name := range c.ClientSecrets {
		if _, err := made.dataCenter(name); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// checkRedirect refuses what Zoho would; the text is sent byte for byte.
func checkRedirect(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "" && u.Path == "" || u.Fragment != "" {
		return refuse("redirect_uri is not an address; write it exactly as registered in Zoho's API console, such as https://app.example.com/callback")
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
	default:
		return nil
	}
	for name, stored := range map[string]bool{"client_secret": old.ClientSecret != "", "client_secrets": len(old.ClientSecrets) > 0} {
		if stored && !f.sent(name) {
			return refuse("a write that changes %s must carry %s again, so that a stored secret is never sent to a new place", changed, name)
		}
	}
	return nil
}

// verify tries the client at home with a made-up refresh token. Zoho checks the
// client first: invalid_code means that it knows it.
func (c *client) verify(ctx context.Context) string {
	dc, err := c.dataCenter(c.DataCenter)
	if err != nil {
		return ""
	}
	_, err = c.at(dc).Mint(ctx, zoho.Grant{RefreshToken: zoho.Secret("1000." + hex32() + "." + hex32())})
	e := zoho.AsError(err)
	switch {
	case e == nil || e.Kind == zoho.Refused && e.About == zoho.AboutGrant:
		return ""
	case e.Kind == zoho.Refused && e.About == zoho.AboutClient:
		return fmt.Sprintf("stored, but %s does not accept this client (%s): %s. Consents will fail until this is mended", e.Server, e.Code, remedy(e.Kind, e.About, e.Code, ""))
	}
	return fmt.Sprintf("stored, but the client could not be tried: %s", e.Error())
}

func hex32() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x", b)
}

func (b *backend) readConfig(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	if err := (&fields{FieldData: data}).only("read"); err != nil {
		return nil, err
	}
	var c config
	err := get(ctx, req.Storage, configKey, &c)
	if errors.Is(err, errAbsent) {
		return nil, absent("no Zoho client is configured on this mount; write client_id and client_secret to config")
	}
	if err != nil {
		return nil, err
	}
	accounts := c.AccountsURLs
	if accounts == nil {
		accounts = map[string]string{}
	}
	return &logical.Response{Data: map[string]any{
		"client_id":          c.ClientID,
		"client_secret_set":  c.ClientSecret != "",
		"client_secrets_set": list(slices.Sorted(maps.Keys(c.ClientSecrets))),
		"data_center":        c.DataCenter,
		"accounts_urls":      accounts,
		"redirect_uri":       c.RedirectURI,
		"scopes":             list(c.Scopes),
		"max_age":            seconds(c.MaxAge),
		"min_ttl":            seconds(c.MinTTL),
		"mint_limit":         c.MintLimit,
		"mint_window":        seconds(c.MintWindow),
		"live_token_limit":   c.LiveTokenLimit,
		"request_timeout":    seconds(c.RequestTimeout),
		"max_token_lifetime": seconds(c.MaxTokenLifetime),
		"ca_pem":             c.CAPEM,
		"pkce":               c.PKCE,
	}}, nil
}

// list makes an absent list an empty one in JSON.
func list(items []string) []string {
	if items == nil {
		return []string{}
	}
	return items
}

func (b *backend) deleteConfig(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	if err := (&fields{FieldData: data}).only("delete"); err != nil {
		return nil, err
	}
	names, err := req.Storage.List(ctx, credsPrefix)
	if err != nil {
		return nil, fmt.Errorf("listing credentials: %w", err)
	}
	if len(names) > 0 {
		return nil, refuse("config is still used by %d credentials; delete them first, so that their grants are revoked at Zoho", len(names))
	}
	if err := req.Storage.Delete(ctx, configKey); err != nil {
		return nil, fmt.Errorf("deleting config: %w", err)
	}
	b.memory.forget(configKey)
	b.Logger().Info("config deleted")
	return nil, nil
}
