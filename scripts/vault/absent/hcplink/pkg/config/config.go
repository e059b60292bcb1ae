// Package config stands for how to link to HashiCorp's cloud: the names that
// Vault uses, and an error.
package config

import (
	"errors"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/hcp-link/pkg/nodestatus"
	scada "github.com/hashicorp/hcp-scada-provider"
	"github.com/hashicorp/hcp-sdk-go/clients/cloud-shared/v1/models"
	"github.com/hashicorp/hcp-sdk-go/config"
)

// Config is how to link.
type Config struct {
	NodeID, NodeVersion string
	Resource            models.HashicorpCloudLocationLink
	HCPConfig           config.HCPConfig
	NodeStatusReporter  nodestatus.Reporter
	SCADAProvider       scada.SCADAProvider
	Logger              hclog.Logger
}

// Validate fails.
func (*Config) Validate() error {
	return errors.New("this test build of Vault has no link to HashiCorp's cloud")
}
