// Package mysql stands for MySQL in Google's cloud.
package mysql

import "cloud.google.com/go/cloudsqlconn"

// RegisterDriver fails.
func RegisterDriver(string, ...cloudsqlconn.Option) (func() error, error) {
	return nil, cloudsqlconn.ErrAbsent
}
