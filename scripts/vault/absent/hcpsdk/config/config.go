// Package config stands for how to reach HashiCorp's cloud: the names that Vault
// uses, and an error.
package config

import (
	"errors"

	"golang.org/x/oauth2"
)

// HCPConfig is how to reach it.
type HCPConfig interface {
	oauth2.TokenSource
	APIAddress() string
}

// HCPConfigOption is an option of NewHCPConfig.
type HCPConfigOption func()

// FromEnv changes nothing.
func FromEnv() HCPConfigOption { return nil }

// WithClientCredentials changes nothing.
func WithClientCredentials(_, _ string) HCPConfigOption { return nil }

// NewHCPConfig fails.
func NewHCPConfig(...HCPConfigOption) (HCPConfig, error) {
	return nil, errors.New("this test build of Vault has no link to HashiCorp's cloud")
}
