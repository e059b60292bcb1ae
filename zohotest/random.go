// What do Zoho's identifiers look like? Shapes from captured answers, contents
// from crypto/rand.

package zohotest

import (
	"crypto/rand"
	"encoding/hex"
)

// newToken makes a token or code: 1000.<32 hex>.<32 hex>.
func newToken() string { return "1000." + randomHex(16) + "." + randomHex(16) }

// newDeviceToken makes an access token of a device (Zoho, multi-dc).
func newDeviceToken() string { return "1004." + randomHex(16) + "." + randomHex(16) }

// newUserCode makes what a person types: no letter that looks like a digit.
func newUserCode() string { return randomText(8, "ABCDEFGHJKLMNPQRSTUVWXYZ23456789") }

// newClientID makes "1000." and 30 upper-case letters and digits.
func newClientID() string { return "1000." + randomText(30, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") }

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
