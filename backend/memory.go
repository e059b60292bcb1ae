// What is kept in memory? The client and the credentials in use, bounded, so that
// a warm read touches no storage. Vault's Invalidate and our own writes keep it
// right.

package backend

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/credential"
	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

const credsPrefix = credential.Prefix

// rememberedCredentials bounds each cache: some 10 MB when full.
const rememberedCredentials = 10_000

// memory holds the decoded configuration and credentials of one mount.
type memory struct {
	// transport is fixed by tests; nil means one made from the configuration.
	transport http.RoundTripper
	observe   observer
	consents  *consent.Consents
	// epochs are loaded before a token is handed out.
	epochs *epochs
	client atomic.Pointer[client]
	creds  *lru.Cache[string, *known]
	// lastClient and outdated are what gauges count by while the entries in storage, which have
	// changed, were not read again: the client, and credentials by name.
	lastClient atomic.Pointer[client]
	outdated   *lru.Cache[string, *known]
	// logKey outlives a change of the configuration, which never changes it.
	logKey atomic.Pointer[[]byte]
	// unconfigured: there was no configuration when it was looked for last.
	unconfigured atomic.Bool

	mu sync.Mutex
	// changes counts what was forgotten: what was read before is not kept after.
	changes uint64
}

// known is a credential in memory with what was derived from it.
type known struct {
	credential.Credential
	name string
	// device is a device consent that waits beside this credential; nil without one.
	device atomic.Pointer[consent.Consent]
	// derived is the account for one client, remade when the client changes.
	derived atomic.Pointer[derived]
}

// newKnown is a credential as it was just stored.
func newKnown(name string, c *credential.Credential) *known {
	return &known{name: name, Credential: *c}
}

func newMemory(transport http.RoundTripper, observe observer, size int) *memory {
	creds, err := lru.New[string, *known](size)
	if err != nil {
		panic(err) // only for a size below 1
	}
	outdated, _ := lru.New[string, *known](size)
	m := &memory{transport: transport, observe: observe, creds: creds, outdated: outdated}
	m.consents = consent.New(m.consented)
	return m
}

// forget drops what was derived from the value at a storage key.
func (m *memory) forget(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changes++
	if key == epochKey {
		m.epochs.known.Store(false)
	}
	if key == configKey {
		m.client.Store(nil)
		m.unconfigured.Store(false)
	}
	for _, prefix := range []string{credsPrefix, consent.Prefix} {
		if name, found := strings.CutPrefix(key, prefix); found {
			if k, known := m.creds.Peek(name); known {
				m.outdated.Add(name, k)
			}
			m.creds.Remove(name)
		}
	}
}

// consented drops a credential when the device consent beside it changed.
func (m *memory) consented(name string, c *consent.Consent) {
	device := c.Waits(time.Now()) && c.Flow == consent.Device
	if k, known := m.creds.Peek(name); known && k.device.Load() == nil && !device {
		return // readers of this credential go on
	}
	m.forget(consent.Prefix + name)
}

func (m *memory) generation() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changes
}

// keep runs add unless something was forgotten since generation was taken.
func (m *memory) keep(generation uint64, add func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.changes == generation {
		add()
	}
}

// config returns the client of this mount, or a refusal without one. When it returns it is
// known which access tokens are revoked.
func (m *memory) config(ctx context.Context, s logical.Storage) (*client, error) {
	c, err := m.configured(ctx, s)
	if err == nil {
		err = m.loadEpochs(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// configured is config for what hands out no access token.
func (m *memory) configured(ctx context.Context, s logical.Storage) (*client, error) {
	if c := m.client.Load(); c != nil {
		return c, nil
	}
	generation := m.generation()
	var stored config
	err := store.Get(ctx, s, configKey, &stored)
	if errors.Is(err, store.ErrAbsent) {
		m.keep(generation, func() { m.unconfigured.Store(true) })
		return nil, refuse("no Zoho client is configured on this mount; register one in Zoho's API console and write its client_id and client_secret to config first")
	}
	if err != nil {
		return nil, err
	}
	c, err := newClient(stored, m.transport, m.observe)
	if err != nil {
		return nil, err
	}
	m.logKey.Store(&c.LogKey)
	m.lastClient.Store(c)
	m.keep(generation, func() { m.client.Store(c) })
	return c, nil
}

// loadEpochs makes known which access tokens are revoked, if that is not known.
func (m *memory) loadEpochs(ctx context.Context, s logical.Storage) error {
	if m.epochs.known.Load() {
		return nil
	}
	generation := m.generation()
	if err := m.epochs.load(ctx, s); err != nil {
		return err
	}
	m.keep(generation, func() { m.epochs.known.Store(true) })
	return nil
}

// whose returns for which credential a state was made, "" if none of this mount's was.
// It looks at storage where the configuration is not in memory, once after each change.
func (m *memory) whose(ctx context.Context, s logical.Storage, state string) (name string, err error) {
	if m.unconfigured.Load() {
		return "", nil
	}
	c, err := m.configured(ctx, s)
	var told *answer
	if errors.As(err, &told) {
		return "", nil // there is none
	}
	if err != nil {
		return "", err
	}
	return c.states.open(state), nil
}

// credential returns a credential, or an absence.
func (m *memory) credential(ctx context.Context, s logical.Storage, name string) (*known, error) {
	if k, ok := m.creds.Get(name); ok {
		return k, nil
	}
	if err := validName(name); err != nil {
		return nil, err
	}
	generation := m.generation()
	k := &known{name: name}
	err := store.Get(ctx, s, credsPrefix+name, &k.Credential)
	if errors.Is(err, store.ErrAbsent) {
		m.keep(generation, func() { m.outdated.Remove(name) })
		return nil, absent("no credential named %q; connect it with authorize/%s first", name, name)
	}
	if err != nil {
		return nil, err
	}
	// A device consent of a connected credential is optional: one that cannot be read
	// counts as none. Storage that does not answer may answer the next read.
	c, err := m.consents.Get(ctx, s, name)
	if err == nil && c != nil && c.Flow == consent.Device && c.Waits(time.Now()) {
		k.device.Store(c)
	}
	if err == nil || store.Unreadable(err) {
		m.keep(generation, func() {
			m.creds.Add(name, k)
			m.outdated.Remove(name)
		})
	}
	return k, nil
}

// Stored implements credential.Cache.
func (m *memory) Stored(ctx context.Context, s logical.Storage, name string) (*credential.Credential, error) {
	k, err := m.credential(ctx, s, name)
	if isAbsent(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &k.Credential, nil
}

// Forget implements credential.Cache.
func (m *memory) Forget(name string) { m.forget(credsPrefix + name) }

// tokenFingerprint names a token in logs: the same token gets the same name on
// this mount, and nobody without the mount's key can check a guess.
func (m *memory) tokenFingerprint(token zoho.Secret) string {
	key := m.logKey.Load()
	if key == nil {
		return "" // no config was ever read, so no token can be here
	}
	h := hmac.New(sha256.New, *key)
	h.Write([]byte(token))
	return hex.EncodeToString(h.Sum(nil)[:8])
}
