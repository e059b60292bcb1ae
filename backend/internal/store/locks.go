// How is a stored value changed by one at a time? By a lock for each key, held while
// storage is read and written. It waits on channels rather than on a mutex, so that a
// test can see who waits for whom.

package store

import "sync"

// Locks has a lock for each key that is in use.
type Locks struct {
	mu   sync.Mutex
	keys map[string]*lock
}

type lock struct {
	free  chan struct{} // holds one value while nobody has the lock
	users int           // who has it or waits for it; Locks.mu guards it
}

// NewLocks returns Locks of which none is held.
func NewLocks() *Locks { return &Locks{keys: map[string]*lock{}} }

// Locked runs work as the only change of what is stored at key.
func (l *Locks) Locked(key string, work func() error) error {
	l.mu.Lock()
	k := l.keys[key]
	if k == nil {
		k = &lock{free: make(chan struct{}, 1)}
		k.free <- struct{}{}
		l.keys[key] = k
	}
	k.users++
	l.mu.Unlock()
	<-k.free
	defer func() {
		k.free <- struct{}{}
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.keys, key)
		}
	}()
	return work()
}
