// Package cf stands for logins from Cloud Foundry: the names that Vault uses.
package cf

// Environment variables of an app.
const (
	EnvVarInstanceCertificate = "CF_INSTANCE_CERT"
	EnvVarInstanceKey         = "CF_INSTANCE_KEY"
)
