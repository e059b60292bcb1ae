// Commands that the engine prints for a person to run. They are built here alone, and
// every word is quoted for a POSIX shell.

package backend

import (
	"strings"

	"al.essio.dev/pkg/shellescape"
)

// vaultCommand returns a command for Vault's command line. Each assignment is
// field=value; the value "-" makes Vault read a secret from the terminal.
func vaultCommand(verb, path string, assignments ...string) string {
	words := []string{"vault", verb}
	if strings.HasPrefix(path, "-") {
		words = append(words, "--") // a path, not an option
	}
	return shellescape.QuoteCommand(append(append(words, path), assignments...))
}

// assignment returns field=value as a word of a command.
func assignment(field, value string) string { return shellescape.Quote(field + "=" + value) }

// shareAdvice says how readers of a credential, which may not be connected yet, share
// one access token.
func shareAdvice(mountPoint, name string) string {
	return "max_age is 0, so each read asks for a new access token, and Zoho mints ten in ten minutes. If a controller reads, or more than one process, let them share one. To set this for all credentials of this mount, run: " +
		vaultCommand("write", mountPoint+configKey, "max_age=30m") + "; to set it for this credential alone, run after it is connected: " +
		vaultCommand("write", mountPoint+credsPrefix+name, "max_age=30m")
}
