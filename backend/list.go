// Which credentials are there? Names with information, bounded for large mounts.

package backend

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/parallel"
	"vault-plugin-secrets-zoho/backend/internal/store"
)

func (b *backend) pathCredsList() *framework.Path {
	return credsListPath("creds/?", "credentials", b.listCreds, "The credentials of this mount.",
		"Names with data center, grant type and scopes; never a secret. Details are in status/<name>.")
}

func (b *backend) pathStatusList() *framework.Path {
	return credsListPath("status/?", "statuses", b.listCreds, "The credentials of this mount, for whoever may read status only.",
		"The same list as at creds.")
}

func credsListPath(pattern, suffix string, list framework.OperationFunc, synopsis, description string) *framework.Path {
	return listPath(pattern, suffix, &framework.PathOperation{
		Callback: list, Summary: "List credentials.",
		Responses: listResponses("The credentials, with state, data center and scopes of each."),
	}, synopsis, description)
}

// listPath is the path of a list that is answered in pages.
func listPath(pattern, suffix string, list *framework.PathOperation, synopsis, description string) *framework.Path {
	return &framework.Path{
		Pattern:         pattern,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: "zoho", OperationSuffix: suffix},
		Fields:          pageFields(),
		Operations:      map[logical.Operation]framework.OperationHandler{logical.ListOperation: list},
		HelpSynopsis:    synopsis,
		HelpDescription: description,
	}
}

// pageFields are the parameters of a list.
func pageFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"after": {Type: framework.TypeString, Query: true, Description: "List the names that come after this one. Give the last name of the page before."},
		"limit": {Type: framework.TypeInt, Query: true, Description: "How many names to list; 0, or left out: all."},
	}
}

const (
	// maxListed bounds for how many credentials a list reads details.
	maxListed = 1000
	// listers is how many are read at once: a read takes most of a millisecond, the way to
	// Vault's storage and back.
	listers = 16
)

func (b *backend) listCreds(ctx context.Context, req *logical.Request, data *framework.FieldData) (*logical.Response, error) {
	names, err := req.Storage.List(ctx, credsPrefix)
	if err != nil {
		return nil, err
	}
	return b.page(names, data, func(name string) (map[string]any, error) {
		// Read past the cache: a list must not push out what is in use.
		k := &known{name: name}
		c := &k.Credential
		if err := store.Get(ctx, req.Storage, credsPrefix+name, c); err != nil {
			return nil, err
		}
		return map[string]any{
			"state":       b.stateOf(ctx, req.Storage, k),
			"data_center": c.DataCenter, "grant_type": c.GrantType,
			"requested_scopes": list(c.Requested), "granted_scopes": list(c.Granted), "created_time": stamp(c.Created),
			"disabled": c.Disabled, "custom_metadata": pairs(c.CustomMetadata),
		}, nil
	})
}

// page answers one page of a list, with details of each name.
func (b *backend) page(names []string, data *framework.FieldData, describe func(name string) (map[string]any, error)) (*logical.Response, error) {
	limit, err := pageLimit(data, "names")
	if err != nil {
		return nil, err
	}
	names = pageOf(names, data.Get("after").(string), limit)
	info := make(map[string]any, min(len(names), maxListed))
	var mu sync.Mutex
	failed := parallel.Each(names[:min(len(names), maxListed)], listers, func(name string) error {
		details, err := describe(name)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		info[name] = details
		return nil
	})
	for name, err := range failed {
		b.Logger().Warn("an entry cannot be listed", "credential", name, "error", err)
		info[name] = map[string]any{"error": "not readable; see Vault's log"}
	}
	return listAnswer(names, info, "names"), nil
}

// pageLimit returns how many of the keys, which are names or ids, a page has at most; 0: all.
func pageLimit(data *framework.FieldData, keys string) (int, error) {
	limit := data.Get("limit").(int)
	if limit < 0 {
		return 0, refuse("limit must not be negative; leave it out for all %s", keys)
	}
	return limit, nil
}

// listAnswer is the answer to a list of names or ids, as kind says.
func listAnswer(keys []string, info map[string]any, kind string) *logical.Response {
	resp := logical.ListResponseWithInfo(keys, info)
	if len(keys) > maxListed {
		resp.AddWarning("details are shown for the first 1000 " + kind + " only; list pages with limit and after, or read the others one by one")
	}
	return resp
}

// pageOf returns the names that come after one of them, so many at most.
func pageOf(names []string, after string, limit int) []string {
	slices.Sort(names)
	first, found := slices.BinarySearch(names, after)
	if found {
		first++
	}
	names = names[first:]
	if limit > 0 && limit < len(names) {
		names = names[:limit]
	}
	return names
}

// stateOf is a credential's state in a list, "" if it can't be told.
func (b *backend) stateOf(ctx context.Context, s logical.Storage, k *known) string {
	c, err := b.memory.config(ctx, s)
	if err != nil {
		return ""
	}
	if k.Disabled {
		return stateDisabled
	}
	d, err := k.derive(c)
	if err != nil {
		return stateNeedsConsent
	}
	state, err := b.keeper.Look(ctx, b.account(d, s))
	if err != nil {
		return ""
	}
	return health(state, time.Now())
}
