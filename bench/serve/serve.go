// Package serve is how the plugins of the bench are run.
package serve

import (
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/plugin"
)

// Plugin serves one, as the SDK does, until Vault ends it.
func Plugin(name string, factory logical.Factory) {
	logger := hclog.New(&hclog.LoggerOptions{Name: name, Level: hclog.Warn, JSONFormat: true})
	if err := plugin.ServeMultiplex(&plugin.ServeOpts{Logger: logger, BackendFactoryFunc: factory}); err != nil {
		logger.Error("the plugin ended; Vault starts it", "error", err)
		os.Exit(1)
	}
}
