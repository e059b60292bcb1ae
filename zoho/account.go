// What does a Keeper need to know of a grant, and where does it keep what it knows?

package zoho

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
)

// Account is one grant with all that is needed to mint from it.
type Account struct {
	// ID identifies the grant, see Fingerprint: same ID, same budget, same tokens.
	ID string
	// Setup is the fingerprint of everything else that a failure may depend on.
	Setup string
	// Name is what the grant is called in events.
	Name string
	// Variant tells apart the tokens that one grant mints for different scopes.
	Variant string
	Grant   Grant
	Client  *Client
	Limits  Limits
	// Connected is when the grant's first token was minted. It takes a place even
	// if a crash lost the record.
	Connected time.Time
	Shelf     Shelf
}

func (a *Account) timeout() time.Duration {
	if a.Client.Timeout > 0 {
		return a.Client.Timeout
	}
	return DefaultTimeout
}

func (a *Account) maxLifetime() time.Duration {
	if a.Client.MaxLifetime > 0 {
		return a.Client.MaxLifetime
	}
	return DefaultLifetime
}

// Shelf is where a grant's record lives. A Keeper has at most one Save under way
// for each ID.
type Shelf interface {
	// Load returns the stored record, or nil without one.
	Load(ctx context.Context, id string) (*Record, error)
	Save(ctx context.Context, id string, r *Record) error
	// Rotated stores a refresh token that came with a refresh in place of the account's,
	// and r under the id of the new grant: first r, then what leads readers to it. It
	// returns that id, "" if the credential was changed meanwhile: then nothing is
	// carried over. After an error it is asked again, with the same token, by whoever
	// mints next; if nobody does the token is for the shelf to look after.
	// Zoho documents no rotation; its SDKs would store such a token.
	Rotated(ctx context.Context, refreshToken Secret, r *Record) (id string, err error)
	// LoadClient and SaveClient are the same for the mint limit of a client.
	LoadClient(ctx context.Context, id string) (*ClientRecord, error)
	SaveClient(ctx context.Context, id string, r *ClientRecord) error
	// ReadOnly tells that this node can't store: it may serve, never mint.
	ReadOnly() bool
}

// ErrReadOnly means that the read needs a mint and this node can't store one.
var ErrReadOnly = errors.New("a new token is needed, and this node cannot store one")

// Fingerprint returns an identifier of secrets that does not reveal them.
func Fingerprint(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		_, _ = fmt.Fprintf(h, "%d:", len(part)) // a hash never fails
		_, _ = io.WriteString(h, part)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
