// What is at creds/<name>? One credential: written with the source of a grant or
// with settings, read for an access token, deleted with its grant at Zoho.

package backend

import (
	"context"
	"net/http"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

func (b *backend) pathCreds() *framework.Path {
	sensitive := &framework.DisplayAttributes{Sensitive: true}
	read := func(schema framework.FieldSchema) *framework.FieldSchema {
		schema.Query = true
		return &schema
	}
	write := &framework.PathOperation{
		Callback: b.writeCreds, Summary: "Connect a credential, or change its settings.",
		Description: "Takes exactly one source of a grant (callback_url, code, refresh_token or grant_type=client_credentials), or settings alone for a connected credential.",
		Responses:   map[int][]framework.Response{http.StatusOK: {{Description: "The credential; warnings say where Zoho granted something else than was asked for.", Fields: connectedFields()}}},
	}
	patch := *write
	patch.Summary = "Change settings; null puts the mount's default back."
	patch.DisplayAttrs = &framework.DisplayAttributes{OperationVerb: "patch"}
	return &framework.Path{
		Pattern:      "creds" + nameRegex,
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: "zoho", OperationSuffix: "credential"},
		Fields: map[string]*framework.FieldSchema{
			"name":            nameField("Name of the credential."),
			"callback_url":    {Type: framework.TypeString, Description: "The whole address that the browser landed on after the consent; code, state and data center are taken from it.", DisplayAttrs: sensitive},
			"code":            {Type: framework.TypeString, Description: "The one-time code alone, from the address bar or from the self client tab of Zoho's API console.", DisplayAttrs: sensitive},
			"state":           {Type: framework.TypeString, Description: "With code: the state that came with it. Needed when a consent was started with authorize."},
			"redirect_uri":    {Type: framework.TypeString, Description: "With code: the redirect URI of the consent. Default: that of authorize. A self client's code has none."},
			"data_center":     {Type: framework.TypeString, Description: "With code or refresh_token: the data center of the Zoho account. Default: data_center in config."},
			"accounts_server": {Type: framework.TypeString, Description: "With code: the accounts-server parameter of the address that the browser landed on; it must be one that this mount knows."},
			"refresh_token":   {Type: framework.TypeString, Description: "A refresh token to import; proven by one refresh before it is stored.", DisplayAttrs: sensitive},
			"max_age":         read(framework.FieldSchema{Type: framework.TypeDurationSecond, Description: "How old an access token may be to be handed out again. In a write: a setting of this credential; in a read: for this read. Default: max_age in config."}),
			"min_ttl":         read(framework.FieldSchema{Type: framework.TypeDurationSecond, Description: "How long the access token should live on. In a write: a setting of this credential; in a read: a demand, answered with an error when it can't be met. Default: min_ttl in config."}),
			"grant_type":      {Type: framework.TypeString, Description: "client_credentials: mint from the client's own credentials (self clients), for scopes and soid; proven by one mint before it is stored. Otherwise left out."},
			"scopes":          {Type: framework.TypeCommaStringSlice, Description: "With grant_type=client_credentials: the scopes to mint for."},
			"soid":            {Type: framework.TypeString, Description: "With grant_type=client_credentials: the organization, <service>.<zsoid> such as ZohoCRM.600000434, for apps with several organizations."},
			"leased":          {Type: framework.TypeBool, Default: false, Description: "Add a non-renewable lease of the token's remaining life to reads, for clients that know only leases (Spring, Go's LifetimeWatcher). Revoking it revokes nothing at Zoho."},
			"disabled":        {Type: framework.TypeBool, Default: false, Description: "Refuse reads and keep everything."},
			"custom_metadata": {Type: framework.TypeKVPairs, Description: "Up to 64 name=value pairs of your own, shown in list and status. Not secret."},
			"revoke":          read(framework.FieldSchema{Type: framework.TypeBool, Default: true, Description: "In a delete: revoke the grant at Zoho too. false only forgets it here."}),
		},
		ExistenceCheck: existence(func(name string) string { return credsPrefix + name }),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.CreateOperation: write,
			logical.UpdateOperation: write,
			logical.PatchOperation:  &patch,
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.readCreds, Summary: "Get an access token.",
				Responses: map[int][]framework.Response{http.StatusOK: {{Description: "An access token.", Fields: tokenFields()}}},
			},
			logical.DeleteOperation: &framework.PathOperation{
				Callback: b.deleteCreds, Summary: "Delete the credential and revoke its grant at Zoho.",
				Responses: map[int][]framework.Response{
					http.StatusNoContent: {{Description: "Deleted and revoked."}},
					http.StatusOK:        {{Description: "Deleted; a warning says that revocation is still being tried."}},
				},
			},
		},
		HelpSynopsis: "A credential: read it to get an access token.",
		HelpDescription: `
Reading gives a Zoho access token that lives at least min_ttl, as far as Zoho's
limits let it. The answer has no lease: ttl says in how many seconds a newer token
would be handed out, and Vault Agent follows it.

Writing connects the credential with exactly one of: callback_url (the address that
the browser landed on after authorize/<name>), code (also a self client's),
refresh_token (an import), or grant_type=client_credentials with scopes (a self
client). Without any, only settings of a connected credential change. Nothing good
is overwritten until the new grant is stored.

While a device consent is waiting (authorize/<name> flow=device), reading asks Zoho
whether the person has consented, at most once in Zoho's interval.

Deleting revokes the grant at Zoho; if Zoho cannot be reached, that is retried.`,
	}
}

func connectedFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"grant_type":       {Type: framework.TypeString, Description: "What access tokens are minted from: authorization_code, device_code, refresh_token (imported) or client_credentials."},
		"data_center":      {Type: framework.TypeString, Description: "Data center of the Zoho account."},
		"accounts_server":  {Type: framework.TypeString, Description: "Where its tokens come from."},
		"api_domain":       {Type: framework.TypeString, Description: "General API gateway of the account."},
		"requested_scopes": {Type: framework.TypeStringSlice, Description: "Scopes that were asked for, if known."},
		"granted_scopes":   {Type: framework.TypeStringSlice, Description: "Scopes that Zoho granted, if its answer said."},
		"created_time":     {Type: framework.TypeTime, Description: "When the credential was first connected."},
		"max_age":          {Type: framework.TypeInt, Description: "In force, in seconds."},
		"min_ttl":          {Type: framework.TypeInt, Description: "In force, in seconds."},
		"leased":           {Type: framework.TypeBool, Description: "Whether reads carry a lease."},
		"disabled":         {Type: framework.TypeBool, Description: "Whether reads are refused."},
		"custom_metadata":  {Type: framework.TypeKVPairs, Description: "Your own notes."},
	}
}

func connectedData(k *known, d *derived) map[string]any {
	return map[string]any{
		"grant_type":       k.GrantType,
		"data_center":      k.DataCenter,
		"accounts_server":  d.dc.AccountsURL,
		"api_domain":       firstOf(k.APIDomain, d.dc.APIDomain),
		"requested_scopes": list(k.Requested),
		"granted_scopes":   list(k.Granted),
		"created_time":     stamp(k.Created),
		"max_age":          seconds(d.want.MaxAge),
		"min_ttl":          seconds(d.want.MinTTL),
		"leased":           k.Leased,
		"disabled":         k.Disabled,
		"custom_metadata":  pairs(k.CustomMetadata),
	}
}

// pairs makes absent metadata an empty object in JSON.
func pairs(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// checkMetadata bounds what people note down, as Vault's own kv engine does.
func checkMetadata(m map[string]string) error {
	if len(m) > 64 {
		return refuse("custom_metadata has %d names; it takes up to 64", len(m))
	}
	for name, text := range m {
		if name == "" || len(name) > 128 || len(text) > 512 {
			return refuse("custom_metadata %q is too long or has no name; names take up to 128 bytes, values up to 512", shorten(name))
		}
	}
	return nil
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

func (b *backend) pathCredsList() *framework.Path {
	return &framework.Path{
		Pattern:      "creds/?",
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: "zoho", OperationSuffix: "credentials"},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: &framework.PathOperation{
				Callback: b.listCreds, Summary: "List credentials.",
				Responses: listResponses("The credentials, with data center and scopes of each."),
			},
		},
		HelpSynopsis:    "The credentials of this mount.",
		HelpDescription: "Names with data center, grant type and scopes; never a secret. Details are in status/<name>.",
	}
}

// maxListed bounds for how many credentials a list reads details.
const maxListed = 1000

func (b *backend) listCreds(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	names, err := req.Storage.List(ctx, credsPrefix)
	if err != nil {
		return nil, err
	}
	info := map[string]any{}
	for i, name := range names {
		if i == maxListed {
			break
		}
		// Read past the cache: a list must not push out what is in use.
		var c credential
		if err := get(ctx, req.Storage, credsPrefix+name, &c); err != nil {
			b.Logger().Warn("a credential cannot be listed", "credential", name, "error", err)
			info[name] = map[string]any{"error": "not readable; see Vault's log"}
			continue
		}
		info[name] = map[string]any{
			"data_center": c.DataCenter, "grant_type": c.GrantType,
			"requested_scopes": list(c.Requested), "granted_scopes": list(c.Granted), "created_time": stamp(c.Created),
			"disabled": c.Disabled, "custom_metadata": pairs(c.CustomMetadata),
		}
	}
	resp := logical.ListResponseWithInfo(names, info)
	if len(names) > maxListed {
		resp.AddWarning("details are shown for the first 1000 credentials only; read status/<name> for others")
	}
	return resp, nil
}

// writeCreds connects a credential, or changes its settings.
func (b *backend) writeCreds(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	if err := validName(name); err != nil {
		return nil, err
	}
	c, err := b.memory.config(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	f := newFields(req, data)
	if f.sent("revoke") {
		return nil, refuse("revoke belongs to a delete; leave it out")
	}
	w := connectRequest{name: name, client: c, storage: req.Storage}
	source, err := w.read(f)
	if err != nil {
		return nil, err
	}
	change := func(s *settings) error {
		f.ownDuration("max_age", &s.MaxAge)
		f.ownDuration("min_ttl", &s.MinTTL)
		f.bool("leased", &s.Leased)
		f.bool("disabled", &s.Disabled)
		if f.pairs("custom_metadata", &s.CustomMetadata); f.err == nil {
			f.err = checkMetadata(s.CustomMetadata)
		}
		if f.err == nil && s.MinTTL != nil && *s.MinTTL >= c.MaxTokenLifetime {
			return refuse("min_ttl must be below the lifetime of an access token (%s)", c.MaxTokenLifetime)
		}
		return f.err
	}
	// Tried on a copy first: a code must not be spent for settings that are refused.
	if err := change(&settings{}); err != nil {
		return nil, err
	}
	w.change = change
	var k *known
	var warnings []string
	switch source {
	case grantRefresh, grantClient:
		k, warnings, err = b.prove(ctx, w, source)
	case "code":
		k, warnings, err = b.connect(ctx, w)
	default:
		k, err = b.changeSettings(ctx, w)
	}
	if err != nil {
		return nil, err
	}
	d, err := k.derive(c)
	if err != nil {
		return nil, err
	}
	if warning := b.census(ctx, req.Storage, c); warning != "" && source != "" {
		warnings = append(warnings, warning)
	}
	return &logical.Response{Data: connectedData(k, d), Warnings: warnings}, nil
}

func (b *backend) changeSettings(ctx context.Context, w connectRequest) (*known, error) {
	k := &known{name: w.name}
	err := b.locked(w.name, func() error {
		stored, err := b.memory.credential(ctx, w.storage, w.name)
		if err != nil && !isAbsent(err) {
			return err
		}
		if err != nil {
			return refuse("credential %q is not connected yet, and this write names no source of a grant; give callback_url, code or refresh_token (start with authorize/%s)", w.name, w.name)
		}
		k.credential = stored.credential
		if err := w.change(&k.settings); err != nil {
			return err
		}
		return b.storeCredential(ctx, w.storage, k)
	})
	return k, err
}

// storeCredential writes a credential and drops the old one from memory.
func (b *backend) storeCredential(ctx context.Context, s logical.Storage, k *known) error {
	err := put(ctx, s, credsPrefix+k.name, &k.credential)
	b.memory.forget(credsPrefix + k.name)
	return err
}

func tokenFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"access_token":        {Type: framework.TypeString, Description: "The access token.", DisplayAttrs: &framework.DisplayAttributes{Sensitive: true}},
		"token_type":          {Type: framework.TypeString, Description: "As Zoho answered it."},
		"authorization":       {Type: framework.TypeString, Description: "Ready value for the Authorization header.", DisplayAttrs: &framework.DisplayAttributes{Sensitive: true}},
		"api_domain":          {Type: framework.TypeString, Description: "General API gateway of the account."},
		"data_center":         {Type: framework.TypeString, Description: "Data center of the account."},
		"scopes":              {Type: framework.TypeStringSlice, Description: "Scopes of the token."},
		"issue_time":          {Type: framework.TypeTime, Description: "When it was minted."},
		"expire_time":         {Type: framework.TypeTime, Description: "When it dies."},
		"last_vault_rotation": {Type: framework.TypeTime, Description: "When it was minted, in the field that agents look for."},
		"rotation_period":     {Type: framework.TypeInt, Description: "Seconds between newer tokens for a steady reader."},
		"ttl":                 {Type: framework.TypeInt, Description: "Seconds until a newer token would be handed out."},
	}
}

// deleteCreds forgets a credential and has its grant revoked.
func (b *backend) deleteCreds(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	if err := validName(name); err != nil {
		return nil, err
	}
	revoke := true
	f := &fields{FieldData: data}
	if err := f.only("delete", "revoke"); err != nil {
		return nil, err
	}
	f.bool("revoke", &revoke)
	var entry *retiredGrant
	err := b.locked(name, func() error {
		k, err := b.memory.credential(ctx, req.Storage, name)
		if err != nil {
			return err
		}
		c, err := b.memory.config(ctx, req.Storage)
		if err != nil {
			return err
		}
		// The note is written first: a crash in between revokes nothing, since the
		// credential still holds the grant.
		if k.RefreshToken != "" {
			if entry, err = b.retired.note(ctx, req.Storage, c, k, true, revoke); err != nil {
				return err
			}
		}
		if err := req.Storage.Delete(ctx, credsPrefix+name); err != nil {
			return err
		}
		b.memory.forget(credsPrefix + name)
		if err := req.Storage.Delete(ctx, pendingPrefix+name); err != nil {
			return err
		}
		if entry == nil {
			return nil
		}
		return req.Storage.Delete(ctx, holderKey(entry.GrantID, name))
	})
	if isAbsent(err) {
		return nil, nil // deleting twice is no error
	}
	if err != nil {
		return nil, err
	}
	b.metrics.deleted.Add(1)
	b.Logger().Info("credential deleted", "credential", name, "revoke", revoke)
	b.send(eventDeleted, name)
	if !revoke || entry == nil {
		return nil, nil
	}
	err = b.retired.consider(context.WithoutCancel(ctx), req.Storage, entry)
	if err == nil {
		return nil, nil
	}
	resp := &logical.Response{}
	resp.AddWarning("the credential is deleted, but its grant is not yet revoked at Zoho: " + err.Error() + "; this is retried until Zoho agrees, or remove the app under Connected Apps in the Zoho account")
	return resp, nil
}
