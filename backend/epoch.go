// Epoch of the mount's access tokens: one stored entry that condemns every token which was
// minted before the last revocation of all, without a write for each of them.

package backend

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend/internal/store"
	"vault-plugin-secrets-zoho/zoho"
)

// epochKey is where the epochs are stored. There is nothing before the first revocation of
// all access tokens.
const epochKey = "epoch"

// storedEpochs is what is stored there.
type storedEpochs struct {
	store.Versioned
	zoho.Epochs
}

// epochs owns the stored epochs.
type epochs struct {
	keeper *zoho.Keeper
	// known: what is stored is known to the keeper.
	known atomic.Bool
	// writing has a value while one request reads the entry and stores it again. Reads do not
	// wait for it: storage may hang.
	writing chan struct{}
}

func newEpochs(k *zoho.Keeper) *epochs {
	return &epochs{keeper: k, writing: make(chan struct{}, 1)}
}

func (e *epochs) lock(ctx context.Context) error {
	select {
	case e.writing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *epochs) unlock() { <-e.writing }

// errDamagedEpoch is the answer to whoever reads a token while the entry is damaged.
var errDamagedEpoch error = &answer{status: http.StatusInternalServerError, text: "what is stored at epoch is damaged, so it is not known which access tokens are revoked, and none is handed out; an operator writes revoke without a name, which revokes all access tokens and replaces the entry"}

// load makes known what another node, or an earlier process, stored.
func (e *epochs) load(ctx context.Context, s logical.Storage) error {
	stored, err := e.stored(ctx, s)
	if errors.Is(err, store.ErrDamaged) {
		return errDamagedEpoch
	}
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(stored.Epochs, e.keeper.Epochs()) {
		e.keeper.SetEpochs(stored.Epochs, true)
	}
	return nil
}

func (e *epochs) stored(ctx context.Context, s logical.Storage) (*storedEpochs, error) {
	var stored storedEpochs
	if err := store.Get(ctx, s, epochKey, &stored); err != nil && !errors.Is(err, store.ErrAbsent) {
		return nil, err
	}
	return &stored, nil
}

// begin begins an epoch: from now on no node hands out a token of an earlier one.
func (e *epochs) begin(ctx context.Context, s logical.Storage) (epoch uint64, err error) {
	if err := e.lock(ctx); err != nil {
		return 0, err
	}
	defer e.unlock()
	stored, err := e.stored(ctx, s)
	if errors.Is(err, store.ErrDamaged) {
		stored, err = &storedEpochs{}, nil // what it said cannot be known: a later epoch than any replaces it
	}
	if err != nil {
		return 0, err
	}
	// The time exceeds the number of an entry that was damaged.
	stored.Current = max(stored.Current+1, e.keeper.Epochs().Current+1, uint64(time.Now().UnixMilli()))
	return stored.Current, e.put(ctx, s, stored)
}

// revoked notes which access tokens of earlier epochs are revoked.
func (e *epochs) revoked(ctx context.Context, s logical.Storage, span zoho.Span) error {
	if err := e.lock(ctx); err != nil {
		return err
	}
	defer e.unlock()
	stored, err := e.stored(ctx, s)
	if err != nil {
		return err
	}
	stored.Epochs = stored.With(span)
	return e.put(ctx, s, stored)
}

// put stores epochs, and then makes them known: a token that is minted meanwhile belongs to
// the epoch before.
func (e *epochs) put(ctx context.Context, s logical.Storage, stored *storedEpochs) error {
	if err := store.Put(ctx, s, epochKey, stored); err != nil {
		return err
	}
	e.keeper.SetEpochs(stored.Epochs, false)
	return nil
}
