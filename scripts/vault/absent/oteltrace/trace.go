// Package trace stands for traces, which vault operator diagnose makes its report
// of: the names that Vault uses. A server starts spans too, and records nothing in them.
package trace

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
)

// Options, which change nothing.
type (
	Option          interface{ option() }
	EventOption     interface{ Option }
	SpanStartOption interface{ Option }
	SpanEndOption   interface{ Option }
)

type none struct{}

func (none) option() {}

// WithAttributes changes nothing.
func WithAttributes(...attribute.KeyValue) Option { return none{} }

// SpanID is the id of a span.
type SpanID [8]byte

// SpanContext names a span.
type SpanContext struct{}

// HasSpanID is false.
func (SpanContext) HasSpanID() bool { return false }

// SpanID is zero.
func (SpanContext) SpanID() SpanID { return SpanID{} }

// Span is a part of a trace.
type Span interface {
	AddEvent(string, ...EventOption)
	End(...SpanEndOption)
	RecordError(error, ...EventOption)
	SetStatus(codes.Code, string)
	SpanContext() SpanContext
}

func (none) AddEvent(string, ...EventOption)   {}
func (none) End(...SpanEndOption)              {}
func (none) RecordError(error, ...EventOption) {}
func (none) SetStatus(codes.Code, string)      {}
func (none) SpanContext() SpanContext          { return SpanContext{} }

// SpanFromContext is a span that records nothing.
func SpanFromContext(context.Context) Span { return none{} }

// Tracer starts spans.
type Tracer interface {
	Start(context.Context, string, ...SpanStartOption) (context.Context, Span)
}

func (none) Start(ctx context.Context, _ string, _ ...SpanStartOption) (context.Context, Span) {
	return ctx, none{}
}

// TracerProvider makes tracers.
type TracerProvider interface{ Tracer(string) Tracer }

func (none) Tracer(string) Tracer { return none{} }

// NewNoopTracerProvider makes tracers that record nothing.
func NewNoopTracerProvider() TracerProvider { return none{} }
