// path_authorize_read.go: the stored consents, with their status and result, for callers
// that start them. A policy for authorize is enough. The answers hold no secret and no OAuth
// state. After wrong_account, result_detail names the account that consented.

package backend

import (
	"context"
	"maps"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/store"
)

func consentFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"state":                {Type: framework.TypeString, Description: "waiting, in_progress (its code is being exchanged), connected, declined, failed, expired, superseded (the credential was connected without it), or unreadable (stored by a newer release, or damaged)."},
		"flow":                 {Type: framework.TypeString, Description: "How the person consents: code, device, organization, or scopes for more scopes."},
		"scopes":               {Type: framework.TypeStringSlice, Description: "The scopes that are asked for."},
		"soid":                 {Type: framework.TypeString, Description: "The organization that is asked to consent, if one was named."},
		"data_center":          {Type: framework.TypeString, Description: "Data center at which the consent starts."},
		"expected_user":        {Type: framework.TypeString, Description: "The account that must consent, if one is expected."},
		"expected_data_center": {Type: framework.TypeString, Description: "The data center that the account must be in, if one is expected."},
		"started_by":           {Type: framework.TypeString, Description: "Display name of the caller that started the consent."},
		"started_time":         {Type: framework.TypeTime, Description: "When the consent was started."},
		"expire_time":          {Type: framework.TypeTime, Description: "Time until which the consent can be completed."},
		"result":               {Type: framework.TypeString, Description: "Result of the last attempt to complete the consent: connected, declined, failed or wrong_account. Empty if there was no attempt."},
		"result_time":          {Type: framework.TypeTime, Description: "When the last attempt to complete the consent ended."},
		"result_detail":        {Type: framework.TypeString, Description: "Why the last attempt did not connect the credential, and what to do next."},
		"zoho_error":           {Type: framework.TypeString, Description: "The error word that Zoho sent in the redirect instead of a code, such as access_denied or no_org."},
		"granted_scopes":       {Type: framework.TypeStringSlice, Description: "Scopes that Zoho granted, if its answer listed them."},
		"refused_scopes":       {Type: framework.TypeStringSlice, Description: "Scopes that were asked for and not granted."},
	}
}

// describeConsent is what a caller may see of a consent.
func describeConsent(c *consent.Consent, now time.Time) map[string]any {
	data := map[string]any{
		"state": c.Status(now), "flow": c.Flow, "scopes": list(c.Scopes), "soid": c.SOID, "data_center": c.DataCenter,
		"expected_user": c.ExpectedUser, "expected_data_center": c.ExpectedDataCenter,
		"started_by": c.StartedBy, "started_time": stamp(c.Started), "expire_time": stamp(c.Expires),
	}
	maps.Copy(data, describeResult(c, now))
	return data
}

// describeResult is the result of the last attempt to complete a consent.
func describeResult(c *consent.Consent, now time.Time) map[string]any {
	o := c.Outcome
	switch {
	case o != nil:
	case c.InProgress() && c.Status(now) != consent.InProgress:
		o = &consent.Outcome{Result: consent.Failed, At: c.SpentAt, Detail: "Vault was interrupted while the code was exchanged, so nothing was connected; start the consent again"}
	default:
		return map[string]any{"result": ""}
	}
	data := map[string]any{"result": string(o.Result), "result_detail": firstOf(o.Public, o.Detail)}
	if !o.At.IsZero() {
		data["result_time"] = stamp(o.At)
	}
	if o.Word != "" {
		data["zoho_error"] = o.Word
	}
	if o.Result == consent.Connected {
		data["granted_scopes"], data["refused_scopes"] = list(o.Granted), list(o.Refused)
	}
	return data
}

// unreadable is what is shown of a stored consent that cannot be read.
func unreadable(name string, err error) map[string]any {
	return map[string]any{"state": "unreadable", "result": "", "result_detail": unreadableConsent(name, err).Error()}
}

func (b *backend) readConsent(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	name := data.Get("name").(string)
	if err := validName(name); err != nil {
		return nil, err
	}
	if err := (&fields{FieldData: data}).only("read"); err != nil {
		return nil, err
	}
	c, err := b.consents.Get(ctx, req.Storage, name)
	switch {
	case store.Unreadable(err):
		return &logical.Response{Data: unreadable(name, err)}, nil
	case err != nil:
		return nil, err
	case c == nil:
		return nil, absent("no consent for %q is stored; start one with a write to authorize/%s", name, name)
	}
	return &logical.Response{Data: describeConsent(c, time.Now())}, nil
}

func (b *backend) pathAuthorizeList() *framework.Path {
	return listPath("authorize/?", "consents", &framework.PathOperation{
		Callback: b.listConsents, Summary: "List consents.",
		Responses: listResponses("The names that have a consent, with the state and the result of each."),
	}, "List the consents of this mount, with the state and result of each.",
		"A consent is listed for seven days after it ended or expired. Read authorize/<name> for one consent.")
}

func (b *backend) listConsents(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	names, err := b.consents.List(ctx, req.Storage)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return b.page(names, data, func(name string) (map[string]any, error) {
		c, err := b.consents.Get(ctx, req.Storage, name)
		switch {
		case store.Unreadable(err):
			return unreadable(name, err), nil
		case err != nil:
			return nil, err
		case c == nil:
			return map[string]any{"state": "", "result": ""}, nil // it ended meanwhile
		}
		return describeConsent(c, now), nil
	})
}
