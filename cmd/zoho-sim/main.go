// Command zoho-sim simulates Zoho: the accounts servers of all data centres and a
// few APIs, for testing a client without a Zoho account.
package main

import (
	"context"
	"crypto/tls"
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
	secure, authority, err := options.tlsConfig()
	if err != nil {
		return err
	}
	stop, err := zoho.ListenWith(zohotest.Listening{
		Host: options.host, Port: options.port, TLS: secure,
		URL: options.address,
	})
	if err != nil {
		return fmt.Errorf("%w; -listen and -port set where it listens", err)
	}
	defer stop()
	control, err := net.Listen("tcp", net.JoinHostPort(options.host, strconv.Itoa(options.controlPort(zoho))))
	if err != nil {
		return fmt.Errorf("listening for the control API: %w; -listen and -port set where it listens", err)
	}
	// The files are written only now: a second zoho-sim that finds the ports taken leaves
	// those of the first alone.
	if err := options.prepareFiles(authority); err != nil {
		return err
	}
	server := &http.Server{Handler: zoho.Control(), ReadHeaderTimeout: time.Minute}
	defer server.Close()
	listener := control
	if secure != nil {
		listener = tls.NewListener(control, secure)
	}
	go server.Serve(listener)

	ready := describe(zoho, options, options.address(control.Addr()))
	ready.print(stdout, zoho)
	if advice := options.advice(control.Addr()); advice != "" {
		fmt.Fprintf(stdout, "\n%s\n", advice)
	}
	if options.readyFile != "" {
		if err := ready.write(options.readyFile); err != nil {
			return fmt.Errorf("writing the ready file: %w", err)
		}
	}
	<-ctx.Done()
	return nil
}
