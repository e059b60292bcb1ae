// Who changes config, and who relies on it meanwhile? One at a time, or any number:
// a credential is not connected to a client that is being deleted.

package backend

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// configuring is a lock with readers, which waits on channels like store.Locks.
type configuring struct{ all *semaphore.Weighted }

// everybody is more than can ever use config at once.
const everybody = 1 << 30

func newConfiguring() *configuring { return &configuring{semaphore.NewWeighted(everybody)} }

func (c *configuring) alone() { _ = c.all.Acquire(context.Background(), everybody) } // fails only with its context
func (c *configuring) done()  { c.all.Release(everybody) }
func (c *configuring) use()   { _ = c.all.Acquire(context.Background(), 1) }
func (c *configuring) used()  { c.all.Release(1) }
