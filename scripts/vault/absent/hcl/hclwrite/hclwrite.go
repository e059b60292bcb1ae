// Package hclwrite stands for what writes HCL, which vault agent generate-config
// needs. What Vault reads as HCL is version 1, which is another module.
package hclwrite

import (
	"errors"
	"io"
)

// File is a file.
type File struct{}

// Body is what is in a file.
type Body struct{}

// NewEmptyFile makes a file.
func NewEmptyFile() *File { return &File{} }

// Body is what is in the file.
func (*File) Body() *Body { return &Body{} }

// WriteTo fails.
func (*File) WriteTo(io.Writer) (int64, error) {
	return 0, errors.New("this test build of Vault generates no configuration of an agent")
}
