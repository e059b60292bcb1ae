// How does a consent begin? The path authorize/<name>: an address for a person to
// open, and a note of what must come back.

package backend

import (
	"context"
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/oauth2"

	"vault-plugin-secrets-zoho/zoho"
)

// consentLife is how long a person has to consent.
const consentLife = 10 * time.Minute

func (b *backend) pathAuthorize() *framework.Path {
	return &framework.Path{
		Pattern:      "authorize" + nameRegex,
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: "zoho", OperationVerb: "authorize", OperationSuffix: "credential"},
		Fields: map[string]*framework.FieldSchema{
			"name":         nameField("Name of the credential to connect."),
			"flow":         {Type: framework.TypeString, Default: "code", Description: "How the person consents: code, in a browser.", AllowedValues: []any{"code"}},
			"scopes":       {Type: framework.TypeCommaStringSlice, Description: "Scopes to ask for, separated by commas or spaces. Default: scopes in config."},
			"redirect_uri": {Type: framework.TypeString, Description: "Where the browser lands, exactly as registered in Zoho's API console. Default: redirect_uri in config."},
			"data_center":  {Type: framework.TypeString, Description: "Data center at which the consent starts; Zoho leads the browser on to the person's own. Default: data_center in config. China must be named."},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.authorize, Summary: "Start a consent for a credential.",
				Responses: map[int][]framework.Response{http.StatusOK: {{Description: "The consent that was started.", Fields: map[string]*framework.FieldSchema{
					"authorization_url": {Type: framework.TypeString, Description: "Open this in a browser and consent."},
					"state":             {Type: framework.TypeString, Description: "Comes back with the code."},
					"expire_time":       {Type: framework.TypeTime, Description: "Until when the consent must be written to creds/<name>."},
					"flow":              {Type: framework.TypeString, Description: "How the person consents."},
					"data_center":       {Type: framework.TypeString, Description: "Where the consent starts."},
					"redirect_uri":      {Type: framework.TypeString, Description: "Where the browser lands."},
					"scopes":            {Type: framework.TypeStringSlice, Description: "The scopes that are asked for."},
				}}}},
				ForwardPerformanceStandby: true, ForwardPerformanceSecondary: true,
			},
		},
		HelpSynopsis: "Start a person's consent for a credential.",
		HelpDescription: `
Answers an authorization_url. A person who may use the Zoho account opens it and
consents; the browser then lands on the redirect URI. Write the whole address it
landed on to creds/<name> as callback_url, within ten minutes, once. Starting again
replaces a consent that was not finished; a connected credential stays as it is
until the new consent has succeeded.`,
	}
}

func (b *backend) authorize(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	if err := validName(name); err != nil {
		return nil, err
	}
	c, err := b.memory.config(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	flow, redirect, scopes, center := "code", c.RedirectURI, c.Scopes, c.DataCenter
	f := &fields{FieldData: data}
	f.text("flow", &flow)
	f.text("redirect_uri", &redirect)
	f.scopes("scopes", &scopes)
	f.text("data_center", &center)
	if center == "" {
		center = c.DataCenter
	}
	if flow != "code" {
		return nil, refuse("unknown flow %q; use code", shorten(flow))
	}
	if redirect == "" {
		return nil, refuse("redirect_uri is missing; name one that is registered in Zoho's API console, here or in config")
	}
	if err := checkRedirect(redirect); err != nil {
		return nil, err
	}
	if len(scopes) == 0 {
		return nil, refuse("scopes are missing; name some such as ZohoCRM.modules.ALL, here or in config")
	}
	dc, err := c.dataCenter(center)
	if err != nil {
		return nil, err
	}
	p := pending{
		State: random(), RedirectURI: redirect, Scopes: scopes, DataCenter: dc.Name,
		Expires: time.Now().Add(consentLife).UTC().Truncate(time.Second),
	}
	if c.PKCE {
		p.Verifier = zoho.Secret(oauth2.GenerateVerifier())
	}
	if err := put(ctx, req.Storage, pendingPrefix+name, &p); err != nil {
		return nil, err
	}
	b.Logger().Info("consent started", "credential", name, "data_center", dc.Name, "expire_time", stamp(p.Expires))
	return &logical.Response{Data: map[string]any{
		"authorization_url": c.at(dc).AuthorizationURL(redirect, p.State, string(p.Verifier), scopes),
		"state":             p.State,
		"expire_time":       stamp(p.Expires),
		"flow":              flow,
		"data_center":       dc.Name,
		"redirect_uri":      redirect,
		"scopes":            scopes,
	}}, nil
}
