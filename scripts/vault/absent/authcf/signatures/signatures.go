// Package signatures stands for signatures of Cloud Foundry's apps, which Vault
// Agent's login method cf needs: the names that Vault uses, and an error.
package signatures

import (
	"errors"
	"time"
)

// TimeFormat is the format of SigningTime.
const TimeFormat = time.RFC3339

// SignatureData is what to sign.
type SignatureData struct {
	SigningTime                  time.Time
	Role, CFInstanceCertContents string
}

// Sign fails.
func Sign(string, *SignatureData) (string, error) {
	return "", errors.New("this test build of Vault has no login method cf")
}
