// Package option stands for options of Google's clients.
package option

// ClientOption is an option.
type ClientOption func()

// WithUserAgent changes nothing.
func WithUserAgent(string) ClientOption { return nil }
