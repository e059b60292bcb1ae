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
	"slices"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

func configFields() map[string]*framework.FieldSchema {
	sensitive := &framework.DisplayAttributes{Sensitive: true}
	return map[string]*framework.FieldSchema{
		"client_id":          {Type: framework.TypeString, Description: "Client ID of the OAuth client, from Zoho's API console. Required on create. Changing it requires the secret again."},
		"client_secret":      {Type: framework.TypeString, Description: "Client secret. Required on create; never shown. In a write that changes client_id, data_center, accounts_urls or ca_pem it must be given again.", DisplayAttrs: sensitive},
		"client_secrets":     {Type: framework.TypeKVPairs, Description: "Client secrets by data center (eu=...,in=...), for clients that have a secret of their own in each. A data center not named here uses client_secret. Never shown.", DisplayAttrs: sensitive},
		"data_center":        {Type: framework.TypeString, Default: "us", Description: "Home data center, where the client is registered: us, eu, in, au, jp, ca, sa, uk, cn, ae, or one added with accounts_urls."},
		"accounts_urls":      {Type: framework.TypeKVPairs, Description: "Accounts servers by data center (eu=https://accounts.zoho.eu). Adds to or overrides the built-in table, for new data centers, portals and simulators. https only; plain http for loopback addresses alone."},
		"redirect_uri":       {Type: framework.TypeString, Description: "Default redirect URI for authorize, exactly as registered in Zoho's API console, where it does not follow from vault_addr."},
		"vault_addr":         {Type: framework.TypeString, Description: "Where a person's browser reaches this Vault, https://vault.example.com:8200. The redirect URI is then this mount's callback, <vault_addr>/v1/<mount>/callback: register that in Zoho's API console, and nobody has to copy an address. Replaces redirect_uri."},
		"return_urls":        {Type: framework.TypeCommaStringSlice, Description: "Addresses that a browser may be sent on to after a consent (return_url of authorize), each exact in scheme, host, port and path."},
		"scopes":             {Type: framework.TypeCommaStringSlice, Description: "Default scopes for authorize, separated by commas or spaces, such as ZohoCRM.modules.ALL."},
		"max_age":            {Type: framework.TypeDurationSecond, Default: 0, Description: "How old an access token may be to be handed out again. 0 (the default): every read gets a new one, as far as Zoho's limits let it."},
		"min_ttl":            {Type: framework.TypeDurationSecond, Default: seconds(defaultMinTTL), Description: "How long a handed-out access token should live on. Must be below the lifetime of a token."},
		"mint_limit":         {Type: framework.TypeInt, Default: zoho.DefaultLimits.Mints, Description: "How many access tokens Zoho mints for one grant within mint_window."},
		"mint_window":        {Type: framework.TypeDurationSecond, Default: seconds(zoho.DefaultLimits.Window), Description: "Length of Zoho's throttle window."},
		"mint_limit_key":     {Type: framework.TypeString, Default: string(zoho.KeyAuto), AllowedValues: []any{string(zoho.KeyAuto), string(zoho.KeyGrant), string(zoho.KeyClient)}, Description: "What mint_limit is counted by. auto (the default): by refresh token, until a throttle shows that Zoho counts by client. refresh_token or client: always by that. Zoho's pages name both."},
		"live_token_limit":   {Type: framework.TypeInt, Default: zoho.DefaultLimits.Live, Description: "How many access tokens of one grant live at once; Zoho kills the oldest when one more is minted. 10, or 15 or 30 for some products."},
		"request_timeout":    {Type: framework.TypeDurationSecond, Default: seconds(zoho.DefaultTimeout), Description: "Longest time for one call to Zoho, 1s to 1m."},
		"max_token_lifetime": {Type: framework.TypeDurationSecond, Default: seconds(zoho.DefaultLifetime), Description: "Longest lifetime of an access token that is believed, whatever Zoho's answer says."},
		"ca_pem":             {Type: framework.TypeString, Description: "PEM certificates to trust for the accounts servers instead of the system's. Only the certificates are stored; a private key is refused."},
		"pkce":               {Type: framework.TypeBool, Default: false, Description: "Add PKCE (S256) to consents; needed for mobile and desktop clients."},
	}
}

// configKey is where the client is stored.
const configKey = "config"

func (b *backend) pathConfig() *framework.Path {
	taken := configFields()
	taken["verify"] = &framework.FieldSchema{Type: framework.TypeBool, Default: true, Description: "Try the client at Zoho after storing it, with a made-up refresh token, in the home data center and in each that client_secrets names, and warn where Zoho does not know it."}
	shown := configFields()
	delete(shown, "client_secret")
	delete(shown, "client_secrets")
	shown["client_secret_set"] = &framework.FieldSchema{Type: framework.TypeBool, Description: "Whether a client_secret is stored."}
	shown["client_secrets_set"] = &framework.FieldSchema{Type: framework.TypeStringSlice, Description: "The data centers that have a client secret of their own."}
	write := &framework.PathOperation{
		Callback: b.writeConfig, Summary: "Store or change the OAuth client of this mount.",
		Responses: map[int][]framework.Response{
			http.StatusOK: {{Description: "Stored; a warning says what Zoho thinks of the client.", Fields: map[string]*framework.FieldSchema{
				"redirect_uri": {Type: framework.TypeString, Description: "With vault_addr: what to register in Zoho's API console, byte for byte."},
			}}},
			http.StatusNoContent: {{Description: "Stored."}},
		},
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

After storing, the client is tried with a made-up refresh token, at its home data
center and at each that has a secret of its own; a warning tells where Zoho does not
know the client. verify=false skips that.`,
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
	f := newFields(req, data)
	c, err := b.changeConfig(ctx, req, f)
	if err != nil {
		return nil, err
	}
	b.Logger().Info("config written", "client_id", c.ClientID, "data_center", c.DataCenter)

	verify := true
	f.bool("verify", &verify)
	resp := &logical.Response{}
	if f.sent("vault_addr") && c.VaultAddr != "" {
		resp.Data = map[string]any{"redirect_uri": c.redirectURI(req.MountPoint)}
	}
	if most := c.MaxTokenLifetime - leastUse; c.MinTTL > most {
		resp.AddWarning(fmt.Sprintf("min_ttl is %s, longer than an access token can be used with this max_token_lifetime; %s counts in its place", c.MinTTL, most))
	}
	if verify {
		resp.Warnings = append(resp.Warnings, c.verify(ctx)...)
	}
	if resp.Data == nil && len(resp.Warnings) == 0 {
		return nil, nil
	}
	return resp, nil
}

// changeConfig stores the configuration with the fields that were sent.
func (b *backend) changeConfig(ctx context.Context, req *logical.Request, f *fields) (*client, error) {
	// Two writes at once must not lose one another's fields.
	b.configuring.alone()
	defer b.configuring.done()
	var old config
	err := store.Get(ctx, req.Storage, configKey, &old)
	created := errors.Is(err, store.ErrAbsent)
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
	next := merge(old, f)
	if f.err != nil {
		return nil, f.err
	}
	if err := next.checkSent(f); err != nil {
		return nil, err
	}
	c, err := next.check(b.memory.transport, b.memory.observe)
	if err != nil {
		return nil, err
	}
	if !created {
		if err := secretsAgain(old, next, f); err != nil {
			return nil, err
		}
	}
	err = store.Put(ctx, req.Storage, configKey, &next)
	b.memory.forget(configKey)
	if err == nil && created {
		// Credentials come after it. Not noted, the next start finds it out once more.
		_ = b.ledger.NoteForward(ctx, req.Storage)
	}
	return c, err
}

func (b *backend) readConfig(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	if err := (&fields{FieldData: data}).only("read"); err != nil {
		return nil, err
	}
	var c config
	err := store.Get(ctx, req.Storage, configKey, &c)
	if errors.Is(err, store.ErrAbsent) {
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
		"redirect_uri":       c.redirectURI(req.MountPoint),
		"vault_addr":         c.VaultAddr,
		"return_urls":        list(c.ReturnURLs),
		"scopes":             list(c.Scopes),
		"max_age":            seconds(c.MaxAge),
		"min_ttl":            seconds(c.MinTTL),
		"mint_limit":         c.MintLimit,
		"mint_window":        seconds(c.MintWindow),
		"mint_limit_key":     firstOf(string(c.MintLimitKey), string(zoho.KeyAuto)),
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
	b.configuring.alone() // no credential is connected meanwhile
	defer b.configuring.done()
	names, err := req.Storage.List(ctx, credsPrefix)
	if err != nil {
		return nil, fmt.Errorf("listing credentials: %w", err)
	}
	if b.credentials.InProgress() > 0 {
		return nil, refuse("config is in use: a grant is being obtained from Zoho right now; delete it when that is done")
	}
	if len(names) > 0 {
		return nil, refuse("config is still used by %d credentials; delete them first, so that their grants are revoked at Zoho", len(names))
	}
	// Consents of this client can't be completed with another one.
	if err := b.consents.DropAll(ctx, req.Storage); err != nil {
		return nil, fmt.Errorf("deleting consents: %w", err)
	}
	err = store.Delete(ctx, req.Storage, configKey)
	b.memory.forget(configKey)
	if err != nil {
		return nil, err
	}
	b.forgetClients(ctx, req.Storage)
	b.Logger().Info("config deleted")
	return nil, nil
}

// forgetClients deletes the shared mint limits of a client that is gone. What stays does no
// harm: it is of use only to the same client.
func (b *backend) forgetClients(ctx context.Context, s logical.Storage) {
	ids, err := s.List(ctx, clientPrefix)
	for _, id := range ids {
		err = errors.Join(err, s.Delete(ctx, clientPrefix+id))
		b.keeper.ForgetClient(id)
	}
	if err != nil {
		b.Logger().Warn("the mint limits of the deleted client stay in storage", "error", err)
	}
}
