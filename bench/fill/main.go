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
	"strconv"
	"strings"

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
				Fields:  map[string]*framework.FieldSchema{"template": {Type: framework.TypeString}, "from": {Type: framework.TypeInt}, "to": {Type: framework.TypeInt}},
				Operations: map[logical.Operation]framework.OperationHandler{
					logical.UpdateOperation: &framework.PathOperation{Callback: func(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
						return nil, fill(ctx, req.Storage, d.Get("template").(string), d.Get("from").(int), d.Get("to").(int))
					}},
				},
			}},
		}
		return b, b.Setup(ctx, conf)
	})
}

// fill copies a credential, which has one token that lives. Each copy has a refresh token
// and an access token of its own.
func fill(ctx context.Context, s logical.Storage, template string, from, to int) error {
	var credential map[string]any
	if err := load(ctx, s, "creds/"+template, &credential); err != nil {
		return err
	}
	id := func(refreshToken string) string {
		return zoho.Fingerprint(credential["accounts_url"].(string), credential["client_id"].(string), refreshToken)
	}
	own := credential["refresh_token"].(string)
	var record struct {
		Tokens []struct {
			AccessToken string `json:"access_token"`
		} `json:"tokens"`
	}
	if err := load(ctx, s, "token/"+id(own), &record); err != nil {
		return err
	}
	if len(record.Tokens) != 1 {
		return fmt.Errorf("credential %s has %d access tokens, not one", template, len(record.Tokens))
	}
	entry, err := s.Get(ctx, "token/"+id(own))
	if err != nil {
		return err
	}
	access := record.Tokens[0].AccessToken
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(128) // what raft writes at once
	for i := from; i < to; i++ {
		group.Go(func() error {
			copied := maps.Clone(credential)
			// The same for each template, so that copies are replaced and not added.
			refreshToken := fmt.Sprintf("1000.copy.%d", i)
			copied["refresh_token"] = refreshToken
			name := constant.Copy(i)
			text := strings.NewReplacer(
				strconv.Quote(access), strconv.Quote(fmt.Sprintf("%s.%d", access, i)), strconv.Quote(template), strconv.Quote(name),
			).Replace(string(entry.Value))
			return errors.Join(
				store(ctx, s, "token/"+id(refreshToken), json.RawMessage(text)),
				store(ctx, s, "creds/"+name, copied))
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
