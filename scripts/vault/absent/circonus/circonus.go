// Package circonusgometrics stands for telemetry to Circonus: the names that
// Vault uses, and an error.
package circonusgometrics

import "errors"

// Config is how to send.
type Config struct {
	Interval     string
	CheckManager struct {
		API   struct{ TokenKey, TokenApp, URL string }
		Check struct {
			SubmissionURL, ID, ForceMetricActivation, InstanceID, SearchTag, DisplayName, Tags string
		}
		Broker struct{ ID, SelectTag string }
	}
}

// CirconusMetrics is the telemetry.
type CirconusMetrics struct{}

// NewCirconusMetrics fails.
func NewCirconusMetrics(*Config) (*CirconusMetrics, error) {
	return nil, errors.New("this test build of Vault has no telemetry to Circonus")
}

// Start does nothing.
func (*CirconusMetrics) Start() {}

// Flush does nothing.
func (*CirconusMetrics) Flush() {}

// IncrementByValue does nothing.
func (*CirconusMetrics) IncrementByValue(string, uint64) {}

// RecordValue does nothing.
func (*CirconusMetrics) RecordValue(string, float64) {}

// SetGauge does nothing.
func (*CirconusMetrics) SetGauge(string, any) {}
