// gauges.go: credentials by state and data center, and grants that wait to be revoked. They
// come from memory, so a scrape costs the same however many credentials are stored. Only
// entries that changed since they were read are read again, a few in each scrape: without
// them a gauge would fall to zero after a write, and an alert would end and start anew.

package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

const (
	// rereads is how many changed credentials one scrape reads again.
	rereads = 100
	// rereadTime bounds that. Prometheus waits 10 seconds for a scrape by default.
	rereadTime = 2 * time.Second
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

// gauges counts the credentials in memory: those that were used since the plugin started.
func (b *backend) gauges(ctx context.Context, s logical.Storage, now time.Time) gauges {
	g := gauges{credentials: map[string]map[string]int{}, shared: map[string]int{}, waiting: map[string]int{}}
	c, creds := b.memory.counted(ctx, s)
	for _, k := range creds {
		state, shared, known := b.stateInMemory(c, k, now)
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

// counted returns the credentials that gauges count, and the client that they are used with.
// It reads what has changed, up to a limit. What it does not read again is returned as it was.
// Without a config there are none.
func (m *memory) counted(ctx context.Context, s logical.Storage) (*client, []*known) {
	ctx, cancel := context.WithTimeout(ctx, rereadTime)
	defer cancel()
	if m.unconfigured.Load() {
		return nil, nil
	}
	c, err := m.configured(ctx, s)
	if errors.As(err, new(*answer)) {
		return nil, nil
	}
	if err != nil {
		if c = m.lastClient.Load(); c == nil {
			return nil, nil
		}
	}
	m.reread(ctx, s)
	creds := m.creds.Values()
	for _, name := range m.outdated.Keys() {
		if k, still := m.outdated.Peek(name); still && !m.creds.Contains(name) {
			creds = append(creds, k)
		}
	}
	return c, creds
}

// reread reads changed credentials again, those first that have waited longest.
func (m *memory) reread(ctx context.Context, s logical.Storage) {
	if m.outdated.Len() == 0 {
		return
	}
	names := m.outdated.Keys()
	for _, name := range names[:min(len(names), rereads)] {
		switch _, err := m.credential(ctx, s, name); {
		case err == nil, isAbsent(err):
		case store.Unreadable(err):
			m.outdated.Get(name) // the others are read first from now on
		default:
			return // storage does not answer
		}
	}
}

// stateInMemory is stateOf without a look at storage, and false where that can't be told.
func (b *backend) stateInMemory(c *client, k *known, now time.Time) (state string, shared *zoho.SharedLimit, known bool) {
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

// write writes the gauges in Prometheus's text format. mount is the label of the mount.
func (g gauges) write(w io.Writer, mount string) {
	head := func(name, help string) {
		fmt.Fprintf(w, "# HELP vault_zoho_%s %s\n# TYPE vault_zoho_%[1]s gauge\n", name, help)
	}
	head("credentials", "Credentials by state, of those used on this node since the plugin started.")
	for _, dc := range slices.Sorted(maps.Keys(g.credentials)) {
		for _, state := range gaugedStates {
			fmt.Fprintf(w, "vault_zoho_credentials{%s,data_center=%q,state=%q} %d\n", mount, dc, state, g.credentials[dc][state])
		}
	}
	head("shared_mint_limit", "1 where all credentials of the client share one mint limit, 0 where each has its own.")
	for _, dc := range slices.Sorted(maps.Keys(g.credentials)) {
		fmt.Fprintf(w, "vault_zoho_shared_mint_limit{%s,data_center=%q} %d\n", mount, dc, g.shared[dc])
	}
	head("shared_mint_limit_waiting", "Credentials that wait for their turn in a shared mint limit.")
	for _, dc := range slices.Sorted(maps.Keys(g.credentials)) {
		fmt.Fprintf(w, "vault_zoho_shared_mint_limit_waiting{%s,data_center=%q} %d\n", mount, dc, g.waiting[dc])
	}
	head("retired_grants", "Grants that nobody holds any more and that are still to be revoked at Zoho.")
	fmt.Fprintf(w, "vault_zoho_retired_grants{%s} %d\n", mount, g.retired)
	head("retired_oldest_seconds", "How long the first of them has waited.")
	fmt.Fprintf(w, "vault_zoho_retired_oldest_seconds{%s} %d\n", mount, int64(g.oldest/time.Second))
}
