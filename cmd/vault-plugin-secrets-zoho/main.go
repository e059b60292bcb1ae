// Command vault-plugin-secrets-zoho is the plugin that Vault starts.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"vault-plugin-secrets-zoho/backend"
	"vault-plugin-secrets-zoho/internal/bridge"
	"vault-plugin-secrets-zoho/internal/release"
)

func main() {
	if release.Asked(os.Args, os.Stdout) { // by scripts/register, never by Vault
		return
	}
	// Vault reads what is logged. When Vault is gone a log line must not end the
	// process: it may hold a grant that exists nowhere else.
	signal.Ignore(syscall.SIGPIPE)
	var process backend.Process
	go endWithVault(&process, os.Getppid())
	ballast := make([]byte, garbage)
	defer runtime.KeepAlive(ballast)
	// Vault has a level of its own, and keeps what that lets through.
	logger := hclog.New(&hclog.LoggerOptions{Name: "vault-plugin-secrets-zoho", Level: hclog.Trace, JSONFormat: true})
	// One process serves every mount of this plugin. Vault and the plugin agree on
	// mutual TLS by themselves.
	if err := bridge.Serve(process.Factory, logger); err != nil {
		logger.Error("the plugin ended; Vault starts it, it is not meant to be run by hand", "error", err)
		os.Exit(1)
	}
}

const (
	// garbage is how much may pile up at least before it is collected: what lives is a
	// few MB, and each collection makes readers wait. It counts as living, but nobody
	// writes to it, so it takes no memory; a large heap grows no further than it would.
	garbage = 16 << 20
	// between is how long it takes at most to notice that Vault is gone.
	between = time.Second
	// finishing is longer than any call to Zoho and its revocation take.
	finishing = 3 * time.Minute
)

// endWithVault ends the process when Vault has ended without ending it: killed, or
// crashed. What must be done is done first; secrets are then in no memory any more.
func endWithVault(process *backend.Process, vault int) {
	for os.Getppid() == vault {
		time.Sleep(between)
	}
	ctx, cancel := context.WithTimeout(context.Background(), finishing)
	defer cancel()
	process.Finish(ctx)
	os.Exit(0)
}
