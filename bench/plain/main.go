// Command plain is this engine as the SDK alone serves it: what internal/bridge and the
// room for garbage are worth is the difference.
package main

import (
	"vault-plugin-secrets-zoho/backend"
	"vault-plugin-secrets-zoho/bench/serve"
)

func main() {
	var process backend.Process
	serve.Plugin("plain", process.Factory)
}
