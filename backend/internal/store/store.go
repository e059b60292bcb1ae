// Package store reads and writes the values of a mount, each with the version of
// its format. Absent is an error, never a nil.
package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zoho"
)

// Format is the version that this code writes. 2: a credential knows the grants it
// had before; what is known of a grant is in the ledger.
const Format = 2

var (
	// ErrAbsent means that there is nothing at a key.
	ErrAbsent = errors.New("absent")
	// ErrDamaged means that a stored value is not what this engine writes.
	ErrDamaged = errors.New("damaged")
)

// Unreadable reports whether an error is about a stored value itself, which reading
// again does not change: it is damaged, or of a newer format.
func Unreadable(err error) bool {
	return errors.Is(err, ErrDamaged) || errors.Is(err, zoho.ErrNewerFormat) || errors.Is(err, zoho.ErrDamagedRecord)
}

// Versioned is embedded in every stored value.
type Versioned struct {
	Version int `json:"version"`
}

func (v *Versioned) format() *int { return &v.Version }

// Value is what embeds Versioned.
type Value interface{ format() *int }

// Get reads what is stored at key into v. A value of a newer format is refused with
// zoho.ErrNewerFormat, and left alone.
func Get(ctx context.Context, s logical.Storage, key string, v Value) error {
	entry, err := s.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("reading %s: %w", key, err)
	}
	if entry == nil {
		return ErrAbsent
	}
	var stored Versioned
	if json.Unmarshal(entry.Value, &stored) == nil && stored.Version > Format {
		return fmt.Errorf("%s was %w", key, zoho.ErrNewerFormat)
	}
	if err := json.Unmarshal(entry.Value, v); err != nil {
		// The decoder's error may quote what is stored.
		return fmt.Errorf("what is stored at %s is %w", key, ErrDamaged)
	}
	return nil
}

// Put stores v at key.
func Put(ctx context.Context, s logical.Storage, key string, v Value) error {
	*v.format() = Format
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

// Delete removes what is stored at key, if anything is.
func Delete(ctx context.Context, s logical.Storage, key string) error {
	if err := s.Delete(ctx, key); err != nil {
		return fmt.Errorf("deleting %s: %w", key, err)
	}
	return nil
}
