// Package spnego stands for Kerberos over HTTP: the name that Vault uses.
package spnego

// HTTPHeaderAuthRequest is the header of a login.
const HTTPHeaderAuthRequest = "Authorization"
