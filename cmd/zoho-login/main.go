// Command zoho-login connects a Zoho account to Vault from a person's own machine:
// for whom Vault cannot be reached by the browser that consents, or who has no
// browser at all. It starts the consent in Vault, catches Zoho's redirect on
// loopback and hands it to Vault. Tokens stay there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"vault-plugin-secrets-zoho/internal/release"
)

// Exit codes, for scripts.
const (
	exitConnected   = 0
	exitFailed      = 1
	exitUsage       = 2
	exitDeclined    = 3
	exitTimedOut    = 4
	exitInterrupted = 130 // as shells say it: 128 and SIGINT
)

// terminal is where the person is.
type terminal struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	// browse opens an address in their browser; the channel gets an error if that fails later.
	browse func(address string) (failed <-chan error, err error)
	// visit fetches the text of Zoho's page; if it is nil, the page is not checked.
	visit func(ctx context.Context, address string) (text string, err error)
	draws bool // stderr shows colors and block characters
}

func main() {
	if release.Asked(os.Args, os.Stdout) {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first interrupt ends the consent in Vault, the second one this process.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr, openBrowser, visitPage, showsColors(os.Stderr)}))
}

func run(ctx context.Context, args []string, t terminal) int {
	o, err := readOptions(args, t)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitConnected
	case err != nil:
		fmt.Fprintf(t.stderr, "zoho-login: %v; see zoho-login -help\n", err)
		return exitUsage
	}
	client, err := newClient()
	if err != nil {
		return report(t, o, failed("%v", err))
	}
	v := &vault{client: client, mount: o.mount, name: o.name, asked: o}
	switch {
	case o.device:
		return report(t, o, loginByDevice(ctx, o, t, v))
	case o.paste:
		return report(t, o, loginByPaste(ctx, o, t, v))
	}
	return loginByBrowser(ctx, o, t, v)
}
