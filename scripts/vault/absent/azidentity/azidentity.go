// Package azidentity stands for Azure credentials, which Vault Agent's login
// method azure needs: the names that Vault uses, and an error.
package azidentity

import (
	"context"
	"errors"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

var errAbsent = errors.New("this test build of Vault has no login method azure by credentials of the environment")

// DefaultAzureCredential are the credentials of the environment.
type DefaultAzureCredential struct{}

// AccessToken is a token.
type AccessToken struct{ Token string }

// NewDefaultAzureCredential fails.
func NewDefaultAzureCredential(*struct{}) (*DefaultAzureCredential, error) { return nil, errAbsent }

// GetToken fails.
func (*DefaultAzureCredential) GetToken(context.Context, policy.TokenRequestOptions) (AccessToken, error) {
	return AccessToken{}, errAbsent
}
