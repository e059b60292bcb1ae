// Package subtle stands for wrapping of keys, which imports of keys into transit
// need: the names that Vault uses, and an error.
package subtle

import "errors"

var errAbsent = errors.New("this test build of Vault wraps no keys")

// KWP wraps keys.
type KWP struct{}

// NewKWP fails.
func NewKWP([]byte) (*KWP, error) { return nil, errAbsent }

// Wrap fails.
func (*KWP) Wrap([]byte) ([]byte, error) { return nil, errAbsent }

// Unwrap fails.
func (*KWP) Unwrap([]byte) ([]byte, error) { return nil, errAbsent }
