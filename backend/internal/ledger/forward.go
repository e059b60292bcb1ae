// What of storage that format 1 wrote? It knew retired grants and holders as notes
// of their own. Until they are all moved forward they are read where they matter.

package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// forwardKey says that storage was moved forward.
const forwardKey = "ledger"

// oldNote is format 1's retired/<grant id>.
type oldNote struct {
	store.Versioned
	Name         string      `json:"name"`
	GrantID      string      `json:"grant_id"`
	RefreshToken zoho.Secret `json:"refresh_token"`
	ClientID     string      `json:"client_id"`
	AccountsURL  string      `json:"accounts_url"`
	DataCenter   string      `json:"data_center"`
	ZUID         string      `json:"zuid"`
	Revoke       bool        `json:"revoke"`
	Now          bool        `json:"now"`
	Retired      time.Time   `json:"retired"`
}

// oldHolders adds to a grant whoever format 1 noted as its holder and still is.
func (l *Ledger) oldHolders(ctx context.Context, s logical.Storage, g *Grant) error {
	if l.forward.Load() {
		return nil
	}
	names, err := s.List(ctx, OldHolderPrefix+g.ID+"/")
	if err != nil {
		return fmt.Errorf("finding who holds a grant: %w", err)
	}
	for _, name := range names {
		current, _, err := l.world.Grants(ctx, s, name)
		if err != nil {
			return err
		}
		if current != nil && current.ID == g.ID {
			g.holder(name).Held = true
		}
	}
	return nil
}

// Forward moves what format 1 stored into the ledger. credentials are the names of
// all credentials. Cut short, it begins again; what can't be read holds up nothing else.
func (l *Ledger) Forward(ctx context.Context, s logical.Storage, credentials func() ([]string, error)) error {
	err := store.Get(ctx, s, forwardKey, &store.Versioned{})
	if err == nil {
		l.forward.Store(true)
		return nil
	}
	if !errors.Is(err, store.ErrAbsent) {
		return err
	}
	names, err := credentials()
	if err != nil {
		return err
	}
	var failed error
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := l.world.Still(name, func() error { return l.Know(ctx, s, name) })
		failed = cmp.Or(failed, err)
	}
	notes, err := s.List(ctx, OldRetiredPrefix)
	if err != nil {
		return err
	}
	for _, id := range notes {
		failed = cmp.Or(failed, l.forwardNote(ctx, s, id))
	}
	if failed != nil {
		return failed
	}
	holders, err := s.List(ctx, OldHolderPrefix)
	if err != nil {
		return err
	}
	for _, id := range holders {
		prefix := OldHolderPrefix + strings.TrimSuffix(id, "/") + "/"
		names, err := s.List(ctx, prefix)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := store.Delete(ctx, s, prefix+name); err != nil {
				return err
			}
		}
	}
	l.forward.Store(true)
	if len(names) == 0 {
		return nil // an empty mount keeps an empty storage
	}
	return l.NoteForward(ctx, s)
}

// NoteForward stores that nothing of format 1 is left, if that is so: no start walks
// over credentials again.
func (l *Ledger) NoteForward(ctx context.Context, s logical.Storage) error {
	if !l.forward.Load() {
		return nil
	}
	return store.Put(ctx, s, forwardKey, &store.Versioned{})
}

// forwardNote condemns the grant of an old note, unless somebody holds it.
func (l *Ledger) forwardNote(ctx context.Context, s logical.Storage, id string) error {
	var note oldNote
	err := store.Get(ctx, s, OldRetiredPrefix+id, &note)
	if errors.Is(err, store.ErrAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	g := Grant{
		ID: id, RefreshToken: note.RefreshToken, ClientID: note.ClientID, AccountsURL: note.AccountsURL,
		DataCenter: note.DataCenter, ZUID: note.ZUID,
	}
	err = l.grants.Locked(id, func() error {
		known, err := l.load(ctx, s, g)
		if err != nil || known.Held() {
			return err
		}
		known.condemn(Sentence{Name: note.Name, Since: note.Retired, Revoke: note.Revoke, AtOnce: note.Now})
		return l.settle(ctx, s, known)
	})
	if err != nil {
		return err
	}
	if err := l.world.Remember(ctx, s, note.Name, Former{Grant: g, Revoke: note.Revoke}); err != nil {
		return err
	}
	return store.Delete(ctx, s, OldRetiredPrefix+id)
}
