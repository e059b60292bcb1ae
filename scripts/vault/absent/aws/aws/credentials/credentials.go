// Package credentials stands for AWS credentials, which Vault Agent's login method
// aws needs: the names that Vault uses, and an error.
package credentials

import "errors"

// ErrAbsent is why there are none.
var ErrAbsent = errors.New("this test build of Vault has no login method aws")

// Credentials are credentials.
type Credentials struct{}

// Value is what they hold.
type Value struct{ AccessKeyID, SecretAccessKey, SessionToken, ProviderName string }

// Get fails.
func (*Credentials) Get() (Value, error) { return Value{}, ErrAbsent }

// IsExpired is true.
func (*Credentials) IsExpired() bool { return true }
