// metrics.go: the path metrics, and the counters of this mount since the plugin started.
// gauges.go has the present state.

package backend

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

// metrics counts; it costs a read one atomic addition or two.
type metrics struct {
	reads, warmHits, sharedFlights, mints atomic.Int64
	storage, connected, deleted           atomic.Int64
	failed                                [len(calls)]failedCalls
}

// failedCalls counts the calls of one kind that Zoho did not grant, by their result.
type failedCalls struct{ throttles, refusals, failures atomic.Int64 }

// Calls that the engine tells apart from the mints of reads.
const (
	callImport zoho.Call = "import"
	callVerify zoho.Call = "verify"
)

// calls are the kinds of calls to Zoho that are counted: the values of the label call.
var calls = [...]zoho.Call{
	zoho.CallMint, zoho.CallExchange, zoho.CallDevice, callImport, zoho.CallScopes, zoho.CallRevoke,
	callVerify, zoho.CallProbe, zoho.CallCheck,
}

// counter is one metric as both forms show it. byCall is its value by kind of call, nil
// without one; then value is nil.
type counter struct {
	name, help string
	value      *atomic.Int64
	byCall     func(*failedCalls) *atomic.Int64
}

func (m *metrics) counters() []counter {
	return []counter{
		{"reads", "Reads of credentials.", &m.reads, nil},
		{"warm_hits", "Reads that were answered with a token at hand.", &m.warmHits, nil},
		{"shared_flights", "Reads that waited for a mint that another read had started.", &m.sharedFlights, nil},
		{"mints", "Access tokens that Zoho minted on refresh.", &m.mints, nil},
		{"throttles", "Calls that Zoho throttled.", nil, func(f *failedCalls) *atomic.Int64 { return &f.throttles }},
		{"refusals", "Calls that Zoho refused.", nil, func(f *failedCalls) *atomic.Int64 { return &f.refusals }},
		{"failures", "Calls without a usable answer from Zoho.", nil, func(f *failedCalls) *atomic.Int64 { return &f.failures }},
		{"storage_failures", "Writes to storage that failed around a mint.", &m.storage, nil},
		{"connected", "Credentials connected.", &m.connected, nil},
		{"deleted", "Credentials deleted.", &m.deleted, nil},
	}
}

// count counts the events of the token manager. Its failed calls are counted by ended.
func (m *metrics) count(e zoho.Event) {
	switch {
	case e.Outage > 0:
	case e.Err == nil:
		m.mints.Add(1)
	case zoho.AsError(e.Err) == nil:
		m.storage.Add(1)
	}
}

// ended counts a call to Zoho that failed. An answer that is part of a normal course is no
// failure: a person has not yet accepted a device code, or Zoho knows the client that was
// tried with a made-up refresh token.
func (m *metrics) ended(call zoho.Call, err error) {
	e, kind := zoho.AsError(err), slices.Index(calls[:], call)
	if e == nil || kind < 0 {
		return
	}
	failed := &m.failed[kind]
	switch {
	case call == zoho.CallDevice && slices.Contains([]string{zoho.DevicePending, zoho.DeviceSlowDown, zoho.DeviceOtherDC}, e.Code):
	case call == callVerify && e.Kind == zoho.Refused && e.About == zoho.AboutGrant:
	case e.Kind == zoho.Throttled:
		failed.throttles.Add(1)
	case e.Kind == zoho.Refused:
		failed.refusals.Add(1)
	default:
		failed.failures.Add(1)
	}
}

// data is the counters as JSON shows them.
func (m *metrics) data() map[string]any {
	data, failed := map[string]any{}, map[string]map[string]int64{}
	for _, call := range calls {
		failed[string(call)] = map[string]int64{}
	}
	for _, c := range m.counters() {
		if c.byCall == nil {
			data[c.name] = c.value.Load()
			continue
		}
		var sum int64
		for kind, call := range calls {
			n := c.byCall(&m.failed[kind]).Load()
			failed[string(call)][c.name] = n
			sum += n
		}
		data[c.name] = sum
	}
	data["failed_calls"] = failed
	return data
}

// write writes the counters in Prometheus's text format. mount is the label of the mount.
func (m *metrics) write(w io.Writer, mount string) {
	for _, c := range m.counters() {
		fmt.Fprintf(w, "# HELP vault_zoho_%s_total %s\n# TYPE vault_zoho_%[1]s_total counter\n", c.name, c.help)
		if c.byCall == nil {
			fmt.Fprintf(w, "vault_zoho_%s_total{%s} %d\n", c.name, mount, c.value.Load())
			continue
		}
		for kind, call := range calls {
			fmt.Fprintf(w, "vault_zoho_%s_total{%s,call=%q} %d\n", c.name, mount, string(call), c.byCall(&m.failed[kind]).Load())
		}
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
		"failed_calls":              {Type: framework.TypeMap, Description: "throttles, refusals and failures by what the call was for: " + callNames() + "."},
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
				Callback:  b.readMetrics,
			},
		},
		HelpSynopsis: "Counters of this mount, and how its credentials are doing.",
		HelpDescription: `
Counters are kept in memory since the plugin started on this node; they begin at zero
after a restart, as Prometheus counters may. Credentials are counted by state and data
center, of those that were used on this node since then.
Ask with format=prometheus for its text format. There each series has the label
mount_point: the path of the mount, with that of its namespace in front.`,
	}
}

func (b *backend) readMetrics(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	format := d.Get("format").(string)
	if format != "json" && format != "prometheus" {
		return nil, refuse("unknown format %q; use json or prometheus", shorten(format))
	}
	gauges := b.gauges(ctx, req.Storage, time.Now())
	if format == "json" {
		data := gauges.data()
		maps.Copy(data, b.metrics.data())
		return &logical.Response{Data: data}, nil
	}
	var text strings.Builder
	mount := mountLabel(req.MountPoint)
	b.metrics.write(&text, mount)
	gauges.write(&text, mount)
	return &logical.Response{Data: map[string]any{
		logical.HTTPContentType: "text/plain; version=0.0.4",
		logical.HTTPRawBody:     text.String(),
		logical.HTTPStatusCode:  http.StatusOK,
	}}, nil
}

// mountLabel is the label that tells the series of one mount from those of others, in
// Prometheus's text format. A request carries the path of the mount after that of its
// namespace, so no two mounts of a Vault have the same. Vault's own metrics use this name.
func mountLabel(point string) string {
	return `mount_point="` + labelEscapes.Replace(point) + `"`
}

// labelEscapes is what the text format escapes in the value of a label, and nothing else.
var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// callNames names the kinds of calls, for the schema.
func callNames() string {
	var names []string
	for _, call := range calls {
		names = append(names, string(call))
	}
	return strings.Join(names, ", ")
}
