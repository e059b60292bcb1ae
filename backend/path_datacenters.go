// Which data centres does this mount know? The paths datacenters.

package backend

import (
	"context"
	"net/http"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

func dataCenterInfo(dc zoho.DataCenter) map[string]any {
	return map[string]any{
		"title": dc.Title, "accounts_server": dc.AccountsURL, "api_domain": dc.APIDomain, "console": dc.ConsoleURL,
	}
}

// servicesIn is where services are reached, and how that is known.
func servicesIn(dc zoho.DataCenter) (addresses, sources map[string]any) {
	addresses, sources = map[string]any{}, map[string]any{}
	for _, service := range dc.Services() {
		addresses[service.Name], sources[service.Name] = service.URL, service.Source
	}
	return addresses, sources
}

// table is the one in force: the built-in one until there is a config.
func table(ctx context.Context, m *memory, s logical.Storage) (zoho.Table, error) {
	entry, err := s.Get(ctx, configKey)
	if err != nil {
		return zoho.Table{}, err
	}
	if entry == nil {
		return zoho.NewTable(nil)
	}
	c, err := m.config(ctx, s)
	if err != nil {
		return zoho.Table{}, err
	}
	return c.table, nil
}

func pathDataCentersList(m *memory) *framework.Path {
	return &framework.Path{
		Pattern:      "datacenters/?",
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: "zoho", OperationSuffix: "data-centers"},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: &framework.PathOperation{
				Summary:   "List the data centers in force.",
				Responses: listResponses("The data centers, with accounts server, API domain and console of each."),
				Callback: func(ctx context.Context, req *logical.Request, _ *framework.FieldData) (*logical.Response, error) {
					t, err := table(ctx, m, req.Storage)
					if err != nil {
						return nil, err
					}
					var names []string
					info := map[string]any{}
					for _, dc := range t.All() {
						names = append(names, dc.Name)
						info[dc.Name] = dataCenterInfo(dc)
					}
					return logical.ListResponseWithInfo(names, info), nil
				},
			},
		},
		HelpSynopsis:    "The data centers that this mount knows.",
		HelpDescription: "The built-in table, with what accounts_urls in config adds or overrides.",
	}
}

func pathDataCenters(m *memory) *framework.Path {
	return &framework.Path{
		Pattern:      "datacenters" + nameRegex,
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: "zoho", OperationSuffix: "data-center"},
		Fields:       map[string]*framework.FieldSchema{"name": nameField("Name of the data center, such as eu.")},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Summary: "Show one data center.",
				Responses: map[int][]framework.Response{http.StatusOK: {{Description: "The data center.", Fields: map[string]*framework.FieldSchema{
					"title":           {Type: framework.TypeString, Description: "Country or region."},
					"accounts_server": {Type: framework.TypeString, Description: "Where consents and tokens come from."},
					"api_domain":      {Type: framework.TypeString, Description: "General API gateway; some products have hosts of their own."},
					"console":         {Type: framework.TypeString, Description: "Where OAuth clients are registered."},
					"services":        {Type: framework.TypeMap, Description: "Where the APIs of services are, by name, as far as that is known; the others are not missing, but not known."},
					"sources":         {Type: framework.TypeMap, Description: "Where that stands."},
				}}}},
				Callback: func(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
					t, err := table(ctx, m, req.Storage)
					if err != nil {
						return nil, err
					}
					name := d.Get("name").(string)
					dc, found := t.ByName(name)
					if !found {
						return nil, absent("no data center named %q; there are %s, and accounts_urls in config can add more", shorten(name), t.Names())
					}
					info := dataCenterInfo(dc)
					info["services"], info["sources"] = servicesIn(dc)
					return &logical.Response{Data: info}, nil
				},
			},
		},
		HelpSynopsis:    "One data center that this mount knows.",
		HelpDescription: "Its accounts server, API domain and console, and where the APIs of services are, as far as that is known.",
	}
}

func listResponses(description string) map[int][]framework.Response {
	return map[int][]framework.Response{http.StatusOK: {{Description: description, Fields: listFields()}}}
}

// listFields is the answer to a list.
func listFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"keys":     {Type: framework.TypeStringSlice, Description: "Names."},
		"key_info": {Type: framework.TypeMap, Description: "What is known of each, by name."},
	}
}
