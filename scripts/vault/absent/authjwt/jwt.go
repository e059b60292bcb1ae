// Package jwtauth stands for the auth methods jwt and oidc: the names that Vault
// uses, and an error.
package jwtauth

import (
	"context"
	"errors"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/sdk/logical"
)

var errAbsent = errors.New("this test build of Vault has no auth methods jwt and oidc")

// Factory fails.
func Factory(context.Context, *logical.BackendConfig) (logical.Backend, error) {
	return nil, errAbsent
}

// CLIHandler logs in from the command line.
type CLIHandler struct{}

// Auth fails.
func (*CLIHandler) Auth(*api.Client, map[string]string) (*api.Secret, error) { return nil, errAbsent }

// Help is how to log in.
func (*CLIHandler) Help() string { return errAbsent.Error() }
