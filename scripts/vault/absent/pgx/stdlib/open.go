// Package stdlib stands for a PostgreSQL driver. Nothing is reached here: no
// configuration can be parsed.
package stdlib

import (
	"database/sql"

	"github.com/jackc/pgx/v4"
)

// RegisterConnConfig registers nothing.
func RegisterConnConfig(*pgx.ConnConfig) string { return "" }

// OpenDB opens nothing.
func OpenDB(pgx.ConnConfig, ...func()) *sql.DB { return nil }
