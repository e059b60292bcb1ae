// Package lz4 stands for a compression that Vault can read and never writes by
// itself: the names that Vault uses, and an error.
package lz4

import (
	"errors"
	"io"
)

var errAbsent = errors.New("this test build of Vault has no compression lz4")

// Writer compresses.
type Writer struct{}

// NewWriter makes one that fails.
func NewWriter(io.Writer) *Writer { return &Writer{} }

// Write fails.
func (*Writer) Write([]byte) (int, error) { return 0, errAbsent }

// Close fails.
func (*Writer) Close() error { return errAbsent }

// Reader decompresses.
type Reader struct{}

// NewReader makes one that fails.
func NewReader(io.Reader) *Reader { return &Reader{} }

// Read fails.
func (*Reader) Read([]byte) (int, error) { return 0, errAbsent }
