// Package awskms stands for the seal that keeps its key in AWS KMS: the names
// that Vault uses, and an error.
package awskms

import (
	"context"
	"errors"

	"github.com/hashicorp/go-hclog"
	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
)

// Environment variables of this seal.
const (
	EnvAwsKmsWrapperKeyId   = "AWSKMS_WRAPPER_KEY_ID"
	EnvVaultAwsKmsSealKeyId = "VAULT_AWSKMS_SEAL_KEY_ID"
)

// Wrapper is the seal.
type Wrapper struct{ wrapping.Wrapper }

// NewWrapper makes a seal that cannot be configured.
func NewWrapper() *Wrapper { return &Wrapper{} }

// SetConfig fails.
func (*Wrapper) SetConfig(context.Context, ...wrapping.Option) (*wrapping.WrapperConfig, error) {
	return nil, errors.New("this test build of Vault has no seal of AWS KMS")
}

// WithDisallowEnvVars changes nothing.
func WithDisallowEnvVars(bool) wrapping.Option { return func() any { return nil } }

// WithLogger changes nothing.
func WithLogger(hclog.Logger) wrapping.Option { return func() any { return nil } }
