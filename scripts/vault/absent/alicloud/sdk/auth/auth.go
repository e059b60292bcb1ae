// Package auth stands for AliCloud credentials.
package auth

// Credential is a credential.
type Credential any
