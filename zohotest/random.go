// What do Zoho's identifiers look like? Shapes from captured answers, contents
// from crypto/rand.

package zohotest

import (
	"crypto/rand"
	"encoding/hex"
)

// What identifiers begin with: organization clients as seen in public code, devices as
// Zoho's multi-dc page has it.
const (
	ordinaryPrefix     = "1000."
	deviceTokenPrefix  = "1004."
	organizationPrefix = "1005."
)

// newToken makes a token or code: 1000.<32 hex>.<32 hex>.
func newToken(prefix string) string { return prefix + randomHex(16) + "." + randomHex(16) }

// prefixOf is what the codes and tokens of a grant begin with.
func prefixOf(org *organization) string {
	if org != nil {
		return organizationPrefix
	}
	return ordinaryPrefix
}

// newUserCode makes what a person types: no letter that looks like a digit.
func newUserCode() string { return randomText(8, "ABCDEFGHJKLMNPQRSTUVWXYZ23456789") }

// newClientID makes "1000." and 30 upper-case letters and digits.
func newClientID(kind ClientType) string {
	prefix := ordinaryPrefix
	if kind == Organization {
		prefix = organizationPrefix
	}
	return prefix + randomText(30, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
}

func newClientSecret() string { return randomHex(21) }

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func randomText(n int, alphabet string) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}
