// Package policy stands for options of Azure's clients: the names that Vault uses.
package policy

// TokenRequestOptions says for what a token is.
type TokenRequestOptions struct{ Scopes []string }
