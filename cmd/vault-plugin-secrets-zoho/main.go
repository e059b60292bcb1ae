// Command vault-plugin-secrets-zoho is the plugin that Vault starts.
package main

import (
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/plugin"

	"vault-plugin-secrets-zoho/backend"
)

func main() {
	logger := hclog.New(&hclog.LoggerOptions{Name: "vault-plugin-secrets-zoho", JSONFormat: true})
	// One process serves every mount of this plugin. Vault and the plugin agree on
	// mutual TLS by themselves.
	err := plugin.ServeMultiplex(&plugin.ServeOpts{BackendFactoryFunc: backend.Factory, Logger: logger})
	if err != nil {
		logger.Error("the plugin ended; Vault starts it, it is not meant to be run by hand", "error", err)
		os.Exit(1)
	}
}
