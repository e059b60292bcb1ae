// Package okta stands for a client of Okta, which login MFA by Okta needs: the
// names that Vault uses, and an error.
package okta

import (
	"context"
	"errors"
)

// Configuration is how to reach Okta.
type Configuration struct{ Context context.Context }

// ConfigSetter is an option of NewConfiguration.
type ConfigSetter func(*Configuration)

// WithToken changes nothing.
func WithToken(string) ConfigSetter { return nil }

// WithOrgUrl changes nothing.
func WithOrgUrl(string) ConfigSetter { return nil }

// WithCache changes nothing.
func WithCache(bool) ConfigSetter { return nil }

// NewConfiguration fails, so that nothing below is called.
func NewConfiguration(...ConfigSetter) (*Configuration, error) {
	return nil, errors.New("this test build of Vault has no login MFA by Okta")
}

// The rest is only compiled.
type (
	APIClient struct {
		UserAPI       UserAPI
		UserFactorAPI UserFactorAPI
	}
	APIResponse struct{}

	UserAPI interface {
		ListUsers(context.Context) ApiListUsersRequest
	}
	ApiListUsersRequest interface {
		Filter(string) ApiListUsersRequest
		Execute() ([]User, *APIResponse, error)
	}
	User struct{}

	UserFactorAPI interface {
		ListFactors(ctx context.Context, userID string) ApiListFactorsRequest
		VerifyFactor(ctx context.Context, userID, factorID string) ApiVerifyFactorRequest
		GetFactorTransactionStatus(ctx context.Context, userID, factorID, transactionID string) ApiGetFactorTransactionStatusRequest
	}
	ApiListFactorsRequest interface {
		Execute() ([]ListFactors200ResponseInner, *APIResponse, error)
	}
	ListFactors200ResponseInner struct{ UserFactorPush *UserFactorPush }
	UserFactorPush              struct{}
	ApiVerifyFactorRequest      interface {
		Execute() (*UserFactorVerifyResponse, *APIResponse, error)
	}
	UserFactorVerifyResponse             struct{ Links any }
	ApiGetFactorTransactionStatusRequest interface {
		Execute() (*GetFactorTransactionStatus200Response, *APIResponse, error)
	}
	GetFactorTransactionStatus200Response struct {
		UserFactorPushTransaction, UserFactorPushTransactionRejected, UserFactorPushTransactionTimeout, UserFactorPushTransactionWaiting *struct{}
	}
)

// NewAPIClient makes nothing.
func NewAPIClient(*Configuration) *APIClient { return nil }

// GetConfig is nothing.
func (*APIClient) GetConfig() *Configuration { return nil }

// GetId is nothing.
func (*User) GetId() string { return "" }

// GetId is nothing.
func (*UserFactorPush) GetId() string { return "" }

// GetFactorResult is nothing.
func (*UserFactorVerifyResponse) GetFactorResult() string { return "" }
