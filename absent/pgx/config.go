// Package pgx stands for a PostgreSQL client, which no request to this plugin leads to:
// the names that the SDK needs, and an error.
package pgx

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// ConnConfig is how to connect.
type ConnConfig struct{ pgconn.Config }

// ParseConfig parses nothing.
func ParseConfig(string) (*ConnConfig, error) {
	return nil, errors.New("this build of a plugin opens no databases")
}
