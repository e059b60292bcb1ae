// What is at creds/<name>? One credential: written with the source of a grant or
// with settings, read for an access token, deleted with its grant at Zoho.

package backend

import (
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
	patch.Summary = "Change only settings; null restores the mount's default."
	patch.Description = "Takes max_age, min_ttl, leased, disabled and custom_metadata. To connect a grant, write instead."
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
			"rejected":        read(framework.FieldSchema{Type: framework.TypeString, Description: "In a read: the token_id of a token that Zoho rejected with a 401. It is handed out no more, and a new one is asked for, once for all who say so."}),
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

If Zoho answers a token with 401, read again with rejected=<token_id>: that token is
handed out no more, and a new one is asked for within Zoho's limits.

Writing connects the credential with exactly one of: callback_url (the address that
the browser landed on after authorize/<name>), code (also a self client's),
refresh_token (an import), or grant_type=client_credentials with scopes (a self
client). Without any, only settings of a connected credential change. Nothing good
is overwritten until the new grant is stored.

While a device consent is waiting (authorize/<name> flow=device), reading asks Zoho
whether the person has consented, at most once in Zoho's interval.

A patch changes settings only.

Deleting revokes the grant at Zoho; if Zoho cannot be reached, that is retried.`,
	}
}

func connectedFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"requested_level":  {Type: framework.TypeString, Description: "The level of consent that was requested: user (the grant ends when that person leaves the organization) or organization (the grant stays valid). Zoho's answer does not say which level it granted. Empty for an imported refresh token."},
		"soid":             {Type: framework.TypeString, Description: "The organization that was named for the grant, if one was."},
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
		"requested_level":  k.Level(),
		"soid":             k.SOID,
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

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

func tokenFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"access_token":        {Type: framework.TypeString, Description: "The access token.", DisplayAttrs: &framework.DisplayAttributes{Sensitive: true}},
		"token_type":          {Type: framework.TypeString, Description: "As Zoho answered it."},
		"authorization":       {Type: framework.TypeString, Description: "Ready value for the Authorization header.", DisplayAttrs: &framework.DisplayAttributes{Sensitive: true}},
		"api_domain":          {Type: framework.TypeString, Description: "General API gateway of the account."},
		"service_url":         {Type: framework.TypeString, Description: "Where the API of the service is that the scopes are for, if they are for one whose address is known."},
		"data_center":         {Type: framework.TypeString, Description: "Data center of the account."},
		"scopes":              {Type: framework.TypeStringSlice, Description: "Scopes of the token."},
		"token_id":            {Type: framework.TypeString, Description: "Names the token. After a 401 from Zoho read again with rejected=<token_id>."},
		"issue_time":          {Type: framework.TypeTime, Description: "When it was minted."},
		"expire_time":         {Type: framework.TypeTime, Description: "When it dies."},
		"last_vault_rotation": {Type: framework.TypeTime, Description: "When it was minted, in the field that agents look for."},
		"rotation_period":     {Type: framework.TypeInt, Description: "Seconds between newer tokens for a steady reader."},
		"ttl":                 {Type: framework.TypeInt, Description: "Seconds until a newer token would be handed out."},
	}
}
