// Command plain is this engine as the SDK alone serves it: what internal/bridge and the
// room for garbage are worth is the difference.
package main

import (
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/plugin"

	"vault-plugin-secrets-zoho/backend"
)

func main() {
	logger := hclog.New(&hclog.LoggerOptions{Name: "plain", Level: hclog.Warn, JSONFormat: true})
	var process backend.Process
	if err := plugin.ServeMultiplex(&plugin.ServeOpts{Logger: logger, BackendFactoryFunc: process.Factory}); err != nil {
		logger.Error("the plugin ended; Vault starts it", "error", err)
		os.Exit(1)
	}
}
