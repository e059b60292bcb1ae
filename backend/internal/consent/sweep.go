// sweep.go: the deletion of old consents and codes.

package consent

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
)

const (
	// Kept is how long a consent is stored after it ended or expired, so that its result
	// can be listed.
	Kept = 7 * 24 * time.Hour
	// codeKept is how long the fingerprint of a code is stored after it expired.
	codeKept = time.Hour
	// pause is the least time between two sweeps, each of which reads all consents.
	pause = time.Hour
)

// deletable is when a consent can be deleted.
func (c *Consent) deletable() time.Time {
	if !c.Ended.IsZero() {
		return c.Ended.Add(Kept)
	}
	return c.Expires.Add(Kept)
}

// due moves the next sweep forward to a time at which something can be deleted.
func (p *Consents) due(at time.Time) {
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

// Sweep deletes what can be deleted, and reads all consents to see which. It is not due
// again before the next one can be deleted, nor within the hour.
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
	if prefix == SpentPrefix {
		return p.sweepCode(ctx, s, name)
	}
	return p.locks.Locked(name, func() error {
		c, err := p.Get(ctx, s, name)
		if err != nil || c == nil {
			return err
		}
		if at := c.deletable(); time.Now().Before(at) {
			p.due(at)
			return nil
		}
		return p.put(ctx, s, name, nil)
	})
}

func (p *Consents) sweepCode(ctx context.Context, s logical.Storage, fingerprint string) error {
	return p.codes.Locked(fingerprint, func() error {
		var code spentCode
		err := store.Get(ctx, s, SpentPrefix+fingerprint, &code)
		if errors.Is(err, store.ErrAbsent) {
			return nil
		}
		if err != nil {
			return err
		}
		if at := code.Expires.Add(codeKept); time.Now().Before(at) {
			p.due(at)
			return nil
		}
		return store.Delete(ctx, s, SpentPrefix+fingerprint)
	})
}
