// Package common stands for Oracle Cloud credentials, which Vault Agent's login
// method oci needs: the names that Vault uses, and an error.
package common

import (
	"errors"
	"net/http"
)

// ErrAbsent is why there are none.
var ErrAbsent = errors.New("this test build of Vault has no login method oci")

// KeyProvider knows a key.
type KeyProvider interface {
	KeyID() (string, error)
}

// ConfigurationProvider knows credentials.
type ConfigurationProvider interface{ KeyProvider }

type none struct{}

func (none) KeyID() (string, error)   { return "", ErrAbsent }
func (none) Sign(*http.Request) error { return ErrAbsent }

// ConfigurationProviderEnvironmentVariables makes one that fails.
func ConfigurationProviderEnvironmentVariables(_, _ string) ConfigurationProvider { return none{} }

// ConfigurationProviderFromFile makes one that fails.
func ConfigurationProviderFromFile(_, _ string) (ConfigurationProvider, error) { return none{}, nil }

// ComposingConfigurationProvider makes one that fails.
func ComposingConfigurationProvider([]ConfigurationProvider) (ConfigurationProvider, error) {
	return none{}, nil
}

// HTTPRequestSigner signs requests.
type HTTPRequestSigner interface{ Sign(*http.Request) error }

// DefaultRequestSigner makes one that fails.
func DefaultRequestSigner(KeyProvider) HTTPRequestSigner { return none{} }
