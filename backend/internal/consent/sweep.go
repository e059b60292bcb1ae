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

const (
	// kept is how long an expired consent is remembered.
	kept = time.Hour
	// pause is the least time between two sweeps, each of which reads all that wait.
	pause = time.Hour
)

// due moves the next look forward to when a consent that expires then can go.
func (p *Consents) due(expires time.Time) {
	at := expires.Add(kept)
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.Before(p.swept.Add(pause)) {
		at = p.swept.Add(pause)
	}
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

// Sweep deletes what has expired, and reads all that wait to see which. It is not due
// again before the next one can go, nor within the hour.
func (p *Consents) Sweep(ctx context.Context, s logical.Storage) error {
	p.mu.Lock()
	p.swept = time.Now()
	p.next = p.swept.Add(100 * 365 * 24 * time.Hour) // what is started from now on moves it
	p.mu.Unlock()
	var failed error
	for _, prefix := range []string{Prefix, SpentPrefix} {
		names, err := s.List(ctx, prefix)
		for _, name := range names {
			err = errors.Join(err, p.sweep(ctx, s, prefix, name))
		}
		failed = errors.Join(failed, err)
	}
	if failed != nil {
		p.due(time.Now()) // again in an hour
	}
	return failed
}

func (p *Consents) sweep(ctx context.Context, s logical.Storage, prefix, name string) error {
	locks := p.locks
	if prefix == SpentPrefix {
		locks = p.codes
	}
	return locks.Locked(name, func() error {
		var c Consent // of which a spent code has the time alone
		err := store.Get(ctx, s, prefix+name, &c)
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
		if prefix == SpentPrefix {
			return store.Delete(ctx, s, prefix+name)
		}
		return p.put(ctx, s, name, nil)
	})
}
