// To whom does a state belong? It says so itself, sealed with a key of the mount: one
// that somebody made up is told apart without a look at storage.

package backend

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// maxState bounds what is looked at; a name of 128 bytes makes 208.
const maxState = 256

// states seals the names of credentials into OAuth states, and opens them again.
type states struct{ aead cipher.AEAD }

func newStates(mountKey []byte) (*states, error) {
	if len(mountKey) == 0 {
		return nil, errors.New("what is stored at config has no key")
	}
	key, err := hkdf.Key(sha256.New, mountKey, nil, "oauth state", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &states{aead}, err
}

// seal makes a new state for a name. No two are the same.
func (s *states) seal(name string) string {
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, []byte(name), nil))
}

// open returns whose state it is, "" if it was not made here.
func (s *states) open(state string) (name string) {
	if len(state) > maxState || strings.ContainsAny(state, "\r\n") { // which the decoder would ignore
		return ""
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(state)
	if err != nil {
		return ""
	}
	plain, err := s.aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return ""
	}
	return string(plain)
}
