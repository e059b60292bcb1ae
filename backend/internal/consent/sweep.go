// What becomes of a consent that nobody finishes? It is deleted some time after it
// has expired, so that whoever comes late still hears why.

package consent

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
)

// kept is how long an expired consent is remembered.
const kept = time.Hour

// due moves the next look forward to when a consent that expires then can go.
func (p *Consents) due(expires time.Time) {
	at := expires.Add(kept)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.next.IsZero() && at.Before(p.next) {
		p.next = at
	}
}

// Due reports whether Sweep has anything to look at.
func (p *Consents) Due() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !time.Now().Before(p.next)
}

// Sweep deletes what has expired, and reads all that wait to see which: it looks
// again only when the next one can go, and an hour apart at least.
func (p *Consents) Sweep(ctx context.Context, s logical.Storage) error {
	p.mu.Lock()
	p.next = time.Now().Add(100 * 365 * 24 * time.Hour) // what is started from now on moves it
	p.mu.Unlock()
	names, err := s.List(ctx, Prefix)
	for _, name := range names {
		if err == nil {
			err = p.sweep(ctx, s, name)
		}
	}
	if err != nil {
		p.due(time.Now()) // again in an hour
	}
	return err
}

func (p *Consents) sweep(ctx context.Context, s logical.Storage, name string) error {
	return p.locks.Locked(name, func() error {
		var c Consent
		err := store.Get(ctx, s, Prefix+name, &c)
		if errors.Is(err, store.ErrAbsent) {
			return nil
		}
		if err != nil {
			return err
		}
		if time.Since(c.Expires) < kept {
			p.due(c.Expires)
			return nil
		}
		return p.put(ctx, s, name, nil)
	})
}
