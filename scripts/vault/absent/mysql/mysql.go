// Package mysql stands for a MySQL client: the names that Vault uses, and an error.
package mysql

import (
	"crypto/tls"
	"errors"
)

var errAbsent = errors.New("this test build of Vault opens no databases")

// Config is how to connect.
type Config struct{ Net, TLSConfig string }

// ParseDSN fails.
func ParseDSN(string) (*Config, error) { return nil, errAbsent }

// FormatDSN is nothing.
func (*Config) FormatDSN() string { return "" }

// RegisterTLSConfig fails.
func RegisterTLSConfig(string, *tls.Config) error { return errAbsent }

// MySQLError is an error of a server.
type MySQLError struct {
	Number  uint16
	Message string
}

// Error is the text of the server.
func (e *MySQLError) Error() string { return e.Message }
