// Package iamcredentials stands for Google's signatures of tokens, which Vault
// Agent's login method gcp needs: the names that Vault uses, and an error.
package iamcredentials

import (
	"errors"
	"net/http"
)

// CloudPlatformScope is a scope.
const CloudPlatformScope = "https://www.googleapis.com/auth/cloud-platform"

// What is signed, by what, and how it comes back.
type (
	Service         struct{ Projects *ProjectsService }
	ProjectsService struct {
		ServiceAccounts *ProjectsServiceAccountsService
	}
	ProjectsServiceAccountsService struct{}
	SignJwtRequest                 struct{ Payload string }
	SignJwtResponse                struct{ SignedJwt string }
	SignJwtCall                    struct{}
)

var errAbsent = errors.New("this test build of Vault has no login method gcp")

// New fails.
func New(*http.Client) (*Service, error) { return nil, errAbsent }

// SignJwt makes a call that fails.
func (*ProjectsServiceAccountsService) SignJwt(string, *SignJwtRequest) *SignJwtCall {
	return &SignJwtCall{}
}

// Do fails.
func (*SignJwtCall) Do(...any) (*SignJwtResponse, error) { return nil, errAbsent }
