// Package codes stands for results in traces: the names that Vault uses.
package codes

// Code is a result.
type Code uint32

// Results.
const (
	Unset Code = iota
	Error
	Ok
)
