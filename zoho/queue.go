// How many grants may mint at once? A bounded number for each accounts server, first
// come, first served: a thousand cold credentials must not open a thousand
// connections, and a server that hangs holds up nobody but its own.

package zoho

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"
)

// atOnce is how many mints are under way at one accounts server. With answers after
// 200 ms that is more than 300 a second; as many connections are kept for the next ones.
const atOnce = 64

// ErrBusy means that the read needs a mint, and that its turn did not come in time.
var ErrBusy = errors.New("too many new access tokens are being asked for at once, and the accounts server answers too slowly for all of them; nothing was asked for this one, so read again in a moment")

// queues has one for each accounts server.
type queues struct {
	mu      sync.Mutex
	servers map[string]*semaphore.Weighted
}

// enter waits for the account's turn, as long as a call may take and no longer.
// waited is false if it came at once.
func (q *queues) enter(ctx context.Context, a *Account) (leave func(), waited bool, err error) {
	q.mu.Lock()
	if q.servers == nil {
		q.servers = map[string]*semaphore.Weighted{}
	}
	server := q.servers[a.Client.AccountsURL]
	if server == nil {
		server = semaphore.NewWeighted(atOnce)
		q.servers[a.Client.AccountsURL] = server
	}
	q.mu.Unlock()
	leave = func() { server.Release(1) }
	if server.TryAcquire(1) {
		return leave, false, nil
	}
	waiting, cancel := context.WithTimeout(ctx, a.timeout())
	defer cancel()
	if err := server.Acquire(waiting, 1); err != nil {
		return nil, true, fmt.Errorf("%s: %w", a.Client.host(), ErrBusy)
	}
	return leave, true, nil
}
