// Package cloudsqlconn stands for connections to databases in Google's cloud: the
// names that Vault uses.
package cloudsqlconn

import "errors"

// ErrAbsent is why there are none.
var ErrAbsent = errors.New("this test build of Vault opens no databases")

// Option is an option of RegisterDriver.
type Option func()

// DialOption is an option of WithDefaultDialOptions.
type DialOption func()

// WithCredentialsJSON changes nothing.
func WithCredentialsJSON([]byte) Option { return nil }

// WithDefaultDialOptions changes nothing.
func WithDefaultDialOptions(...DialOption) Option { return nil }

// WithIAMAuthN changes nothing.
func WithIAMAuthN() Option { return nil }

// WithPSC changes nothing.
func WithPSC() DialOption { return nil }

// WithPrivateIP changes nothing.
func WithPrivateIP() DialOption { return nil }
