// Former names of a grant: credentials that no longer use a grant which another credential
// uses. Access tokens that were minted for such a name may live, and revoke/<name> ends
// them. A key for each name and grant stays until the last of these tokens has expired.

package ledger

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// FormerPrefix is the prefix of these keys: + name + / + grant id.
const FormerPrefix = "former/"

// formerName is what is stored at such a key.
type formerName struct {
	store.Versioned
	Since time.Time `json:"since"`
}

// expired reports whether no access token of the name can live any more. One that is dated
// further ahead than a token lives was noted before the clock was set back.
func (f *formerName) expired() bool { return time.Since(f.Since).Abs() > zoho.LongestLife }

// noteFormerName notes that a name no longer uses a grant, if other credentials do. The
// grant's lock is held, and the caller stores the grant next.
func (l *Ledger) noteFormerName(ctx context.Context, s logical.Storage, g *Grant, name string) error {
	if g.RefreshToken == "" || len(g.Holders) == 0 {
		return nil // its access tokens end with the grant, or Sentence.Deleted tells of them
	}
	defer l.sweeping.added()
	l.sweeping.mu.Lock()
	l.sweeping.formerLeft = true
	l.sweeping.mu.Unlock()
	if !slices.Contains(g.FormerNames, name) {
		g.FormerNames = append(g.FormerNames, name)
		g.FormerNames = g.FormerNames[max(0, len(g.FormerNames)-maxDeleted):] // the sweep finds the notes of the others
	}
	return store.Put(ctx, s, FormerPrefix+name+"/"+g.ID, &formerName{Since: time.Now().UTC()})
}

// dropFormerNotes deletes the notes of a grant that ends. The grant's lock is held.
func (l *Ledger) dropFormerNotes(ctx context.Context, s logical.Storage, g *Grant) error {
	for _, name := range g.FormerNames {
		if err := store.Delete(ctx, s, FormerPrefix+name+"/"+g.ID); err != nil {
			return err
		}
	}
	return nil
}

// FormerGrants returns the ids of grants that a name no longer uses and others do. Access
// tokens that were minted for the name may live. A note that cannot be read counts.
func (l *Ledger) FormerGrants(ctx context.Context, s logical.Storage, name string) (ids []string, err error) {
	all, err := s.List(ctx, FormerPrefix+name+"/")
	if err != nil {
		return nil, err
	}
	for _, id := range all {
		var f formerName
		err := store.Get(ctx, s, FormerPrefix+name+"/"+id, &f)
		switch {
		case errors.Is(err, store.ErrAbsent), err == nil && f.expired():
		case err == nil, store.Unreadable(err):
			ids = append(ids, id)
		default:
			return nil, err
		}
	}
	return ids, nil
}

// formerNamesEvery is how often notes that have expired are deleted.
const formerNamesEvery = time.Hour

// sweepFormerNames deletes the notes that have expired, once an hour, and reports whether
// there may be others. Only one sweep runs at a time. If storage fails, the next sweep tries
// again.
func (l *Ledger) sweepFormerNames(ctx context.Context, s logical.Storage) (left bool) {
	w := &l.sweeping
	w.mu.Lock()
	if time.Since(w.formerNames) < formerNamesEvery {
		defer w.mu.Unlock()
		return w.formerLeft
	}
	w.formerLeft = false
	w.mu.Unlock()
	left, err := l.dropFormerNames(ctx, s)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.formerLeft = left || err != nil || w.formerLeft
	if err == nil {
		w.formerNames = time.Now()
	}
	return w.formerLeft
}

// dropFormerNames deletes the notes that have expired, and reports whether others are left.
func (l *Ledger) dropFormerNames(ctx context.Context, s logical.Storage) (left bool, err error) {
	names, err := s.List(ctx, FormerPrefix)
	if err != nil {
		return true, err
	}
	for _, name := range names {
		prefix := FormerPrefix + strings.TrimSuffix(name, "/") + "/"
		ids, err := s.List(ctx, prefix)
		if err != nil {
			return true, err
		}
		for _, id := range ids {
			var f formerName
			if err := store.Get(ctx, s, prefix+id, &f); err != nil && !store.Unreadable(err) {
				return true, err
			}
			if !f.expired() {
				left = true
				continue
			}
			// One that cannot be read has no date, and counts as expired.
			if err := store.Delete(ctx, s, prefix+id); err != nil {
				return true, err
			}
		}
	}
	return left, nil
}
