// Package pgxv5 stands for a database driver; see its parent.
package pgxv5

import (
	"errors"

	"cloud.google.com/go/cloudsqlconn"
)

// RegisterDriver registers nothing.
func RegisterDriver(string, ...cloudsqlconn.Option) (func() error, error) {
	return nil, errors.New("this build of a plugin opens no databases")
}
