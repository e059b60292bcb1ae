// Package pgconn stands for connections to a PostgreSQL server, which no request to
// this plugin leads to: the names that the SDK needs.
package pgconn

import (
	"context"
	"crypto/tls"
)

// Config has the fields that the SDK fills in.
type Config struct {
	Host      string
	Port      uint16
	TLSConfig *tls.Config
	Fallbacks []*FallbackConfig
}

// FallbackConfig is another server to try.
type FallbackConfig struct {
	Host      string
	Port      uint16
	TLSConfig *tls.Config
}

// ParseConfigOptions has the field that the SDK asks for.
type ParseConfigOptions struct {
	GetSSLPassword func(ctx context.Context) string
}

// NetworkAddress returns nothing.
func NetworkAddress(string, uint16) (network, address string) { return "", "" }

// ParseConfigError is what no configuration leads to here.
type ParseConfigError struct{}

func (*ParseConfigError) Error() string { return "this build of a plugin opens no databases" }
