// Command fill is a plugin that takes the engine's place for a while and writes copies
// of a credential into its storage, each with a grant of its own: to connect as many
// would take hours, and to write them through Vault's API most of one.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"golang.org/x/sync/errgroup"

	"vault-plugin-secrets-zoho/bench/constant"
	"vault-plugin-secrets-zoho/bench/serve"
	"vault-plugin-secrets-zoho/zoho"
)

func main() {
	serve.Plugin("fill", func(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
		b := &framework.Backend{
			BackendType: logical.TypeLogical,
			Paths: []*framework.Path{{
				Pattern: "fill",
				Fields:  map[string]*framework.FieldSchema{"from": {Type: framework.TypeInt}, "to": {Type: framework.TypeInt}},
				Operations: map[logical.Operation]framework.OperationHandler{
					logical.UpdateOperation: &framework.PathOperation{Callback: func(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
						return nil, fill(ctx, req.Storage, d.Get("from").(int), d.Get("to").(int))
					}},
				},
			}},
		}
		return b, b.Setup(ctx, conf)
	})
}

// fill copies the credential template, which has one token that lives.
func fill(ctx context.Context, s logical.Storage, from, to int) error {
	var credential map[string]any
	if err := load(ctx, s, "creds/template", &credential); err != nil {
		return err
	}
	id := func(refreshToken string) string {
		return zoho.Fingerprint(credential["accounts_url"].(string), credential["client_id"].(string), refreshToken)
	}
	own := credential["refresh_token"].(string)
	var record json.RawMessage
	if err := load(ctx, s, "token/"+id(own), &record); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(128) // what raft writes at once
	for i := from; i < to; i++ {
		group.Go(func() error {
			copied := maps.Clone(credential)
			refreshToken := fmt.Sprintf("%s.%d", own, i)
			copied["refresh_token"] = refreshToken
			return errors.Join(
				store(ctx, s, "token/"+id(refreshToken), record),
				store(ctx, s, "creds/"+constant.Copy(i), copied))
		})
	}
	return group.Wait()
}

func load(ctx context.Context, s logical.Storage, key string, into any) error {
	entry, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	if entry == nil {
		return fmt.Errorf("nothing is stored at %s", key)
	}
	return entry.DecodeJSON(into)
}

func store(ctx context.Context, s logical.Storage, key string, value any) error {
	entry, err := logical.StorageEntryJSON(key, value)
	if err != nil {
		return err
	}
	return s.Put(ctx, entry)
}
