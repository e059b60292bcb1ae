// command.go: the commands that are printed for a person to run. They are built here alone,
// and every word is quoted for a POSIX shell.

package main

import (
	"strings"

	"al.essio.dev/pkg/shellescape"
)

// command returns a command, each word quoted where the shell would change it.
func command(words ...string) string { return shellescape.QuoteCommand(words) }

// again returns the command as it was typed, with flags added; of a flag that is given twice
// the last one counts.
func (o options) again(flags ...string) string {
	return command(append(append([]string{"zoho-login"}, o.typed...), flags...)...)
}

func (v *vault) again(flags ...string) string { return v.asked.again(flags...) }

// exportAddress sets VAULT_ADDR to the same address with another scheme.
func (v *vault) exportAddress(scheme string) string {
	_, host, _ := strings.Cut(v.client.Address(), "://")
	return "export " + shellescape.Quote("VAULT_ADDR="+scheme+"://"+host)
}
