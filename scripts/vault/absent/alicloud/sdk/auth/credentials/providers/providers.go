// Package providers stands for sources of AliCloud credentials, which Vault
// Agent's login method alicloud needs: the names that Vault uses, and an error.
package providers

import (
	"errors"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
)

// Configuration has the fields that Vault fills in.
type Configuration struct {
	AccessKeyID, AccessKeySecret, AccessKeyStsToken string
	RoleArn, RoleName, RoleSessionName              string
	PrivateKey, PublicKeyID                         string
	RoleSessionExpiration, SessionExpiration        *int
}

// Provider is a source.
type Provider interface {
	Retrieve() (auth.Credential, error)
}

type none struct{}

func (none) Retrieve() (auth.Credential, error) {
	return nil, errors.New("this test build of Vault has no login method alicloud")
}

// NewConfigurationCredentialProvider makes a source that fails.
func NewConfigurationCredentialProvider(*Configuration) Provider { return none{} }

// NewEnvCredentialProvider makes a source that fails.
func NewEnvCredentialProvider() Provider { return none{} }

// NewInstanceMetadataProvider makes a source that fails.
func NewInstanceMetadataProvider() Provider { return none{} }

// NewChainProvider makes a source that fails.
func NewChainProvider([]Provider) Provider { return none{} }
