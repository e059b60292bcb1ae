// Command yardstick is what an engine is measured against: plugins that do nearly
// nothing. Its argument says which one it is: floor, small, framework or storage.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/bench/constant"
	"vault-plugin-secrets-zoho/bench/serve"
)

func main() {
	which := "floor"
	if len(os.Args) > 1 {
		which = os.Args[1]
	}
	serve.Plugin(which, func(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
		b, err := newBackend(which)
		if err != nil {
			return nil, err
		}
		return b, b.Setup(ctx, conf)
	})
}

// newBackend returns one of the yardsticks. All answer creds/app.
func newBackend(which string) (logical.Backend, error) {
	switch which {
	case "floor", "small":
		answer := constant.Answer()
		if which == "small" {
			answer = map[string]any{"access_token": answer["access_token"], "ttl": answer["ttl"]}
		}
		return &floor{answer: answer, Backend: routed(func(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
			return nil, fmt.Errorf("a read got past the floor")
		})}, nil
	case "framework":
		return routed(func(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
			return &logical.Response{Data: constant.Answer()}, nil
		}), nil
	case "storage":
		return routed(readStored), nil
	}
	return nil, fmt.Errorf("unknown yardstick %q; name floor, small, framework or storage", which)
}

// floor answers before the framework sees the request, always the same: no plugin
// that is served by the SDK does less.
type floor struct {
	*framework.Backend
	answer map[string]any // encoded and never changed, so that one is enough
}

func (f *floor) HandleRequest(ctx context.Context, req *logical.Request) (*logical.Response, error) {
	if req.Operation == logical.ReadOperation {
		return &logical.Response{Data: f.answer}, nil
	}
	return f.Backend.HandleRequest(ctx, req)
}

// routed answers reads of creds/<name> through the framework.
func routed(read framework.OperationFunc) *framework.Backend {
	return &framework.Backend{
		BackendType: logical.TypeLogical,
		Paths: []*framework.Path{{
			Pattern: "creds/" + framework.GenericNameRegex("name"),
			Fields:  map[string]*framework.FieldSchema{"name": {Type: framework.TypeString}},
			Operations: map[logical.Operation]framework.OperationHandler{
				logical.ReadOperation:   &framework.PathOperation{Callback: read},
				logical.UpdateOperation: &framework.PathOperation{Callback: store},
			},
		}},
	}
}

// readStored answers with what is stored, as most engines begin.
func readStored(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	entry, err := req.Storage.Get(ctx, req.Path)
	if err != nil || entry == nil {
		return nil, err
	}
	resp := &logical.Response{}
	return resp, entry.DecodeJSON(&resp.Data)
}

func store(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
	entry, err := logical.StorageEntryJSON(req.Path, constant.Answer())
	if err != nil {
		return nil, err
	}
	return nil, req.Storage.Put(ctx, entry)
}
