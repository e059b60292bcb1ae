// Package monitoring stands for a client of Google's monitoring, which telemetry
// to Stackdriver needs: the names that Vault uses, and an error.
package monitoring

import (
	"context"
	"errors"

	"google.golang.org/api/option"
)

// MetricClient is a client.
type MetricClient struct{}

// NewMetricClient fails.
func NewMetricClient(context.Context, ...option.ClientOption) (*MetricClient, error) {
	return nil, errors.New("this test build of Vault has no telemetry to Stackdriver")
}
