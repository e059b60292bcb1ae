// How many grants has a Zoho user given to this client? Zoho keeps twenty; one more
// silently kills the oldest. Counted as grants come and go, so that asking costs
// the same however many credentials there are.

package ledger

import (
	"context"
	"errors"
	"slices"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// PerUser is Zoho's limit. Zoho, "token-limits".
const PerUser = 20

const (
	// counted bounds how many grants of one owner are told apart.
	counted = 4 * PerUser
	// crowdKey lists the owners that have reached the limit; crowded bounds it.
	crowdKey = TallyPrefix + "crowd"
	crowded  = 16
)

// Owner is who gave grants: a user of a data centre, or, with an empty ZUID, all of
// whom that is not known.
type Owner struct {
	ClientID   string `json:"client_id"`
	DataCenter string `json:"data_center"`
	ZUID       string `json:"zuid,omitempty"`
}

func (o Owner) key() string {
	return TallyPrefix + zoho.Fingerprint(o.ClientID, o.DataCenter, o.ZUID)
}

func (g *Grant) owner() Owner { return Owner{g.ClientID, g.DataCenter, g.ZUID} }

// tally is what is stored for an owner.
type tally struct {
	store.Versioned
	Owner
	Grants []string `json:"grants"`
}

// crowd is the owners at the limit.
type crowd struct {
	store.Versioned
	Owners []Owner `json:"owners"`
}

// Crowded returns an owner at Zoho's limit for a client, with the number of grants
// known, and false if there is none.
func (l *Ledger) Crowded(ctx context.Context, s logical.Storage, clientID string) (Owner, int, bool) {
	var c crowd
	if store.Get(ctx, s, crowdKey, &c) != nil {
		return Owner{}, 0, false // nobody, or a warning that is not worth failing for
	}
	for _, o := range c.Owners {
		var t tally
		if o.ClientID == clientID && store.Get(ctx, s, o.key(), &t) == nil && len(t.Grants) >= PerUser {
			return o, len(t.Grants), true
		}
	}
	return Owner{}, 0, false
}

// count adds a grant to its owner's tally.
func (l *Ledger) count(ctx context.Context, s logical.Storage, g *Grant) error {
	if g.RefreshToken == "" {
		return nil
	}
	return l.recount(ctx, s, g.owner(), func(t *tally) bool {
		if slices.Contains(t.Grants, g.ID) || len(t.Grants) >= counted {
			return false
		}
		t.Grants = append(t.Grants, g.ID)
		return true
	})
}

// discount takes a grant from its owner's tally, and from that of those whose owner is
// not known: a crash may have come while it was learnt.
func (l *Ledger) discount(ctx context.Context, s logical.Storage, g *Grant) error {
	if g.ZUID != "" {
		if err := l.discountAt(ctx, s, Owner{g.ClientID, g.DataCenter, ""}, g.ID); err != nil {
			return err
		}
	}
	return l.discountAt(ctx, s, g.owner(), g.ID)
}

func (l *Ledger) discountAt(ctx context.Context, s logical.Storage, o Owner, id string) error {
	return l.recount(ctx, s, o, func(t *tally) bool {
		before := len(t.Grants)
		t.Grants = slices.DeleteFunc(t.Grants, func(other string) bool { return other == id })
		return len(t.Grants) != before
	})
}

// recount changes an owner's tally, and then whether the owner is in the crowd. An
// owner is looked up before a warning, so one that a crash left there does no harm.
func (l *Ledger) recount(ctx context.Context, s logical.Storage, o Owner, change func(*tally) bool) error {
	var before, after int
	err := l.tallies.Locked(o.key(), func() error {
		t := tally{Owner: o}
		if err := store.Get(ctx, s, o.key(), &t); err != nil && !errors.Is(err, store.ErrAbsent) {
			return err
		}
		before = len(t.Grants)
		changed := change(&t)
		after = len(t.Grants)
		switch {
		case !changed:
			return nil
		case after == 0:
			return store.Delete(ctx, s, o.key())
		}
		return store.Put(ctx, s, o.key(), &t)
	})
	if err != nil || before < PerUser && after < PerUser {
		return err
	}
	return l.tallies.Locked(crowdKey, func() error {
		var c crowd
		if err := store.Get(ctx, s, crowdKey, &c); err != nil && !errors.Is(err, store.ErrAbsent) {
			return err
		}
		there := slices.Contains(c.Owners, o)
		switch {
		case after >= PerUser && !there && len(c.Owners) < crowded:
			c.Owners = append(c.Owners, o)
		case after < PerUser && there:
			c.Owners = slices.DeleteFunc(c.Owners, func(other Owner) bool { return other == o })
		default:
			return nil
		}
		if len(c.Owners) == 0 {
			return store.Delete(ctx, s, crowdKey)
		}
		return store.Put(ctx, s, crowdKey, &c)
	})
}

// Own notes whose grant it is, once that is known.
func (l *Ledger) Own(ctx context.Context, s logical.Storage, id, zuid string) error {
	if zuid == "" {
		return nil // an answer may lack it
	}
	return l.grants.Locked(id, func() error {
		g, err := l.find(ctx, s, id)
		if err != nil || g == nil || g.ZUID == zuid {
			return err
		}
		was := g.owner()
		g.ZUID = zuid
		// Stored before anything is counted, so that whoever forgets the grant knows
		// where it may be counted, however far this comes.
		if err := l.settle(ctx, s, g); err != nil {
			return err
		}
		if err := l.discountAt(ctx, s, was, id); err != nil {
			return err
		}
		return l.count(ctx, s, g)
	})
}
