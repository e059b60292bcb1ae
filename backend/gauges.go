// How do things stand? Credentials by state and data centre, and grants that wait to be
// revoked, told from memory: a scrape costs the same however many credentials are stored.

package backend

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

// gauges is how things stand at one moment.
type gauges struct {
	// credentials counts by data centre and state. Every state of a data centre that
	// has any is there, so that an alert sees it go back to zero.
	credentials map[string]map[string]int
	// shared and waiting are, by data center, 1 where all credentials share one mint limit, and
	// how many wait for their turn there.
	shared, waiting map[string]int
	retired         int
	oldest          time.Duration
}

// gaugedStates are those of a connected credential.
var gaugedStates = []string{stateReady, stateNeedsConsent, stateThrottled, stateUnavailable, stateDisabled}

// gauges looks at the credentials in memory, which are those in use: one that nobody has
// read since the plugin started has nobody who could miss it.
func (b *backend) gauges(now time.Time) gauges {
	g := gauges{credentials: map[string]map[string]int{}, shared: map[string]int{}, waiting: map[string]int{}}
	for _, k := range b.memory.creds.Values() {
		state, shared, known := b.stateInMemory(k, now)
		if !known {
			continue
		}
		if shared != nil {
			g.shared[k.DataCenter], g.waiting[k.DataCenter] = 1, shared.Waiting
		}
		if g.credentials[k.DataCenter] == nil {
			g.credentials[k.DataCenter] = map[string]int{}
			for _, s := range gaugedStates {
				g.credentials[k.DataCenter][s] = 0
			}
		}
		g.credentials[k.DataCenter][state]++
	}
	waiting := b.ledger.Waiting()
	if g.retired = waiting.Grants; waiting.Grants > 0 {
		g.oldest = max(0, now.Sub(waiting.Oldest))
	}
	return g
}

// stateInMemory is stateOf without a look at storage, and false where that can't be told.
func (b *backend) stateInMemory(k *known, now time.Time) (state string, shared *zoho.SharedLimit, known bool) {
	c := b.memory.client.Load()
	if c == nil {
		return "", nil, false
	}
	if k.Disabled {
		return stateDisabled, nil, true
	}
	d, err := k.derive(c)
	if err != nil {
		return stateNeedsConsent, nil, true
	}
	s, found := b.keeper.Glance(&d.account)
	return health(s, now), s.Shared, found
}

// data is the gauges as JSON shows them.
func (g gauges) data() map[string]any {
	credentials := map[string]any{}
	for dc, states := range g.credentials {
		credentials[dc] = states
	}
	return map[string]any{
		"credentials": credentials, "shared_mint_limit": g.shared, "shared_mint_limit_waiting": g.waiting,
		"retired_grants": g.retired, "retired_oldest_seconds": int64(g.oldest / time.Second),
	}
}

// write writes the gauges in Prometheus's text format.
func (g gauges) write(w io.Writer) {
	head := func(name, help string) {
		fmt.Fprintf(w, "# HELP vault_zoho_%s %s\n# TYPE vault_zoho_%[1]s gauge\n", name, help)
	}
	head("credentials", "Credentials by state, of those used on this node since the plugin started.")
	for _, dc := range slices.Sorted(maps.Keys(g.credentials)) {
		for _, state := range gaugedStates {
			fmt.Fprintf(w, "vault_zoho_credentials{data_center=%q,state=%q} %d\n", dc, state, g.credentials[dc][state])
		}
	}
	head("shared_mint_limit", "1 where all credentials of the client share one mint limit, 0 where each has its own.")
	for _, dc := range slices.Sorted(maps.Keys(g.credentials)) {
		fmt.Fprintf(w, "vault_zoho_shared_mint_limit{data_center=%q} %d\n", dc, g.shared[dc])
	}
	head("shared_mint_limit_waiting", "Credentials that wait for their turn in a shared mint limit.")
	for _, dc := range slices.Sorted(maps.Keys(g.credentials)) {
		fmt.Fprintf(w, "vault_zoho_shared_mint_limit_waiting{data_center=%q} %d\n", dc, g.waiting[dc])
	}
	head("retired_grants", "Grants that nobody holds any more and that are still to be revoked at Zoho.")
	fmt.Fprintf(w, "vault_zoho_retired_grants %d\n", g.retired)
	head("retired_oldest_seconds", "How long the first of them has waited.")
	fmt.Fprintf(w, "vault_zoho_retired_oldest_seconds %d\n", int64(g.oldest/time.Second))
}
