// Package stdlib stands for a database driver; see its parent. Nothing gets here, since
// no configuration can be parsed.
package stdlib

import (
	"database/sql"

	"github.com/jackc/pgx/v5"
)

// OpenDB opens nothing.
func OpenDB(pgx.ConnConfig) *sql.DB { return nil }

// RegisterConnConfig registers nothing.
func RegisterConnConfig(*pgx.ConnConfig) string { return "" }
