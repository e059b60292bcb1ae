// Where do the tests' records live? In memory, as the JSON that a restart would
// find; counted, and able to fail, to be slow and to be read-only.

package zoho_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"vault-plugin-secrets-zoho/zoho"
)

// errStorage is what a broken shelf answers.
var errStorage = errors.New("storage is broken")

// errLanded is the answer to a write that landed all the same.
var errLanded = fmt.Errorf("%w, having written", errStorage)

// disk is what survives a restart.
type disk struct {
	mu       sync.Mutex
	records  map[string][]byte
	clients  map[string][]byte
	loads    int
	saves    int // attempts, the failed ones included
	rotated  []zoho.Secret
	readOnly bool
	// saving, when set, is asked at the start of the nth save (from 1); it may
	// sleep or fail.
	saving func(ctx context.Context, n int) error
	// loading is the same for loads.
	loading func(ctx context.Context, n int) error
	// rotating, when set, is asked before a refresh token is replaced.
	rotating func(context.Context, zoho.Secret) error
	// changed: the credential is no longer the one that was read.
	changed bool
	// saved, when set, is told of each save that succeeded.
	saved func(id string)
	// joining, when set, is called when a reader is about to start a mint.
	joining func()
}

func newDisk() *disk {
	return &disk{records: make(map[string][]byte), clients: make(map[string][]byte)}
}

// shelf is one process's door to a disk. A killed process writes nothing more.
type shelf struct {
	*disk
	killed bool // guarded by disk.mu
	// standby makes this door read-only whatever the disk is.
	standby bool
}

func (s *shelf) Load(ctx context.Context, id string) (*zoho.Record, error) {
	s.mu.Lock()
	s.loads++
	n, hook := s.loads, s.loading
	data := s.records[id]
	s.mu.Unlock()
	if hook != nil {
		if err := hook(ctx, n); err != nil {
			return nil, err
		}
	}
	if data == nil {
		return nil, nil
	}
	return zoho.ParseRecord(data)
}

func (s *shelf) Save(ctx context.Context, id string, r *zoho.Record) error {
	s.mu.Lock()
	s.saves++
	n, hook := s.saves, s.saving
	s.mu.Unlock()
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if hook != nil {
		if err = hook(ctx, n); err != nil && !errors.Is(err, errLanded) {
			return err
		}
	}
	s.mu.Lock()
	if s.killed || s.readOnly || s.standby {
		s.mu.Unlock()
		return errStorage
	}
	s.records[id] = data
	saved := s.saved
	s.mu.Unlock()
	if saved != nil {
		saved(id)
	}
	return err
}

func (s *shelf) LoadClient(_ context.Context, id string) (*zoho.ClientRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data := s.clients[id]
	if data == nil {
		return nil, nil
	}
	return zoho.ParseClientRecord(data)
}

func (s *shelf) SaveClient(_ context.Context, id string, r *zoho.ClientRecord) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.killed || s.readOnly || s.standby {
		return errStorage
	}
	s.clients[id] = data
	return nil
}

// newID is the id of a grant whose refresh token was replaced.
func newID(refreshToken zoho.Secret) string { return zoho.Fingerprint(string(refreshToken)) }

func (s *shelf) Rotated(ctx context.Context, refreshToken zoho.Secret, r *zoho.Record) (string, error) {
	s.mu.Lock()
	hook := s.rotating
	s.mu.Unlock()
	if hook != nil {
		if err := hook(ctx, refreshToken); err != nil {
			return "", err
		}
	}
	s.mu.Lock()
	changed := s.changed
	s.mu.Unlock()
	if changed {
		return "", nil
	}
	if err := s.Save(ctx, newID(refreshToken), r); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rotated = append(s.rotated, refreshToken)
	return newID(refreshToken), nil
}

// stored is what a restart would find of a grant.
func (w *world) stored(id string) *zoho.Record {
	w.Helper()
	w.disk.mu.Lock()
	defer w.disk.mu.Unlock()
	r, err := zoho.ParseRecord(w.disk.records[id])
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func (s *shelf) ReadOnly() bool {
	s.mu.Lock()
	hook := s.joining
	s.mu.Unlock()
	if hook != nil {
		hook()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.readOnly || s.standby
}

func (s *shelf) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killed = true
}

// set changes what a disk does.
func (d *disk) set(change func(*disk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

// counts returns how often the disk was read and written.
func (d *disk) counts() (loads, saves int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.loads, d.saves
}

// hasRejected reports whether a stored record says that a token was rejected.
func (d *disk) hasRejected(token string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, data := range d.records {
		r, err := zoho.ParseRecord(data)
		if err != nil {
			continue
		}
		for _, t := range r.Tokens {
			if string(t.AccessToken) == token && !t.Rejected.IsZero() {
				return true
			}
		}
	}
	return false
}
