// Package trace stands for what records traces, which only vault operator
// diagnose needs: the names that Vault uses, and a panic for want of an error.
package trace

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// TracerProvider records.
type TracerProvider struct{ trace.TracerProvider }

// NewTracerProvider panics.
func NewTracerProvider(...struct{}) *TracerProvider {
	panic("this test build of Vault has no operator diagnose")
}

// ForceFlush does nothing.
func (*TracerProvider) ForceFlush(context.Context) error { return nil }

// WithSampler changes nothing.
func WithSampler(struct{}) struct{} { return struct{}{} }

// AlwaysSample changes nothing.
func AlwaysSample() struct{} { return struct{}{} }

// WithSpanProcessor changes nothing.
func WithSpanProcessor(any) struct{} { return struct{}{} }

// What is recorded.
type (
	ReadOnlySpan interface {
		Name() string
		SpanContext() trace.SpanContext
		Parent() trace.SpanContext
		StartTime() time.Time
		Attributes() []attribute.KeyValue
		Events() []Event
		Status() Status
	}
	ReadWriteSpan interface{ ReadOnlySpan }
	Event         struct {
		Name       string
		Attributes []attribute.KeyValue
		Time       time.Time
	}
	Status struct {
		Code        codes.Code
		Description string
	}
)
