// Package pgx stands for a PostgreSQL client: the names that Vault's SDK uses,
// and an error.
package pgx

import (
	"errors"

	"github.com/jackc/pgconn"
)

// ConnConfig is how to connect.
type ConnConfig struct{ pgconn.Config }

// ParseConfig fails.
func ParseConfig(string) (*ConnConfig, error) {
	return nil, errors.New("this test build of Vault opens no databases")
}
