// Command zoho-sim is Zoho on this machine: the accounts servers of all data
// centres and a few APIs, for trying a client without an account.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"vault-plugin-secrets-zoho/internal/release"
	"vault-plugin-secrets-zoho/zohotest"
)

func main() {
	if release.Asked(os.Args, os.Stdout) {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "zoho-sim:", err)
		os.Exit(1)
	}
}

// run serves until the context ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	zoho := zohotest.New()
	options, err := readOptions(args, zoho, stderr)
	if err != nil {
		return err
	}
	if options.readyFile != "" {
		// What an earlier run left behind must not be taken for this one.
		if err := os.Remove(options.readyFile); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing a stale ready file: %w", err)
		}
	}
	stop, err := zoho.ListenAt(options.host, options.port)
	if err != nil {
		return err
	}
	defer stop()
	control, err := net.Listen("tcp", net.JoinHostPort(options.host, strconv.Itoa(options.controlPort(zoho))))
	if err != nil {
		return fmt.Errorf("listening for the control API: %w", err)
	}
	server := &http.Server{Handler: zoho.Control(), ReadHeaderTimeout: time.Minute}
	defer server.Close()
	go server.Serve(control)

	ready := describe(zoho, options, "http://"+control.Addr().String())
	ready.print(stdout, zoho)
	if options.readyFile != "" {
		if err := ready.write(options.readyFile); err != nil {
			return fmt.Errorf("writing the ready file: %w", err)
		}
	}
	<-ctx.Done()
	return nil
}
