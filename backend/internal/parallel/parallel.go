// Package parallel does the same for many keys at once, a bounded number at a time. A panic
// in a goroutine of its own would end the process, which serves other mounts too: here it is
// the failure of one key.
package parallel

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Each runs work for each key, width of them at a time, and returns what failed, by key.
func Each(keys []string, width int, work func(key string) error) map[string]error {
	var mu sync.Mutex
	failed := map[string]error{}
	var group errgroup.Group
	group.SetLimit(width)
	for _, key := range keys {
		group.Go(func() error {
			if err := safely(func() error { return work(key) }); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[key] = err
			}
			return nil
		})
	}
	_ = group.Wait() // failures are returned by key
	return failed
}

// All runs work for each key, width of them at a time, and returns the results in the order
// of the keys. It ends with the first failure, and with the context.
func All[T any](ctx context.Context, keys []string, width int, work func(ctx context.Context, key string) (T, error)) ([]T, error) {
	results := make([]T, len(keys))
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(width)
	for i, key := range keys {
		if working.Err() != nil {
			break
		}
		group.Go(func() error {
			return safely(func() (err error) {
				results[i], err = work(working, key)
				return err
			})
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return results, ctx.Err()
}

func safely(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Fault(p)
		}
	}()
	return work()
}

// Fault is the error of a panic. What was thrown may quote anything; where it was thrown may
// not.
func Fault(p any) error { return fmt.Errorf("internal fault: %T\n%s", p, debug.Stack()) }
