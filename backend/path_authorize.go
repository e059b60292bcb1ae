// path_authorize.go: authorize/<name> starts a consent: an address for a person to open,
// and what is stored until they come back.

package backend

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/oauth2"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/zoho"
)

// How long a person has to consent.
const (
	consentLife    = 10 * time.Minute
	maxConsentLife = 7 * 24 * time.Hour
	minConsentLife = time.Minute
)

func (b *backend) pathAuthorize() *framework.Path {
	return &framework.Path{
		Pattern:      "authorize" + nameRegex,
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: "zoho", OperationVerb: "authorize", OperationSuffix: "credential"},
		Fields: map[string]*framework.FieldSchema{
			"name":                 nameField("Name of the credential to connect."),
			"flow":                 {Type: framework.TypeString, Default: "code", Description: "How the person consents: code, in a browser; device, by typing a short code on any device (non-browser clients); organization, in a browser as an administrator, for a grant that outlives the person.", AllowedValues: []any{consent.Code, consent.Device, consent.Organization}},
			"scopes":               {Type: framework.TypeCommaStringSlice, Description: "Scopes to ask for, separated by commas or spaces. Default: scopes in config."},
			"add_scopes":           {Type: framework.TypeCommaStringSlice, Description: "Scopes to add to the connected credential's own grant, without a consent from scratch (Zoho's incremental authorization)."},
			"redirect_uri":         {Type: framework.TypeString, Description: "Where the browser lands, exactly as registered in Zoho's API console. Default: redirect_uri in config, or what follows from its vault_addr."},
			"data_center":          {Type: framework.TypeString, Description: "Data center at which the consent starts; Zoho leads the browser on to the person's own. Default: data_center in config. China must be named."},
			"soid":                 {Type: framework.TypeString, Description: "With flow=organization: the organization, <service>.<id> such as ZohoCRM.600000434."},
			"ttl":                  {Type: framework.TypeDurationSecond, Default: seconds(consentLife), Description: "How long the link is good, 1m to 7d. A device code lives as long as Zoho says, and a consent to more scopes ten minutes."},
			"return_url":           {Type: framework.TypeString, Description: "Where the browser goes on to, with credential, result and return_state; it must match return_urls in config."},
			"return_state":         {Type: framework.TypeString, Description: "With return_url: any text of the caller's own, handed back there."},
			"expected_user":        {Type: framework.TypeString, Description: "E-mail address or Zoho user id (ZUID) of the account that must consent; any other is refused and its grant revoked at once. Needs the scope " + gate.ProfileScope + "."},
			"expected_data_center": {Type: framework.TypeString, Description: "Data center of the account that must consent."},
			"force":                {Type: framework.TypeBool, Default: false, Description: "Replace a consent for this name that still waits, although somebody else started it or the new one lacks its expected_user or expected_data_center."},
			"withdraw":             {Type: framework.TypeBool, Default: false, Description: "Start nothing: withdraw the consent that has the state if_state, and no other."},
			"if_state":             {Type: framework.TypeString, Description: "With withdraw=true: the state in the answer that started the consent."},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.UpdateOperation: &framework.PathOperation{
				Callback: b.authorize, Summary: "Start a consent for a credential, or withdraw the consent that has a given state.",
				Responses: map[int][]framework.Response{http.StatusNoContent: {{Description: "With withdraw=true: no consent with this state waits."}}, http.StatusOK: {{Description: "The consent that was started.", Fields: map[string]*framework.FieldSchema{
					"authorization_url": {Type: framework.TypeString, Description: "Open this in a browser and consent."},
					"completes":         {Type: framework.TypeString, Description: "How the consent is completed: callback, by the browser, which brings the code to Vault; or paste, by writing the address that it landed on to creds/<name>."},
					"state":             {Type: framework.TypeString, Description: "Comes back with the code (not with flow=device). It also names this consent in a later write of withdraw=true, which takes it as if_state."},
					"user_code":         {Type: framework.TypeString, Description: "Device flow: what the person types."},
					"verification_url":  {Type: framework.TypeString, Description: "Device flow: where they type it."},
					"interval":          {Type: framework.TypeInt, Description: "Device flow: seconds between two questions to Zoho."},
					"expire_time":       {Type: framework.TypeTime, Description: "Until when the consent must be finished."},
					"flow":              {Type: framework.TypeString, Description: "How the person consents."},
					"data_center":       {Type: framework.TypeString, Description: "Where the consent starts."},
					"redirect_uri":      {Type: framework.TypeString, Description: "Where the browser lands."},
					"scopes":            {Type: framework.TypeStringSlice, Description: "The scopes that are asked for."},
					"advice":            {Type: framework.TypeString, Description: "Where reads of the credential would each want a new token: how to let them share one."},
				}}}},
			},
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.readConsent, Summary: "Show the state and the result of a credential's consent.",
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "read", OperationSuffix: "consent"},
				Responses:    map[int][]framework.Response{http.StatusOK: {{Description: "The consent.", Fields: consentFields()}}},
			},
			logical.DeleteOperation: &framework.PathOperation{
				Callback: b.withdraw, Summary: "Withdraw a consent that waits or is in progress. Its link then no longer works.",
				DisplayAttrs: &framework.DisplayAttributes{OperationVerb: "withdraw", OperationSuffix: "consent"},
				Responses:    map[int][]framework.Response{http.StatusNoContent: {{Description: "No consent waits."}}},
			},
		},
		HelpSynopsis: "Start a person's consent for a credential.",
		HelpDescription: `
Answers an authorization_url. A person who may use the Zoho account opens it and
consents. If the redirect URI is this mount's callback (completes: callback) that is
all: the browser brings the code to Vault. Else (completes: paste) write the whole
address that the browser landed on to creds/<name>, with callback_url=- and paste it.

One consent waits for a name at a time, for ten minutes or ttl. The caller that started
it may start another in its place; another caller needs force=true. So does a consent
that would drop the expected_user or expected_data_center of the one that waits. A connected
credential stays as it is until a new consent has succeeded.

Reading shows the state of the consent (waiting, in_progress, connected, declined, failed
or expired) and the result of the last attempt, for seven days after it ended or expired. Listing
authorize shows all consents.

Deleting withdraws the consent that waits or is in progress, whichever it is. A write of
withdraw=true with if_state withdraws it only if it has that state.`,
	}
}

func (b *backend) authorize(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	if err := validName(name); err != nil {
		return nil, err
	}
	if asked, err := withdrawalAsked(newFields(req, data)); asked || err != nil {
		if err != nil {
			return nil, err
		}
		return nil, b.withdrawState(ctx, req, data, name)
	}
	c, err := b.memory.config(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	f := newFields(req, data).forAuthorize()
	p, dc, err := readConsentRequest(req, c, f, name)
	if err != nil {
		return nil, err
	}
	var force bool
	f.bool("force", &force)
	replaced := ""
	mayReplace := func(stored *consent.Consent, unreadable error) (err error) {
		replaced, err = replace(stored, unreadable, p, name, force)
		return err
	}
	// Before Zoho is asked for anything; and again when it is stored.
	if err := b.consents.MayStart(ctx, req.Storage, name, mayReplace); err != nil {
		return nil, err
	}
	var address string
	switch {
	case f.sent("add_scopes"):
		address, err = b.beginScopes(ctx, req.Storage, c, name, f, p)
	case p.Flow == consent.Device:
		err = b.beginDevice(ctx, c, dc, f, p)
	case p.Flow == consent.Code, p.Flow == consent.Organization:
		address, err = beginCode(c, dc, p)
	default:
		err = refuse("unknown flow %q; use code, device or organization", shorten(p.Flow))
	}
	if err != nil {
		return nil, err
	}
	if err := b.storeConsent(ctx, req.Storage, c, name, p, mayReplace); err != nil {
		return nil, err
	}
	b.Logger().Info("consent started", "credential", name, "flow", p.Flow, "data_center", p.DataCenter, "expire_time", stamp(p.Expires))
	return b.startedAnswer(ctx, req, c, p, name, address, replaced), nil
}

// storeConsent stores a consent, while config names its client, and under the lock of the
// name: a grant that answers the consent whose place it takes is not stored any more.
func (b *backend) storeConsent(ctx context.Context, s logical.Storage, c *client, name string, p *consent.Consent, mayReplace func(*consent.Consent, error) error) error {
	return b.whileInForce(ctx, connectRequest{name: name, client: c, storage: s}, func() error {
		return b.credentials.Still(name, func() error {
			return b.consents.Start(ctx, s, name, p, mayReplace)
		})
	})
}

// readConsentRequest reads what a consent asks for, and where it starts.
func readConsentRequest(req *logical.Request, c *client, f *fields, name string) (*consent.Consent, zoho.DataCenter, error) {
	p := &consent.Consent{
		ClientID: c.ClientID, Flow: consent.Code, RedirectURI: c.redirectURI(req.MountPoint), Scopes: c.Scopes, DataCenter: c.DataCenter,
		State: c.states.seal(name), Started: time.Now().UTC().Truncate(time.Second),
	}
	p.Starter, p.StartedBy = caller(req)
	f.text("flow", &p.Flow)
	f.text("redirect_uri", &p.RedirectURI)
	f.scopes("scopes", &p.Scopes)
	if f.text("data_center", &p.DataCenter); p.DataCenter == "" {
		p.DataCenter = c.DataCenter
	}
	if f.err != nil {
		return nil, zoho.DataCenter{}, f.err
	}
	if err := readLink(p, c, f, req.MountPoint); err != nil {
		return nil, zoho.DataCenter{}, err
	}
	dc, err := c.dataCenter(p.DataCenter)
	if err != nil {
		return nil, dc, err
	}
	p.DataCenter = dc.Name
	if c.secret(dc.Name) == "" {
		return nil, dc, noSecret(dc, name)
	}
	return p, dc, nil
}

// startedAnswer is the answer to the caller that started a consent.
func (b *backend) startedAnswer(ctx context.Context, req *logical.Request, c *client, p *consent.Consent, name, address, replaced string) *logical.Response {
	answer := map[string]any{
		"expire_time": stamp(p.Expires), "flow": p.Flow, "data_center": p.DataCenter, "scopes": p.Scopes, "state": p.Handle(),
	}
	resp := &logical.Response{Data: answer}
	if p.Flow == consent.Device {
		answer["user_code"], answer["verification_url"], answer["interval"] = p.UserCode, p.VerificationURL, seconds(p.Interval)
	} else {
		how, warning := completedBy(p.RedirectURI, req.MountPoint)
		answer["authorization_url"], answer["redirect_uri"], answer["completes"] = address, p.RedirectURI, how
		if warning != "" {
			resp.AddWarning(warning)
		}
	}
	if c.MaxAge == 0 && p.Flow != consent.Scopes {
		answer["advice"] = shareAdvice(req.MountPoint, name)
	}
	if p.Flow == consent.Organization && !strings.HasPrefix(c.ClientID, organizationClientPrefix) {
		resp.AddWarning(ordinaryClient(c, p.DataCenter))
	}
	if replaced != "" {
		resp.AddWarning(replaced)
	}
	if warning := b.quotaBefore(ctx, req.Storage, c, name); warning != "" && p.Flow != consent.Scopes {
		resp.AddWarning(warning)
	}
	return resp
}

// withdrawalAsked reports whether a write asks to withdraw a consent, and refuses a write that
// also asks for something else.
func withdrawalAsked(f *fields) (asked bool, err error) {
	f.bool("withdraw", &asked)
	switch {
	case !asked && f.sent("if_state"):
		return false, refuse("if_state goes with withdraw=true; add that to withdraw the consent with this state, or leave if_state out to start a consent")
	case !asked:
		return false, nil
	case !f.sent("if_state"):
		return true, refuse("withdraw=true needs if_state, the state of the consent to withdraw; to withdraw the consent that waits, whichever it is, delete this path")
	case !f.given("if_state"):
		return true, refuse("if_state is empty; name the state of the consent to withdraw")
	}
	return true, f.only("withdrawal", "withdraw", "if_state")
}

// withdrawState withdraws the consent that has a state, and no other. It is a write: the
// parameters of a DELETE are part of its address, which Vault's audit log keeps in plain text.
func (b *backend) withdrawState(ctx context.Context, req *logical.Request, data *framework.FieldData, name string) error {
	f := newFields(req, data)
	var state string
	if f.text("if_state", &state); f.err != nil {
		return f.err
	}
	return unreadableConsent(name, b.withdrawConsent(ctx, req.Storage, name, state))
}

// withdraw withdraws the consent that waits, whichever it is.
func (b *backend) withdraw(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	if err := validName(name); err != nil {
		return nil, err
	}
	f := &fields{FieldData: data}
	if f.sent("if_state") {
		return nil, refuse("if_state does not go with a delete, because the address of a request stays in Vault's audit log; write withdraw=true and if_state to authorize/%s", name)
	}
	if err := f.only("delete"); err != nil {
		return nil, err
	}
	return nil, b.withdrawConsent(ctx, req.Storage, name, "")
}

// withdrawConsent deletes a consent that waits or is in progress, the one with a state if a
// state is given. The state is compared under the lock of the consent.
func (b *backend) withdrawConsent(ctx context.Context, s logical.Storage, name, state string) error {
	return b.credentials.Still(name, func() error {
		return b.consents.Withdraw(ctx, s, name, state, func(c *consent.Consent) error {
			if k, err := b.credentials.Stored(ctx, s, name); err == nil && k != nil && k.Consent == c.ID {
				return refuse("the consent for %q was completed before it could be withdrawn: the credential is connected; delete creds/%s to end it", name, name)
			}
			return nil
		})
	})
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
	if p.Flow == consent.Organization {
		if err := oneService(p.Scopes); err != nil {
			return "", err
		}
		return c.at(dc).OrganizationURL(p.RedirectURI, p.State, string(p.Verifier), p.SOID, p.Scopes), nil
	}
	return c.at(dc).AuthorizationURL(p.RedirectURI, p.State, string(p.Verifier), p.Scopes), nil
}

// commonServices go with the scopes of any one service in a consent of an organization.
// Zoho, "instance-level".
var commonServices = []string{"ZohoContacts", "ZohoProfile", "ZohoFiles", "AaaServer"}

// oneService refuses scopes that Zoho refuses with only the text "Invalid OAuth Scope".
func oneService(scopes []string) error {
	first := ""
	for _, scope := range scopes {
		service, _, _ := strings.Cut(scope, ".")
		same := func(other string) bool { return strings.EqualFold(other, service) } // as Zoho compares scopes
		if slices.ContainsFunc(commonServices, same) || first != "" && same(first) {
			continue
		}
		if first != "" {
			return refuse("an organization consents to the scopes of one Zoho service at a time, and these are of %s and %s; connect one credential for each (%s may go with any)", shorten(first), shorten(service), strings.Join(commonServices, ", "))
		}
		first = service
	}
	return nil
}

// organizationClientPrefix is what the ids of organization clients begin with, as ten
// public sources show. Zoho does not document it.
const organizationClientPrefix = "1005."

// ordinaryClient warns of a client that is no organization client. Zoho refused one on 2026-10-08.
func ordinaryClient(c *client, dataCenter string) string {
	console := "the API console of the data center"
	if dc, found := c.table.ByName(dataCenter); found && dc.ConsoleURL != "" {
		console = dc.ConsoleURL
	}
	return "client_id in config does not begin with \"" + organizationClientPrefix + "\", as the ids of organization clients do. Zoho refuses other clients for flow=organization with the page \"Invalid Client\". " +
		"Register an organization client at " + console + "/add?client_type=ORG, and configure it on a mount of its own"
}

func errNoScopes() error {
	return refuse("scopes are missing; name some such as ZohoCRM.modules.ALL, here or in config")
}

func errNoRedirect() error {
	return refuse("redirect_uri is missing; name one that is registered in Zoho's API console, here or in config (a self client has none: make its code in the console and write it to creds/<name>)")
}
