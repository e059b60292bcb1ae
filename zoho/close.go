// How does a Keeper end? What is under way may land, nothing new starts.

package zoho

import (
	"context"
	"errors"
)

// ErrClosed means that the read needs a mint, and none is begun any more.
var ErrClosed = errors.New("this mount is being unmounted or reloaded, so no new access token is asked for; read again in a moment")

// Close lets no new mint begin, and waits for the flights that are under way until ctx
// ends; then their calls to Zoho are cancelled and nothing is waited for any more.
func (k *Keeper) Close(ctx context.Context) {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	defer k.stop()
	for {
		f := k.anyFlight()
		if f == nil {
			return
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return
		}
	}
}

func (k *Keeper) anyFlight() *flight {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.flights {
		return f
	}
	return nil
}

func (k *Keeper) isClosed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.closed
}

// calling returns a context for calls to Zoho, which Close may have to cut short.
func (k *Keeper) calling(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	unregister := context.AfterFunc(k.stopping, cancel)
	return ctx, func() { unregister(); cancel() }
}
