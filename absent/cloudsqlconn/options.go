// Package cloudsqlconn stands for a client of Google's databases, which no request to
// this plugin leads to: the names that the SDK needs, without effect.
package cloudsqlconn

// Option does nothing.
type Option struct{}

// DialOption does nothing.
type DialOption struct{}

// WithIAMAuthN does nothing.
func WithIAMAuthN() Option { return Option{} }

// WithCredentialsJSON does nothing.
func WithCredentialsJSON([]byte) Option { return Option{} }

// WithDefaultDialOptions does nothing.
func WithDefaultDialOptions(...DialOption) Option { return Option{} }

// WithPrivateIP does nothing.
func WithPrivateIP() DialOption { return DialOption{} }

// WithPSC does nothing.
func WithPSC() DialOption { return DialOption{} }
