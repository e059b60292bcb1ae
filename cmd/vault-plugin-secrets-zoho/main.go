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
	ballast := make([]byte, garbage)
	defer runtime.KeepAlive(ballast)
	// Vault has a level of its own, and keeps what that lets through.
	logger := hclog.New(&hclog.LoggerOptions{Name: "vault-plugin-secrets-zoho", Level: hclog.Trace, JSONFormat: true})
	vault := os.Getppid()
	go endWithVault(ending{
		wait:   func() error { return parentEnded(vault) },
		finish: func() { finish(&process) },
		warn: func(err error) {
			logger.Warn("the plugin cannot watch the process of Vault: if Vault is killed, this process stays until somebody ends it", "error", err)
		},
		exit: os.Exit,
	})
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
	// finishing is longer than any call to Zoho and its revocation take.
	finishing = 3 * time.Minute
)

// finish does what must be done before the process may end: secrets are in no memory
// afterwards.
func finish(process *backend.Process) {
	ctx, cancel := context.WithTimeout(context.Background(), finishing)
	defer cancel()
	process.Finish(ctx)
}
