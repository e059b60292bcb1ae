// How is a write to creds/<name> carried out? As a connection or as a change of
// settings.

package backend

import (
	"context"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
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
	if f.sent("revoke") {
		return nil, refuse("revoke belongs to a delete; leave it out")
	}
	if f.sent("rejected") {
		return nil, refuse("rejected belongs to a read (GET with ?rejected=<token_id>); leave it out")
	}
	w := connectRequest{name: name, client: c, storage: req.Storage, mountPoint: req.MountPoint}
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
		if f.err == nil && s.MinTTL != nil && *s.MinTTL > c.MaxTokenLifetime-leastUse {
			return tooLong(c.MaxTokenLifetime)
		}
		return f.err
	}
	// Tried on a copy first: a code must not be spent for settings that are refused.
	var tried settings
	if k, err := b.memory.credential(ctx, req.Storage, name); err == nil {
		tried = k.settings
	} else if !isAbsent(err) {
		return nil, err
	}
	if err := change(&tried); err != nil {
		return nil, err
	}
	w.change = change
	var k *known
	var warnings []string
	switch source {
	case grantRefresh, grantClient:
		k, warnings, err = b.bring(ctx, w, source)
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

func (b *backend) changeSettings(ctx context.Context, w connectRequest) (*known, error) {
	return b.credentials.change(ctx, w.storage, w.name, func(old *known) (*credential, error) {
		if old == nil {
			return nil, refuse("credential %q is not connected yet, and this write names no source of a grant; give callback_url, code or refresh_token (start with authorize/%s)", w.name, w.name)
		}
		next := old.credential
		return &next, w.change(&next.settings)
	})
}
