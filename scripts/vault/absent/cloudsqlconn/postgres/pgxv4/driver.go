// Package pgxv4 stands for PostgreSQL in Google's cloud.
package pgxv4

import "cloud.google.com/go/cloudsqlconn"

// RegisterDriver fails.
func RegisterDriver(string, ...cloudsqlconn.Option) (func() error, error) {
	return nil, cloudsqlconn.ErrAbsent
}
