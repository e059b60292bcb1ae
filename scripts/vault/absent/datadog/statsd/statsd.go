// Package statsd stands for telemetry to DataDog: the names that Vault uses, and
// an error.
package statsd

import "errors"

var errAbsent = errors.New("this test build of Vault has no telemetry to DataDog")

// Client is the telemetry.
type Client struct{ Tags []string }

// New fails.
func New(string) (*Client, error) { return nil, errAbsent }

// Count fails.
func (*Client) Count(string, int64, []string, float64) error { return errAbsent }

// Gauge fails.
func (*Client) Gauge(string, float64, []string, float64) error { return errAbsent }

// TimeInMilliseconds fails.
func (*Client) TimeInMilliseconds(string, float64, []string, float64) error { return errAbsent }

// Close fails.
func (*Client) Close() error { return errAbsent }
