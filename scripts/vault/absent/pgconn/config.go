// Package pgconn stands for a PostgreSQL client's connections: the names that
// Vault's SDK uses.
package pgconn

import "crypto/tls"

// Config is how to connect.
type Config struct {
	Host      string
	Port      uint16
	TLSConfig *tls.Config
	Fallbacks []*FallbackConfig
}

// FallbackConfig is where to connect next.
type FallbackConfig struct {
	Host      string
	Port      uint16
	TLSConfig *tls.Config
}

// ParseConfigOptions are options of parsing.
type ParseConfigOptions struct{ GetSSLPassword func(...any) string }

// NetworkAddress is nothing.
func NetworkAddress(string, uint16) (network, address string) { return "", "" }
