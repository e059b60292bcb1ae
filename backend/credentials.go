// Who changes a stored credential? This type alone, one change at a time, so that
// whatever looks first and acts then is right. What is being obtained for a name is
// known here too, so that a delete can end it.

package backend

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/backend/internal/gate"
	"vault-plugin-secrets-zoho/backend/internal/ledger"
	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

const credsPrefix = "creds/" // + name

// Grant types, as status shows them.
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantDevice  = "device_code"
	grantClient  = "client_credentials"
)

// credential is one grant and its settings.
type credential struct {
	store.Versioned
	// ClientID is the client it was connected with; no other can use it.
	ClientID   string `json:"client_id"`
	DataCenter string `json:"data_center"`
	// AccountsURL issued the grant, and is where it has to be revoked.
	AccountsURL  string      `json:"accounts_url"`
	GrantType    string      `json:"grant_type"`
	RefreshToken zoho.Secret `json:"refresh_token,omitempty"`
	APIDomain    string      `json:"api_domain,omitempty"`
	// SOID is the organisation of a client-credentials grant, or of one that an
	// organisation gave.
	SOID string `json:"soid,omitempty"`
	// Organization tells that an administrator gave the grant for an organisation.
	Organization bool      `json:"organization,omitempty"`
	Requested    []string  `json:"requested_scopes,omitempty"`
	Granted      []string  `json:"granted_scopes,omitempty"`
	Connected    time.Time `json:"connected"`
	Created      time.Time `json:"created"`
	// Person is whose account it is, where the scopes let that be asked.
	Person zoho.Person `json:"person,omitzero"`
	// Code is the fingerprint of the code that bought the grant: it is spent.
	Code string `json:"code,omitempty"`
	// Former are the grants that this one took the place of and that may still live,
	// with their access tokens.
	Former []former `json:"former,omitempty"`
	settings
}

// former is a grant that a credential pointed to before. Its refresh token, if it
// had one, is in the ledger.
type former struct {
	ID          string `json:"id"`
	ClientID    string `json:"client_id"`
	AccountsURL string `json:"accounts_url"`
	DataCenter  string `json:"data_center"`
	// Client credentials have no refresh token; Variant tells which tokens of theirs
	// were this credential's.
	GrantType string `json:"grant_type"`
	Variant   string `json:"variant,omitempty"`
	// Revoke is false for one that Zoho replaced by itself.
	Revoke bool      `json:"revoke,omitempty"`
	Until  time.Time `json:"until"` // it was in use until then
}

// settings are what a credential may set apart from the mount's defaults.
type settings struct {
	MaxAge *time.Duration `json:"max_age,omitempty"`
	MinTTL *time.Duration `json:"min_ttl,omitempty"`
	// Leased adds a lease to reads, for clients that know nothing else.
	Leased         bool              `json:"leased,omitempty"`
	Disabled       bool              `json:"disabled,omitempty"`
	CustomMetadata map[string]string `json:"custom_metadata,omitempty"`
}

// formerGrants bounds how many grants a credential remembers that it had.
const formerGrants = 64

// grant names the grant of a credential, and the variant of its tokens. Zoho counts
// mints and live tokens per refresh token, whatever the client secret; client
// credentials per client, whatever the scopes.
func (c *credential) grant() (id, variant string) {
	if c.GrantType == grantClient {
		return zoho.Fingerprint(c.AccountsURL, c.ClientID, grantClient),
			zoho.Fingerprint(zoho.FormatScopes(c.Requested), c.SOID)
	}
	return zoho.Fingerprint(c.AccountsURL, c.ClientID, string(c.RefreshToken)), ""
}

// ledgerGrant is what the ledger keeps of a credential's grant.
func (c *credential) ledgerGrant() ledger.Grant {
	id, variant := c.grant()
	return ledger.Grant{
		ID: id, Variant: variant, RefreshToken: c.RefreshToken, ClientID: c.ClientID, AccountsURL: c.AccountsURL,
		DataCenter: c.DataCenter, ZUID: c.Person.ZUID,
	}
}

// succeed makes c take the place of old: it keeps what belongs to the name rather
// than to the grant, and remembers the grants that went before.
func (c *credential) succeed(old *credential, revoke bool) {
	c.Created = c.Connected
	if old == nil {
		return
	}
	c.Created, c.settings = old.Created, old.settings
	id, variant := old.grant()
	now := time.Now().UTC()
	before := append(old.Former[:len(old.Former):len(old.Former)], former{
		ID: id, ClientID: old.ClientID, AccountsURL: old.AccountsURL, DataCenter: old.DataCenter,
		GrantType: old.GrantType, Variant: variant, Revoke: revoke, Until: now,
	})
	current, variant := c.grant()
	c.Former = nil
	for _, f := range before {
		// A token lives a day at most, whatever is configured.
		if (f.ID != current || f.Variant != variant) && now.Sub(f.Until) < 25*time.Hour {
			c.Former = append(c.Former, f)
		}
	}
	c.Former = c.Former[max(0, len(c.Former)-formerGrants):]
}

// Remember makes a credential remember a grant that it had before.
func (c *credentials) Remember(ctx context.Context, s logical.Storage, name string, f ledger.Former) error {
	_, err := c.update(ctx, s, name, func(old *known) (*credential, error) {
		if old == nil || !f.Revoke {
			return nil, nil
		}
		if id, _ := old.grant(); id == f.ID || slices.ContainsFunc(old.Former, func(known former) bool { return known.ID == f.ID }) {
			return nil, nil
		}
		next := old.credential
		next.Former = append(slices.Clone(next.Former), former{
			ID: f.ID, ClientID: f.ClientID, AccountsURL: f.AccountsURL, DataCenter: f.DataCenter, Revoke: f.Revoke, Until: time.Now().UTC(),
		})
		return &next, nil
	}, nil)
	return err
}

// Replace makes a credential, the lock of whose name is held, point to the grant with
// which its own goes on: Zoho replaced the refresh token.
func (c *credentials) Replace(ctx context.Context, s logical.Storage, name string, g *ledger.Grant) error {
	_, err := c.updateHeld(ctx, s, name, func(old *known) (*credential, error) {
		if old == nil {
			return nil, nil
		}
		next := old.credential
		next.RefreshToken, next.Connected = g.RefreshToken, time.Now().UTC()
		next.succeed(&old.credential, false)
		return &next, nil
	})
	return err
}

// goesOn reports whether a credential still has a grant, under whatever refresh token
// Zoho has given it since.
func (c *credential) goesOn(id string) bool {
	if current, _ := c.grant(); current == id {
		return true
	}
	for i := len(c.Former) - 1; i >= 0 && !c.Former[i].Revoke; i-- {
		if c.Former[i].ID == id {
			return true
		}
	}
	return false
}

// credentials owns what is stored at creds/.
type credentials struct {
	memory *memory
	locks  *store.Locks

	mu       sync.Mutex
	attempts map[*attempt]bool
	// idle is closed when the last attempt ends.
	idle chan struct{}
	// deletions counts the requests that are deleting a name.
	deletions map[string]int
}

// attempt is a request that obtains a grant for a name from Zoho.
type attempt struct {
	name string
	// consent is the id of the consent that it completes; credentials.mu guards it.
	consent string
	// cancelled says why it must not connect the credential any more: the credential was
	// deleted, or the consent withdrawn, meanwhile. credentials.mu guards it.
	cancelled string
	// connected: it did. credentials.mu guards it.
	connected bool
}

func newCredentials(m *memory) *credentials {
	return &credentials{memory: m, locks: store.NewLocks(), attempts: map[*attempt]bool{}, deletions: map[string]int{}}
}

// begin announces that a grant is being obtained for a name; end has to follow.
func (c *credentials) begin(name string) *attempt {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := &attempt{name: name}
	if len(c.attempts) == 0 {
		c.idle = make(chan struct{})
	}
	c.attempts[a] = true
	return a
}

func (c *credentials) end(a *attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if delete(c.attempts, a); len(c.attempts) == 0 {
		close(c.idle)
	}
}

// deletes announces a request that deletes a name; end has to be called.
func (c *credentials) deletes(name string) (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deletions[name]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.deletions[name]--; c.deletions[name] == 0 {
			delete(c.deletions, name)
		}
	}
}

// deleting returns how many requests are deleting each name.
func (c *credentials) deleting() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.deletions)
}

// obtained waits until no grant is being obtained, or the context ends.
func (c *credentials) obtained(ctx context.Context) {
	for {
		c.mu.Lock()
		idle := c.idle
		none := len(c.attempts) == 0
		c.mu.Unlock()
		if none {
			return
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return
		}
	}
}

// obtaining returns how many grants are being obtained.
func (c *credentials) obtaining() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.attempts)
}

// obtainingFor reports whether a grant is being obtained for a name.
func (c *credentials) obtainingFor(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for a := range c.attempts {
		if a.name == name {
			return true
		}
	}
	return false
}

// completing notes which consent an attempt completes, nil if none.
func (c *credentials) completing(a *attempt, asked *consent.Consent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if asked != nil {
		a.consent = asked.ID
	}
}

// cancel ends the attempts for a name, whose lock is held: those that complete one
// consent, or all if that is empty.
func (c *credentials) cancel(name, consentID, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for a := range c.attempts {
		if a.name == name && (consentID == "" || a.consent == consentID) {
			a.cancelled = why
		}
	}
}

// completed reports whether a consent has connected the credential already, by an attempt
// that has not returned yet. The lock of the name is held.
func (c *credentials) completed(name, consentID string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for a := range c.attempts {
		if a.name == name && a.consent == consentID && a.connected {
			return true
		}
	}
	return false
}

// stopped returns why an attempt must not connect the credential any more, "" if it may.
func (c *credentials) stopped(a *attempt) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return a.cancelled
}

// succeeded notes that an attempt has connected its credential.
func (c *credentials) succeeded(a *attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a.connected = true
}

// Still runs work while the credential of a name does not change.
func (c *credentials) Still(name string, work func() error) error {
	return c.locks.Locked(name, work)
}

// there returns the credential of a name, nil where there is none.
func (c *credentials) there(ctx context.Context, s logical.Storage, name string) (*known, error) {
	k, err := c.memory.credential(ctx, s, name)
	if isAbsent(err) {
		return nil, nil
	}
	return k, err
}

// connect makes a name's credential point to a grant that passed the gate. It keeps the
// settings of the credential, changed by edit.
func (c *credentials) connect(ctx context.Context, s logical.Storage, a *attempt, passed gate.Passed, next *credential, edit func(*settings) error) (*known, error) {
	return c.update(ctx, s, a.name, func(old *known) (*credential, error) {
		if why := c.stopped(a); why != "" {
			return nil, refuse("%s while Zoho was asked, so nothing was connected; start again with authorize/%s", why, a.name)
		}
		if id, _ := next.grant(); !passed.Allows(a.name, id) {
			return nil, fmt.Errorf("a grant for %q did not pass the gate", a.name)
		}
		if old == nil {
			next.succeed(nil, true)
		} else {
			next.succeed(&old.credential, true)
		}
		if err := edit(&next.settings); err != nil {
			return nil, err
		}
		return next, nil
	}, func() { c.succeeded(a) })
}

// extend notes that the grant of a name's credential gained scopes.
func (c *credentials) extend(ctx context.Context, s logical.Storage, name string, passed gate.Passed, requested, granted []string, edit func(*settings) error) (*known, error) {
	return c.update(ctx, s, name, func(old *known) (*credential, error) {
		if old == nil {
			return nil, refuse("credential %q was deleted while Zoho was asked; connect it again with authorize/%s", name, name)
		}
		id, _ := old.grant()
		if !passed.Allows(name, id) {
			return nil, refuse("credential %q was connected again while Zoho was asked, so the scopes were added to a grant that it no longer has; start again with authorize/%s add_scopes=%s", name, name, zoho.FormatScopes(requested))
		}
		next := old.credential
		for _, scope := range requested {
			if !slices.ContainsFunc(next.Requested, func(s string) bool { return strings.EqualFold(s, scope) }) {
				next.Requested = append(slices.Clone(next.Requested), scope)
			}
		}
		if len(granted) > 0 {
			next.Granted = granted
		}
		if err := edit(&next.settings); err != nil {
			return nil, err
		}
		return &next, nil
	}, nil)
}

// set changes the settings of a name's credential. absent is the error without one.
func (c *credentials) set(ctx context.Context, s logical.Storage, name string, edit func(*settings) error, absent error) (*known, error) {
	return c.update(ctx, s, name, func(old *known) (*credential, error) {
		if old == nil {
			return nil, absent
		}
		next := old.credential
		if err := edit(&next.settings); err != nil {
			return nil, err
		}
		return &next, nil
	}, nil)
}

// identify notes whose account the grant of a credential is in, and reports whether the
// credential still has that grant.
func (c *credentials) identify(ctx context.Context, s logical.Storage, k *known, person zoho.Person) (same bool, err error) {
	_, err = c.update(ctx, s, k.name, func(now *known) (*credential, error) {
		if same = now != nil && now.RefreshToken == k.RefreshToken; !same || now.Person == person {
			return nil, nil
		}
		next := now.credential
		next.Person = person
		return &next, nil
	}, nil)
	return same, err
}

// update replaces the credential of a name by what next returns, given what is there:
// nil where nothing is. It is the only change meanwhile. A nil next changes nothing.
// done, if not nil, runs when the change is stored, before anything else can change.
// It is not for other files: a change of the grant belongs to connect.
func (c *credentials) update(ctx context.Context, s logical.Storage, name string, next func(old *known) (*credential, error), done func()) (k *known, err error) {
	err = c.Still(name, func() error {
		k, err = c.updateHeld(ctx, s, name, next)
		if err == nil && done != nil {
			done()
		}
		return err
	})
	return k, err
}

// updateHeld is update where the lock of the name is held.
func (c *credentials) updateHeld(ctx context.Context, s logical.Storage, name string, next func(old *known) (*credential, error)) (*known, error) {
	old, err := c.there(ctx, s, name)
	if err != nil {
		return nil, err
	}
	changed, err := next(old)
	if err != nil || changed == nil {
		return old, err
	}
	k := &known{name: name, credential: *changed}
	defer c.memory.forget(credsPrefix + name)
	return k, store.Put(ctx, s, credsPrefix+name, &k.credential)
}

// remove deletes the credential of a name after before has run, with what is there,
// or nil; whatever is being obtained for the name comes to nothing.
func (c *credentials) remove(ctx context.Context, s logical.Storage, name string, before func(old *known) error) error {
	return c.Still(name, func() error {
		c.cancel(name, "", fmt.Sprintf("credential %q was deleted", name))
		old, err := c.there(ctx, s, name)
		if err != nil {
			return err
		}
		if err := before(old); err != nil || old == nil {
			return err
		}
		defer c.memory.forget(credsPrefix + name)
		return store.Delete(ctx, s, credsPrefix+name)
	})
}

// Grants returns the grant that a credential points to, and those before it.
func (c *credentials) Grants(ctx context.Context, s logical.Storage, name string) (*ledger.Grant, []ledger.Former, error) {
	k, err := c.there(ctx, s, name)
	if err != nil || k == nil {
		return nil, nil, err
	}
	current := k.ledgerGrant()
	var before []ledger.Former
	for _, f := range k.Former {
		before = append(before, ledger.Former{
			Grant:  ledger.Grant{ID: f.ID, Variant: f.Variant, ClientID: f.ClientID, AccountsURL: f.AccountsURL, DataCenter: f.DataCenter},
			Revoke: f.Revoke && f.GrantType != grantClient, Until: f.Until,
		})
	}
	return &current, before, nil
}
