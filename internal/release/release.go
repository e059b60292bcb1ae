// Package release says which release a command is of.
package release

import (
	"fmt"
	"io"
)

// Version is a semantic version with a leading v, as Vault wants it. The linker sets it:
//
//	-ldflags "-X vault-plugin-secrets-zoho/internal/release.Version=v1.2.3"
var Version = "v0.0.0-dev"

// Asked reports whether a command line asks for the release and nothing else, and answers.
func Asked(commandLine []string, stdout io.Writer) bool {
	if len(commandLine) != 2 || commandLine[1] != "-version" && commandLine[1] != "--version" {
		return false
	}
	fmt.Fprintln(stdout, Version) // who reads only this needs nothing cut off
	return true
}
