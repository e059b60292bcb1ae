// Where and how is everything stored? The only file that knows storage keys and
// formats. Absent is an error, never a nil.

package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

const (
	configKey     = "config"
	credsPrefix   = "creds/"   // + name: the grant and its settings
	tokenPrefix   = "token/"   // + grant id: its tokens and budget, written on each mint
	pendingPrefix = "pending/" // + name: a consent that was started
	retiredPrefix = "retired/" // + grant id: a grant to be revoked
	holderPrefix  = "holder/"  // + grant id + / + name: who uses a grant; an import may be used twice
)

// formatVersion is the format of every value that this code writes.
const formatVersion = 1

// errAbsent means that there is nothing at a key.
var errAbsent = errors.New("absent")

// versioned is embedded in every stored value.
type versioned struct {
	Version int `json:"version"`
}

func (v *versioned) version() *int { return &v.Version }

type value interface{ version() *int }

// get reads what is stored at key into v.
func get(ctx context.Context, s logical.Storage, key string, v value) error {
	entry, err := s.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("reading %s: %w", key, err)
	}
	if entry == nil {
		return errAbsent
	}
	var format versioned
	if json.Unmarshal(entry.Value, &format) == nil && format.Version > formatVersion {
		return fmt.Errorf("%s was %w", key, zoho.ErrNewerFormat)
	}
	if err := json.Unmarshal(entry.Value, v); err != nil {
		// The decoder's error may quote what is stored.
		return fmt.Errorf("what is stored at %s is damaged", key)
	}
	return nil
}

// put stores v at key.
func put(ctx context.Context, s logical.Storage, key string, v value) error {
	*v.version() = formatVersion
	entry, err := logical.StorageEntryJSON(key, v)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", key, err)
	}
	if err := s.Put(ctx, entry); err != nil {
		// A write that timed out may have been done all the same; what is there counts.
		if now, failed := s.Get(ctx, key); failed == nil && now != nil && bytes.Equal(now.Value, entry.Value) {
			return nil
		}
		return fmt.Errorf("storing %s: %w", key, err)
	}
	return nil
}

// credential is one grant and its settings.
type credential struct {
	versioned
	// ClientID is the client it was connected with; no other can use it.
	ClientID   string `json:"client_id"`
	DataCenter string `json:"data_center"`
	// AccountsURL issued the grant, and is where it has to be revoked.
	AccountsURL  string      `json:"accounts_url"`
	GrantType    string      `json:"grant_type"`
	RefreshToken zoho.Secret `json:"refresh_token,omitempty"`
	APIDomain    string      `json:"api_domain,omitempty"`
	// SOID is the organisation of a client-credentials grant.
	SOID      string    `json:"soid,omitempty"`
	Requested []string  `json:"requested_scopes,omitempty"`
	Granted   []string  `json:"granted_scopes,omitempty"`
	Connected time.Time `json:"connected"`
	Created   time.Time `json:"created"`
	// Person is whose account it is, where the scopes let that be asked.
	Person zoho.Person `json:"person,omitzero"`
	settings
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

// Grant types, as status shows them.
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantDevice  = "device_code"
	grantClient  = "client_credentials"
)

// pending is a consent that was started and not finished.
type pending struct {
	versioned
	State       string      `json:"state"`
	RedirectURI string      `json:"redirect_uri"`
	Scopes      []string    `json:"scopes"`
	DataCenter  string      `json:"data_center"`
	Verifier    zoho.Secret `json:"verifier,omitempty"`
	Expires     time.Time   `json:"expires"`
	// Flow is how the person consents: code, device, or scopes for more scopes.
	Flow string `json:"flow"`
	// Spent is the fingerprint of a code that was sent.
	Spent string `json:"spent,omitempty"`
	// The rest belongs to the device flow.
	DeviceCode      zoho.Secret   `json:"device_code,omitempty"`
	UserCode        string        `json:"user_code,omitempty"`
	VerificationURL string        `json:"verification_url,omitempty"`
	Interval        time.Duration `json:"interval,omitempty"`
	NextPoll        time.Time     `json:"next_poll,omitzero"`
}

// Flows of a consent.
const (
	flowCode   = "code"
	flowDevice = "device"
	flowScopes = "scopes"
	// flowSpent is no consent: it remembers the last code that was sent to Zoho, so
	// that it is never sent again.
	flowSpent = "spent"
)

// retiredGrant is a grant that is to be revoked at Zoho, or only forgotten, once
// no access token of it lives that somebody may hold.
type retiredGrant struct {
	versioned
	Name         string      `json:"name"`
	GrantID      string      `json:"grant_id"`
	RefreshToken zoho.Secret `json:"refresh_token"`
	ClientID     string      `json:"client_id"`
	AccountsURL  string      `json:"accounts_url"`
	DataCenter   string      `json:"data_center,omitempty"`
	ZUID         string      `json:"zuid,omitempty"`
	Revoke       bool        `json:"revoke"`
	// Now: at the next chance, whatever tokens still live.
	Now     bool      `json:"now"`
	Retired time.Time `json:"retired"`
}

// holder marks that a credential uses a grant.
type holder struct{ versioned }

func holderKey(grantID, name string) string { return holderPrefix + grantID + "/" + name }

// shelf lends a request's storage to the keeper, for one credential.
type shelf struct {
	storage    logical.Storage
	mount      *backend
	credential string
	grant      zoho.Grant
}

// Load implements zoho.Shelf.
func (s *shelf) Load(ctx context.Context, id string) (*zoho.Record, error) {
	entry, err := s.storage.Get(ctx, tokenPrefix+id)
	if err != nil {
		return nil, fmt.Errorf("reading the token record: %w", err)
	}
	if entry == nil {
		return nil, nil
	}
	return zoho.ParseRecord(entry.Value)
}

// Save implements zoho.Shelf.
func (s *shelf) Save(ctx context.Context, id string, r *zoho.Record) error {
	entry, err := logical.StorageEntryJSON(tokenPrefix+id, r)
	if err != nil {
		return fmt.Errorf("encoding the token record: %w", err)
	}
	return s.storage.Put(apart(ctx), entry)
}

// apart keeps a write out of the request's own replication index: a mint outlives
// its readers, and the bridge reads that index, unguarded, when they leave.
func apart(ctx context.Context) context.Context {
	return logical.IndexStateContext(ctx, &logical.WALState{})
}

// Rotated implements zoho.Shelf.
func (s *shelf) Rotated(ctx context.Context, refreshToken zoho.Secret) error {
	return s.mount.rotated(apart(ctx), s.storage, s.credential, s.grant.RefreshToken, refreshToken)
}

// ReadOnly implements zoho.Shelf.
func (s *shelf) ReadOnly() bool { return !s.mount.WriteSafeReplicationState() }
