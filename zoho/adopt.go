// What becomes of the token that came with a code? It is the first on its grant's
// shelf, for a reader that is faster than the connect too.

package zoho

import (
	"context"
	"fmt"
	"time"
)

// Adopt runs store, which makes a grant one that can be read, and puts the token that
// came with its code on the shelf, all as one flight: readers who arrive meanwhile
// wait, and get this token. If store fails nothing is kept, and that is the error. A
// token that can't be stored by then is kept in memory, and observe is told.
func (k *Keeper) Adopt(ctx context.Context, a *Account, answer Answer, store func() error) error {
	return k.alone(ctx, a.ID, func() error {
		if err := store(); err != nil {
			return err
		}
		if err := k.adopted(ctx, a, answer); err != nil {
			k.observe(Event{Account: a, Err: fmt.Errorf("storing the token that came with a code: %w", err)})
		}
		return nil
	})
}

func (k *Keeper) adopted(ctx context.Context, a *Account, answer Answer) error {
	r, err := k.record(ctx, a)
	if err != nil {
		r = &Record{Version: recordVersion}
	}
	next := r.pruned(a, time.Now())
	next.vacate(answer.Received) // what stood for this token without a record
	next.adopt(answer, a, answer.Token.Epoch)
	next.outdate(k.epoch())
	next.landed = k.landed.Add(1)
	client := k.clients.of(a)
	_ = client.load(ctx, a, time.Now()) // unread, its places are not known either
	client.minted(a, nil, answer.Token.Issued, answer.Received)
	if err != nil {
		k.put(a.ID, next)
		k.Forget(a.ID) // what storage knows joins it as soon as it can be read
		return err
	}
	_, err = k.save(ctx, a, next)
	// An epoch that began meanwhile may not have found it.
	if again := next.pruned(a, time.Now()); err == nil && again.outdate(k.epoch()) {
		_, err = k.save(ctx, a, again)
	}
	return err
}
