// How much is going on? Counters of this mount since the plugin started, for a
// dashboard: what is read, what is saved, what goes wrong. How things stand is in gauges.go.

package backend

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

// metrics counts; it costs a read one atomic addition or two.
type metrics struct {
	reads, warmHits, sharedFlights, mints  atomic.Int64
	throttles, refusals, failures, storage atomic.Int64
	connected, deleted                     atomic.Int64
}

// counter is one metric as both forms show it.
type counter struct {
	name, help string
	value      *atomic.Int64
}

func (m *metrics) counters() []counter {
	return []counter{
		{"reads", "Reads of credentials.", &m.reads},
		{"warm_hits", "Reads that were answered with a token at hand.", &m.warmHits},
		{"shared_flights", "Reads that waited for a mint that another read had started.", &m.sharedFlights},
		{"mints", "Access tokens that Zoho minted on refresh.", &m.mints},
		{"throttles", "Calls that Zoho throttled.", &m.throttles},
		{"refusals", "Calls that Zoho refused.", &m.refusals},
		{"failures", "Calls without a usable answer from Zoho.", &m.failures},
		{"storage_failures", "Writes to storage that failed around a mint.", &m.storage},
		{"connected", "Credentials connected.", &m.connected},
		{"deleted", "Credentials deleted.", &m.deleted},
	}
}

// count counts what the keeper tells.
func (m *metrics) count(e zoho.Event) {
	failure := zoho.AsError(e.Err)
	switch {
	case e.Outage > 0:
	case e.Err == nil:
		m.mints.Add(1)
	case failure == nil:
		m.storage.Add(1)
	case failure.Kind == zoho.Throttled:
		m.throttles.Add(1)
	case failure.Kind == zoho.Refused:
		m.refusals.Add(1)
	default:
		m.failures.Add(1)
	}
}

// served counts a read that got a token.
func (m *metrics) served(s zoho.Served) {
	switch {
	case s.Warm:
		m.warmHits.Add(1)
	case s.Shared:
		m.sharedFlights.Add(1)
	}
}

func (b *backend) pathMetrics() *framework.Path {
	m := &b.metrics
	fields := map[string]*framework.FieldSchema{
		"credentials":               {Type: framework.TypeMap, Description: "Credentials by data center and state, of those that were used on this node since the plugin started, 10000 at most."},
		"shared_mint_limit":         {Type: framework.TypeMap, Description: "1 for each data center where all credentials of the client share one mint limit."},
		"shared_mint_limit_waiting": {Type: framework.TypeMap, Description: "How many credentials wait for their turn there."},
		"retired_grants":            {Type: framework.TypeInt, Description: "Grants that nobody holds any more and that are still to be revoked at Zoho, as of a minute ago."},
		"retired_oldest_seconds":    {Type: framework.TypeInt64, Description: "How long the first of them has waited; access tokens keep it waiting for an hour."},
	}
	for _, c := range m.counters() {
		fields[c.name] = &framework.FieldSchema{Type: framework.TypeInt64, Description: c.help}
	}
	return &framework.Path{
		Pattern:      "metrics",
		DisplayAttrs: &framework.DisplayAttributes{OperationPrefix: "zoho", OperationSuffix: "metrics"},
		Fields: map[string]*framework.FieldSchema{
			"format": {Type: framework.TypeString, Default: "json", Query: true, AllowedValues: []any{"json", "prometheus"}, Description: "json, or prometheus for its text format."},
		},
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Summary:   "Show the counters of this mount, and how its credentials are doing.",
				Responses: map[int][]framework.Response{http.StatusOK: {{Description: "Counters since the plugin started on this node, and gauges.", Fields: fields}}},
				Callback: func(_ context.Context, _ *logical.Request, d *framework.FieldData) (*logical.Response, error) {
					switch format := d.Get("format").(string); format {
					case "json":
						data := b.gauges(time.Now()).data()
						for _, c := range m.counters() {
							data[c.name] = c.value.Load()
						}
						return &logical.Response{Data: data}, nil
					case "prometheus":
						return b.prometheus(), nil
					default:
						return nil, refuse("unknown format %q; use json or prometheus", shorten(format))
					}
				},
			},
		},
		HelpSynopsis: "Counters of this mount, and how its credentials are doing.",
		HelpDescription: `
Counters are kept in memory since the plugin started on this node; they begin at zero
after a restart, as Prometheus counters may. Credentials are counted by state and data
center, of those that were used on this node since then; no storage is read for that.
Ask with format=prometheus for its text format.`,
	}
}

// prometheus writes all of it in Prometheus's text format, version 0.0.4.
func (b *backend) prometheus() *logical.Response {
	var text strings.Builder
	for _, c := range b.metrics.counters() {
		fmt.Fprintf(&text, "# HELP vault_zoho_%s_total %s\n# TYPE vault_zoho_%[1]s_total counter\nvault_zoho_%[1]s_total %[3]d\n", c.name, c.help, c.value.Load())
	}
	b.gauges(time.Now()).write(&text)
	return &logical.Response{Data: map[string]any{
		logical.HTTPContentType: "text/plain; version=0.0.4",
		logical.HTTPRawBody:     text.String(),
		logical.HTTPStatusCode:  http.StatusOK,
	}}
}
