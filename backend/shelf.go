// Where does the keeper keep its records? In the storage of a request, by grant.

package backend

import (
	"context"
	"fmt"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/ledger"
	"vault-plugin-secrets-zoho/zoho"
)

const (
	tokenPrefix = "token/" // + grant id: its tokens and budget, written on each mint
	// clientPrefix + an id of client and accounts server: mints of all grants, written only while
	// they share one limit.
	clientPrefix = "client/"
)

// shelf lends a request's storage to the keeper, for one credential.
type shelf struct {
	storage    logical.Storage
	mount      *backend
	credential string
	id         string   // of the grant
	from       *derived // what the grant was derived from
	// proving: the grant is only being proven, and its prover settles what comes of it.
	// rotated is set when Zoho replaced its refresh token meanwhile, with the doubt about
	// the new one.
	proving bool
	rotated zoho.Secret
	doubt   string
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
	if s.mount.ledger.Gone(id) {
		return absent("credential %q was deleted meanwhile", s.credential)
	}
	entry, err := logical.StorageEntryJSON(tokenPrefix+id, r)
	if err != nil {
		return fmt.Errorf("encoding the token record: %w", err)
	}
	return s.storage.Put(apart(ctx), entry)
}

// LoadClient implements zoho.Shelf.
func (s *shelf) LoadClient(ctx context.Context, id string) (*zoho.ClientRecord, error) {
	entry, err := s.storage.Get(ctx, clientPrefix+id)
	if err != nil {
		return nil, fmt.Errorf("reading the mint limit of the client: %w", err)
	}
	if entry == nil {
		return nil, nil
	}
	return zoho.ParseClientRecord(entry.Value)
}

// SaveClient implements zoho.Shelf.
func (s *shelf) SaveClient(ctx context.Context, id string, r *zoho.ClientRecord) error {
	entry, err := logical.StorageEntryJSON(clientPrefix+id, r)
	if err != nil {
		return fmt.Errorf("encoding the mint limit of the client: %w", err)
	}
	return s.storage.Put(apart(ctx), entry)
}

// apart keeps a write out of the request's own replication index: a mint outlives
// its readers, and the bridge reads that index, unguarded, when they leave.
func apart(ctx context.Context) context.Context {
	return logical.IndexStateContext(ctx, &logical.WALState{})
}

// ReadOnly implements zoho.Shelf.
func (s *shelf) ReadOnly() bool { return !s.mount.WriteSafeReplicationState() }

// Rotated implements zoho.Shelf: a refresh token that came with a refresh takes the
// place of the old one in every credential that holds it. Whoever is only proving the
// grant is told through rotated.
func (s *shelf) Rotated(ctx context.Context, refreshToken zoho.Secret, r *zoho.Record) (id string, err error) {
	ctx, b := apart(ctx), s.mount
	at := s.from.account.Client
	next := ledger.Grant{
		ID: zoho.Fingerprint(at.AccountsURL, at.ID, string(refreshToken)), RefreshToken: refreshToken,
		ClientID: at.ID, AccountsURL: at.AccountsURL, DataCenter: s.from.dc.Name, Replaces: s.id,
	}
	doubts, err := b.ledger.GoOn(ctx, s.storage, next, s.credential)
	if err != nil {
		return "", err
	}
	if err := s.Save(ctx, next.ID, r); err != nil {
		return "", err
	}
	for name, doubt := range doubts {
		if s.proving && name == s.credential {
			s.rotated, s.doubt = refreshToken, doubt
			continue
		}
		if _, err := b.ledger.Settle(ctx, s.storage, next.ID, name, doubt); err != nil {
			return "", err
		}
	}
	b.Logger().Info("Zoho replaced the refresh token", "credential", s.credential)
	return next.ID, nil
}
