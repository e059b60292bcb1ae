// Does a lock keep others out, and nothing but the keys that are in use in memory?

package store

import (
	"sync"
	"testing"
	"testing/synctest"
)

func TestLockIsHeldByOneAndForgottenAfterTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLocks()
		open := make(chan struct{})
		var inside int
		var work sync.WaitGroup
		for _, key := range []string{"a", "a", "a", "b"} {
			work.Go(func() {
				_ = l.Locked(key, func() error {
					inside++
					<-open
					return nil
				})
			})
			synctest.Wait()
		}
		if inside != 2 {
			t.Errorf("%d hold locks of two keys", inside)
		}
		close(open)
		work.Wait()
		if inside != 4 {
			t.Errorf("%d of 4 came to their turn", inside)
		}
		if len(l.keys) != 0 {
			t.Errorf("memory keeps the locks of %d keys that nobody uses", len(l.keys))
		}
	})
}
