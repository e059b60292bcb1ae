// What can go wrong with a mount's storage? It counts, fails and blocks on demand,
// and shows what is in it.

package backend_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
)

type storage struct {
	logical.Storage
	operations atomic.Int64
	puts       atomic.Int64
	readOnly   atomic.Bool
	// before runs ahead of every operation and may block it or, with an error, fail
	// it; after runs when it is done, and its error is reported all the same.
	before, after atomic.Pointer[func(op, key string) error]
	// blocked counts the operations that wait right now.
	blocked atomic.Int64
}

var errDisk = errors.New("disk full")

func (s *storage) perform(op, key string, work func() error) error {
	s.operations.Add(1)
	if hook := s.before.Load(); hook != nil {
		if err := (*hook)(op, key); err != nil {
			return err
		}
	}
	if s.readOnly.Load() && (op == "put" || op == "delete") {
		return errors.New(logical.ErrReadOnly.Error()) // as it comes over the plugin bridge
	}
	if err := work(); err != nil {
		return err
	}
	if hook := s.after.Load(); hook != nil {
		return (*hook)(op, key)
	}
	return nil
}

func (s *storage) Get(ctx context.Context, key string) (entry *logical.StorageEntry, err error) {
	err = s.perform("get", key, func() (err error) {
		entry, err = s.Storage.Get(ctx, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	return entry, nil
}

func (s *storage) List(ctx context.Context, prefix string) (names []string, err error) {
	err = s.perform("list", prefix, func() (err error) {
		names, err = s.Storage.List(ctx, prefix)
		return err
	})
	return names, err
}

func (s *storage) Put(ctx context.Context, e *logical.StorageEntry) error {
	s.puts.Add(1)
	return s.perform("put", e.Key, func() error { return s.Storage.Put(ctx, e) })
}

func (s *storage) Delete(ctx context.Context, key string) error {
	return s.perform("delete", key, func() error { return s.Storage.Delete(ctx, key) })
}

// failing makes an operation on keys that begin with a prefix fail.
func (s *storage) failing(op, prefix string) {
	fail := func(got, key string) error {
		if got == op && strings.HasPrefix(key, prefix) {
			return errDisk
		}
		return nil
	}
	s.before.Store(&fail)
}

// blocking makes an operation on keys that begin with a prefix wait until release
// is called.
func (s *storage) blocking(op, prefix string) (release func()) {
	open := make(chan struct{})
	wait := func(got, key string) error {
		if got == op && strings.HasPrefix(key, prefix) {
			s.blocked.Add(1)
			<-open
			s.blocked.Add(-1)
		}
		return nil
	}
	s.before.Store(&wait)
	return func() {
		s.before.Store(nil)
		close(open)
	}
}

// working ends all failures.
func (s *storage) working() {
	s.before.Store(nil)
	s.after.Store(nil)
}

// contents returns all that is stored.
func (s *storage) contents(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := logical.ScanView(context.Background(), viewOf{s.Storage}, func(key string) {
		if entry, err := s.Storage.Get(context.Background(), key); err == nil && entry != nil {
			all[key] = string(entry.Value)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// keys returns the keys of all that is stored, in order.
func (s *storage) keys(t testing.TB) []string {
	t.Helper()
	return slices.Sorted(maps.Keys(s.contents(t)))
}

// refreshTokens finds what the engine stores or has queued for revocation.
func (s *storage) refreshTokens(t testing.TB) []string {
	t.Helper()
	var tokens []string
	for _, value := range s.contents(t) {
		var v struct {
			RefreshToken string `json:"refresh_token"`
		}
		if json.Unmarshal([]byte(value), &v) == nil && v.RefreshToken != "" {
			tokens = append(tokens, v.RefreshToken)
		}
	}
	return tokens
}

type viewOf struct{ logical.Storage }

func (v viewOf) ListPage(ctx context.Context, prefix, _ string, _ int) ([]string, error) {
	return v.List(ctx, prefix)
}
