// attempts.go: the requests that obtain a grant from Zoho right now, so that a delete can
// stop them, and those that delete a name.

package credential

import (
	"context"
	"maps"
)

// Attempt is a request that obtains a grant for a name from Zoho.
type Attempt struct {
	name string
	// cancelled: the credential was deleted since. Store.mu guards it.
	cancelled bool
}

// Begin announces that a grant is being obtained for a name; End has to follow.
func (c *Store) Begin(name string) *Attempt {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &Attempt{name: name}
	if len(c.attempts) == 0 {
		c.idle = make(chan struct{})
	}
	c.attempts[a] = true
	return a
}

// End ends what Begin announced.
func (c *Store) End(a *Attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if delete(c.attempts, a); len(c.attempts) == 0 {
		close(c.idle)
	}
}

// Deletes announces a request that deletes a name; end has to be called.
func (c *Store) Deletes(name string) (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deletions[name]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.deletions[name]--; c.deletions[name] == 0 {
			delete(c.deletions, name)
		}
	}
}

// Deleting returns how many requests are deleting each name.
func (c *Store) Deleting() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.deletions)
}

// WaitIdle waits until no grant is being obtained, or the context ends.
func (c *Store) WaitIdle(ctx context.Context) {
	for {
		c.mu.Lock()
		idle := c.idle
		none := len(c.attempts) == 0
		c.mu.Unlock()
		if none {
			return
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return
		}
	}
}

// InProgress returns how many grants are being obtained.
func (c *Store) InProgress() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.attempts)
}

// InProgressFor reports whether a grant is being obtained for a name.
func (c *Store) InProgressFor(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for a := range c.attempts {
		if a.name == name {
			return true
		}
	}
	return false
}

// cancel ends the attempts for a name, whose lock is held.
func (c *Store) cancel(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for a := range c.attempts {
		if a.name == name {
			a.cancelled = true
		}
	}
}

// stopped reports whether the credential of an attempt was deleted since it began.
func (c *Store) stopped(a *Attempt) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return a.cancelled
}
