// Package openpgp stands for PGP, which shares of keys that are encrypted to
// their holders (-pgp-keys) need: the names that Vault uses, and an error.
package openpgp

import (
	"errors"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

var errAbsent = errors.New("this test build of Vault has no PGP")

// Entity is a key with its owner.
type Entity struct{ PrimaryKey *packet.PublicKey }

// Serialize fails.
func (*Entity) Serialize(io.Writer) error { return errAbsent }

// EntityList is a key ring.
type EntityList []*Entity

// MessageDetails is a message.
type MessageDetails struct{ UnverifiedBody io.Reader }

// Encrypt fails.
func Encrypt(io.Writer, []*Entity, *Entity, *struct{}, *struct{}) (io.WriteCloser, error) {
	return nil, errAbsent
}

// ReadArmoredKeyRing fails.
func ReadArmoredKeyRing(io.Reader) (EntityList, error) { return nil, errAbsent }

// ReadEntity fails.
func ReadEntity(*packet.Reader) (*Entity, error) { return nil, errAbsent }

// ReadMessage fails.
func ReadMessage(io.Reader, *EntityList, func(), *struct{}) (*MessageDetails, error) {
	return nil, errAbsent
}
