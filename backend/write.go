// write.go: a write to creds/<name> connects the credential or changes its settings.

package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/credential"
)

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
	if err := checkOperation(req.Operation, f); err != nil {
		return nil, err
	}
	w := connectRequest{name: name, client: c, storage: req.Storage, mountPoint: req.MountPoint, create: req.Operation == logical.CreateOperation}
	source, err := w.read(f)
	if err != nil {
		return nil, err
	}
	w.change = func(s *credential.Settings) error { return changeSettings(s, f, c) }
	// Tried on a copy first: a code must not be spent for settings that are refused.
	var tried credential.Settings
	if k, err := b.memory.credential(ctx, req.Storage, name); err == nil {
		tried = k.Settings
	} else if !isAbsent(err) {
		return nil, err
	}
	if err := w.change(&tried); err != nil {
		return nil, err
	}
	var k *known
	var warnings []string
	switch source {
	case credential.GrantRefresh, credential.GrantClient:
		k, warnings, err = b.importGrant(ctx, w, source)
	case "code":
		k, warnings, err = b.connect(ctx, w)
	default:
		k, err = b.storeSettings(ctx, w)
	}
	if err != nil {
		return nil, err
	}
	d, err := k.derive(c)
	if err != nil {
		// Stored all the same; config no longer fits it.
		d = k.stranded(c)
		warnings = append(warnings, err.Error())
	}
	if source != "" {
		if warning := b.quotaAfter(ctx, req.Storage, name); warning != "" {
			warnings = append(warnings, warning)
		}
	}
	return &logical.Response{Data: connectedData(k, d), Warnings: warnings}, nil
}

// checkOperation refuses fields that belong to another operation.
func checkOperation(op logical.Operation, f *fields) error {
	switch {
	case f.sent("revoke"):
		return refuse("revoke belongs to a delete; leave it out")
	case f.sent("rejected"):
		return refuse("rejected belongs to a read (GET with ?rejected=<token_id>); leave it out")
	case op == logical.PatchOperation:
		// The patch capability changes settings. Connecting needs create or update.
		return f.only("patch", "max_age", "min_ttl", "leased", "disabled", "custom_metadata")
	}
	return nil
}

// changeSettings sets what was sent.
func changeSettings(s *credential.Settings, f *fields, c *client) error {
	f.ownDuration("max_age", &s.MaxAge)
	f.ownDuration("min_ttl", &s.MinTTL)
	f.bool("leased", &s.Leased)
	f.bool("disabled", &s.Disabled)
	if f.pairs("custom_metadata", &s.CustomMetadata); f.err == nil && f.given("custom_metadata") {
		f.err = checkMetadata(s.CustomMetadata)
	}
	if f.err == nil && f.given("min_ttl") && *s.MinTTL > c.MaxTokenLifetime-leastUse {
		return tooLong(c.MaxTokenLifetime)
	}
	return f.err
}

func (b *backend) storeSettings(ctx context.Context, w connectRequest) (*known, error) {
	changed, err := b.credentials.Change(ctx, w.storage, w.name, w.change,
		refuse("credential %q is not connected yet, and this write names no source of a grant; give callback_url, code or refresh_token (start with authorize/%s)", w.name, w.name))
	if err != nil {
		return nil, err
	}
	return newKnown(w.name, changed), nil
}
