// Package stackdriver stands for telemetry to Stackdriver. Nothing is reached
// here: there is no client of it (../monitoring).
package stackdriver

import (
	monitoring "cloud.google.com/go/monitoring/apiv3"
	"github.com/armon/go-metrics"
)

// Config is what to send.
type Config struct {
	ProjectID, Location, Namespace string
	LabelExtractor                 func(key []string, kind string) ([]string, []metrics.Label, error)
	Bucketer                       func(key []string) []float64
	DebugLogs                      bool
}

// Sink sends nothing.
type Sink struct{ metrics.BlackholeSink }

// NewSink makes one.
func NewSink(*monitoring.MetricClient, *Config) *Sink { return &Sink{} }
