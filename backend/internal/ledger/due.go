// Whose is what is due? Storage tells by grant, and whoever deletes a credential asks by
// name: what was read or written of each once is remembered, so that nobody reads all
// that waits for every name.

package ledger

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/parallel"
	"vault-plugin-secrets-zoho/backend/internal/store"
)

// remembered bounds for how many grants names are known; the others are read.
const remembered = 10_000

// dueNames are the names in what is due. One that stands there no more does no harm; one
// that is missing would.
type dueNames struct {
	mu sync.Mutex
	of map[string][]string // by grant
	// changes counts what other nodes wrote: what was read before says nothing after.
	changes uint64
}

func (n *dueNames) generation() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changes
}

// add notes the names of a grant that is about to be written.
func (n *dueNames) add(g *Grant) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.note(g)
}

// found notes those of a grant that was read since a generation.
func (n *dueNames) found(g *Grant, generation uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if generation == n.changes {
		n.note(g)
	}
}

func (n *dueNames) note(g *Grant) {
	names, known := n.of[g.ID]
	if !known && len(n.of) >= remembered {
		return
	}
	for _, name := range g.names() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	n.of[g.ID] = names
}

// forget drops what is known of a grant, and what is being read of any.
func (n *dueNames) forget(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changes++
	delete(n.of, id)
}

// mayBe drops those of some grants that are certainly not of a name, and what is known of
// all others.
func (n *dueNames) mayBe(ids []string, name string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	due := make(map[string][]string, len(n.of))
	ids = slices.DeleteFunc(ids, func(id string) bool {
		names, known := n.of[id]
		if known {
			due[id] = names
		}
		return known && !slices.Contains(names, name)
	})
	n.of = due
	return ids
}

// names are those of all credentials that a grant has to do with.
func (g *Grant) names() (names []string) {
	for _, h := range g.Holders {
		names = append(names, h.Name)
		if h.Doubt != nil {
			names = append(names, h.Doubt.Otherwise.Name)
		}
	}
	if g.Condemned != nil {
		names = append(names, g.Condemned.Name)
		for _, d := range g.Condemned.Deleted {
			names = append(names, d.Name)
		}
	}
	return names
}

// Due returns the ids of the grants about which something has to be done, of those that
// have to do with a credential if a name is given, and perhaps a few more.
func (l *Ledger) Due(ctx context.Context, s logical.Storage, name string) ([]string, error) {
	ids, err := s.List(ctx, DuePrefix)
	if err != nil || name == "" {
		return ids, err
	}
	return l.names.mayBe(ids, name), nil
}

// readers is how many entries are read at once: a read takes most of a millisecond, the way
// to Vault's storage and back.
const readers = 64

// DueGrants returns the grants about which something has to be done, those that have to do
// with a credential and perhaps others. It reads them in parallel, for as long as the
// context lasts. An entry that cannot be read is skipped; the sweep logs it.
func (l *Ledger) DueGrants(ctx context.Context, s logical.Storage, name string) ([]*Grant, error) {
	ids, err := l.Due(ctx, s, name)
	if err != nil {
		return nil, err
	}
	found, err := parallel.All(ctx, ids, readers, func(ctx context.Context, id string) (*Grant, error) {
		g, err := l.find(ctx, s, id)
		if store.Unreadable(err) {
			return nil, nil
		}
		return g, err
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(g *Grant) bool { return g == nil }), nil
}

// Invalidate notes that another node changed a storage key.
func (l *Ledger) Invalidate(key string) {
	if id, due := strings.CutPrefix(key, DuePrefix); due {
		l.names.forget(id)
	}
}

// putDue stores what is due about a grant.
func (l *Ledger) putDue(ctx context.Context, s logical.Storage, g *Grant) error {
	// A write that failed may have been done all the same.
	defer l.sweeping.added()
	l.names.add(g)
	err := store.Put(ctx, s, DuePrefix+g.ID, g)
	if err != nil {
		l.names.forget(g.ID)
		return err
	}
	return l.index(ctx, s, g)
}
