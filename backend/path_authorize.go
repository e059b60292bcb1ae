// How does a consent begin? The path authorize/<name>: an address for a person to
// open, and a note of what must come back.

package backend

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/oauth2"

	"vault-plugin-secrets-zoho/backend/internal/consent"
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
			"flow":         {Type: framework.TypeString, Default: "code", Description: "How the person consents: code, in the browser that lands on the redirect URI, or device, by typing a short code on any device (non-browser clients).", AllowedValues: []any{consent.Code, consent.Device}},
			"scopes":       {Type: framework.TypeCommaStringSlice, Description: "Scopes to ask for, separated by commas or spaces. Default: scopes in config."},
			"add_scopes":   {Type: framework.TypeCommaStringSlice, Description: "Scopes to add to the connected credential's own grant, without a consent from scratch (Zoho's incremental authorization)."},
			"redirect_uri": {Type: framework.TypeString, Description: "Where the browser lands, exactly as registered in Zoho's API console. Default: redirect_uri in config."},
			"data_center":  {Type: framework.TypeString, Description: "Data center at which the consent starts; Zoho leads the browser on to the person's own. Default: data_center in config. China must be named."},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.authorize, Summary: "Start a consent for a credential.",
				Responses: map[int][]framework.Response{http.StatusOK: {{Description: "The consent that was started.", Fields: map[string]*framework.FieldSchema{
					"authorization_url": {Type: framework.TypeString, Description: "Open this in a browser and consent."},
					"state":             {Type: framework.TypeString, Description: "Comes back with the code."},
					"user_code":         {Type: framework.TypeString, Description: "Device flow: what the person types."},
					"verification_url":  {Type: framework.TypeString, Description: "Device flow: where they type it."},
					"interval":          {Type: framework.TypeInt, Description: "Device flow: seconds between two questions to Zoho."},
					"expire_time":       {Type: framework.TypeTime, Description: "Until when the consent must be finished."},
					"flow":              {Type: framework.TypeString, Description: "How the person consents."},
					"data_center":       {Type: framework.TypeString, Description: "Where the consent starts."},
					"redirect_uri":      {Type: framework.TypeString, Description: "Where the browser lands."},
					"scopes":            {Type: framework.TypeStringSlice, Description: "The scopes that are asked for."},
				}}}},
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
	p := consent.Consent{
		Flow: consent.Code, RedirectURI: c.RedirectURI, Scopes: c.Scopes, DataCenter: c.DataCenter,
		State: rand.Text(), Expires: time.Now().Add(consentLife).UTC().Truncate(time.Second),
	}
	var extra []string
	f := newFields(req, data)
	f.text("flow", &p.Flow)
	f.text("redirect_uri", &p.RedirectURI)
	f.scopes("scopes", &p.Scopes)
	f.scopes("add_scopes", &extra)
	if f.text("data_center", &p.DataCenter); p.DataCenter == "" {
		p.DataCenter = c.DataCenter
	}
	if f.err != nil {
		return nil, f.err
	}
	dc, err := c.dataCenter(p.DataCenter)
	if err != nil {
		return nil, err
	}
	p.DataCenter = dc.Name
	if c.secret(dc.Name) == "" {
		return nil, noSecret(dc, name)
	}
	var address string
	switch {
	case f.sent("add_scopes"):
		address, err = b.beginScopes(ctx, req.Storage, c, name, f, extra, &p)
	case p.Flow == consent.Device:
		err = b.beginDevice(ctx, c, dc, f, &p)
	case p.Flow == consent.Code:
		address, err = beginCode(c, dc, &p)
	default:
		err = refuse("unknown flow %q; use code or device", shorten(p.Flow))
	}
	if err != nil {
		return nil, err
	}
	if err := b.consents.Start(ctx, req.Storage, name, &p); err != nil {
		return nil, err
	}
	b.Logger().Info("consent started", "credential", name, "flow", p.Flow, "data_center", p.DataCenter, "expire_time", stamp(p.Expires))
	answer := map[string]any{
		"expire_time": stamp(p.Expires), "flow": p.Flow, "data_center": p.DataCenter, "scopes": p.Scopes,
	}
	if p.Flow == consent.Device {
		answer["user_code"], answer["verification_url"], answer["interval"] = p.UserCode, p.VerificationURL, seconds(p.Interval)
	} else {
		answer["authorization_url"], answer["state"], answer["redirect_uri"] = address, p.State, p.RedirectURI
	}
	resp := &logical.Response{Data: answer}
	if warning := b.census(ctx, req.Storage, c); warning != "" && p.Flow != consent.Scopes {
		resp.AddWarning(warning)
	}
	return resp, nil
}

// beginCode completes a consent in a browser.
func beginCode(c *client, dc zoho.DataCenter, p *consent.Consent) (address string, err error) {
	if len(p.Scopes) == 0 {
		return "", errNoScopes()
	}
	if p.RedirectURI == "" {
		return "", errNoRedirect()
	}
	if err := checkRedirect(p.RedirectURI); err != nil {
		return "", err
	}
	if c.PKCE {
		p.Verifier = zoho.Secret(oauth2.GenerateVerifier())
	}
	return c.at(dc).AuthorizationURL(p.RedirectURI, p.State, string(p.Verifier), p.Scopes), nil
}

func errNoScopes() error {
	return refuse("scopes are missing; name some such as ZohoCRM.modules.ALL, here or in config")
}

func errNoRedirect() error {
	return refuse("redirect_uri is missing; name one that is registered in Zoho's API console, here or in config (a self client has none: make its code in the console and write it to creds/<name>)")
}
