// Package crypto stands for PGP, which HashiCorp's signed plugin archives need:
// the names that Vault uses, and an error. Plugins that are registered by their
// SHA-256 do not need it.
package crypto

import "errors"

var errAbsent = errors.New("this test build of Vault verifies no signed plugin archives; register the plugin by its sha256")

// Armor is an encoding.
const Armor int8 = 0

// Key is a key.
type Key struct{}

// NewKeyFromArmored fails.
func NewKeyFromArmored(string) (*Key, error) { return nil, errAbsent }

// ToPublic fails.
func (*Key) ToPublic() (*Key, error) { return nil, errAbsent }

// Armor fails.
func (*Key) Armor() (string, error) { return "", errAbsent }

// What Vault makes before it verifies or, in its tests, signs.
type (
	PGPHandle            struct{}
	KeyGenerationBuilder struct{}
	SignHandleBuilder    struct{}
	VerifyHandleBuilder  struct{}
	PGPKeyGeneration     interface{ GenerateKey() (*Key, error) }
	PGPSign              interface {
		Sign(message []byte, encoding int8) ([]byte, error)
		ClearPrivateParams()
	}
	PGPVerify interface {
		VerifyDetached(data, signature []byte, encoding int8) (*VerifyResult, error)
	}
	VerifyResult struct{}
)

// PGP makes what follows.
func PGP() *PGPHandle { return &PGPHandle{} }

// KeyGeneration starts to make a key.
func (*PGPHandle) KeyGeneration() *KeyGenerationBuilder { return &KeyGenerationBuilder{} }

// AddUserId changes nothing.
func (b *KeyGenerationBuilder) AddUserId(_, _ string) *KeyGenerationBuilder { return b }

// New makes one that fails.
func (*KeyGenerationBuilder) New() PGPKeyGeneration { return none{} }

// Sign starts to sign.
func (*PGPHandle) Sign() *SignHandleBuilder { return &SignHandleBuilder{} }

// SigningKey changes nothing.
func (b *SignHandleBuilder) SigningKey(*Key) *SignHandleBuilder { return b }

// Detached changes nothing.
func (b *SignHandleBuilder) Detached() *SignHandleBuilder { return b }

// New fails.
func (*SignHandleBuilder) New() (PGPSign, error) { return nil, errAbsent }

// Verify starts to verify.
func (*PGPHandle) Verify() *VerifyHandleBuilder { return &VerifyHandleBuilder{} }

// VerificationKey changes nothing.
func (b *VerifyHandleBuilder) VerificationKey(*Key) *VerifyHandleBuilder { return b }

// New fails.
func (*VerifyHandleBuilder) New() (PGPVerify, error) { return nil, errAbsent }

// SignatureError is an error: no signature was verified.
func (*VerifyResult) SignatureError() error { return errAbsent }

type none struct{}

func (none) GenerateKey() (*Key, error) { return nil, errAbsent }
