// How is something done for many names at once? So many at a time, and none takes the
// process with it.

package backend

import (
	"sync"

	"golang.org/x/sync/errgroup"
)

// together runs work for each name, width of them at a time, and returns what failed. In a
// goroutine of its own a panic would end the process, which serves other mounts, too: here
// it is that name's failure.
func together(names []string, width int, work func(name string) error) map[string]error {
	safely := func(name string) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fault(p)
			}
		}()
		return work(name)
	}
	var mu sync.Mutex
	failed := map[string]error{}
	var group errgroup.Group
	group.SetLimit(width)
	for _, name := range names {
		group.Go(func() error {
			if err := safely(name); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[name] = err
			}
			return nil
		})
	}
	_ = group.Wait() // failures are told by name
	return failed
}
