// Package scada stands for the connection to HashiCorp's cloud: the names that
// Vault uses, and an error.
package scada

import (
	"errors"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/hcp-sdk-go/clients/cloud-shared/v1/models"
	"github.com/hashicorp/hcp-sdk-go/config"
)

// Config is how to connect.
type Config struct {
	Service   string
	Resource  models.HashicorpCloudLocationLink
	HCPConfig config.HCPConfig
	Logger    hclog.Logger
}

// SessionStatus is a state of the connection.
type SessionStatus = string

// States of the connection.
const (
	SessionStatusDisconnected SessionStatus = "disconnected"
	SessionStatusConnecting   SessionStatus = "connecting"
	SessionStatusWaiting      SessionStatus = "waiting"
	SessionStatusConnected    SessionStatus = "connected"
)

// Reasons for a failed connection.
var (
	ErrProviderNotStarted = errors.New("the provider is not started")
	ErrPermissionDenied   = errors.New("permission denied")
	ErrInvalidCredentials = errors.New("invalid credentials")
)

// SCADAProvider is the connection.
type SCADAProvider interface {
	UpdateMeta(map[string]string)
	Listen(capability string) (net.Listener, error)
	Start() error
	Stop() error
	SessionStatus() SessionStatus
	LastError() (time.Time, error)
}

// New fails.
func New(*Config) (SCADAProvider, error) {
	return nil, errors.New("this test build of Vault has no link to HashiCorp's cloud")
}
