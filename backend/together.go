// How is something done for many names at once? So many at a time, and none takes the
// process with it.

package backend

import "sync"

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
	queue := make(chan string)
	var workers sync.WaitGroup
	for range min(width, len(names)) {
		workers.Go(func() {
			for name := range queue {
				if err := safely(name); err != nil {
					mu.Lock()
					failed[name] = err
					mu.Unlock()
				}
			}
		})
	}
	for _, name := range names {
		queue <- name
	}
	close(queue)
	workers.Wait()
	return failed
}
