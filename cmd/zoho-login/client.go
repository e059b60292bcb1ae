// client.go: the client for Vault, with address and token as the vault command finds them.

package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/cliconfig"
)

func newClient() (*api.Client, error) {
	config := api.DefaultConfig()
	if config.Error != nil {
		return nil, fmt.Errorf("reading Vault's environment variables: %w", config.Error)
	}
	client, err := api.NewClient(config)
	if err != nil {
		return nil, fmt.Errorf("reading Vault's environment variables: %w", err)
	}
	// The vault command tries once, too.
	setRetries(client, 0)
	// VAULT_WRAP_TTL is for what a person reads; a wrapped answer can't be worked with.
	client.SetWrappingLookupFunc(func(string, string) string { return "" })
	if client.Token() != "" {
		return client, nil
	}
	helper, err := cliconfig.DefaultTokenHelper()
	if err != nil {
		return nil, fmt.Errorf("finding the token of vault login: %w", err)
	}
	token, err := helper.Get()
	if err != nil {
		return nil, fmt.Errorf("reading the token of vault login: %w", err)
	}
	// None is no mistake here: an agent may have one of its own.
	client.SetToken(strings.TrimSpace(token))
	return client, nil
}

// setRetries says how often a request is sent again when Vault is away for a moment,
// unless the person has said it.
func setRetries(client *api.Client, n int) {
	if os.Getenv(api.EnvVaultMaxRetries) == "" {
		client.SetMaxRetries(n)
	}
}
