// Package vaulthcplib stands for the login to Vault servers in HashiCorp's cloud
// (vault hcp): the names that Vault uses.
package vaulthcplib

import (
	"time"

	"github.com/hashicorp/cli"
)

// HCPToken is a token of HashiCorp's cloud.
type HCPToken struct {
	AccessToken       string
	AccessTokenExpiry time.Time
	ProxyAddr         string
}

// HCPTokenHelper finds the token that an earlier login left.
type HCPTokenHelper interface {
	GetHCPToken(string) (*HCPToken, error)
}

// InternalHCPTokenHelper finds none. Every command of Vault asks it, so that an
// error here would stop them all.
type InternalHCPTokenHelper struct{}

// GetHCPToken finds none.
func (InternalHCPTokenHelper) GetHCPToken(string) (*HCPToken, error) { return nil, nil }

// InitHCPCommand adds no commands.
func InitHCPCommand(cli.Ui) map[string]cli.CommandFactory { return nil }
