// Package totp stands for time-based one-time passwords: the names that Vault
// uses, and an error.
package totp

import (
	"io"
	"time"

	"github.com/pquerna/otp"
)

// GenerateOpts says what key to make.
type GenerateOpts struct {
	Issuer, AccountName string
	Period, SecretSize  uint
	Digits              otp.Digits
	Algorithm           otp.Algorithm
	Rand                io.Reader
}

// ValidateOpts says how to compare a password.
type ValidateOpts struct {
	Period, Skew uint
	Digits       otp.Digits
	Algorithm    otp.Algorithm
}

// Generate fails.
func Generate(GenerateOpts) (*otp.Key, error) { return nil, otp.ErrAbsent }

// ValidateCustom fails.
func ValidateCustom(string, string, time.Time, ValidateOpts) (bool, error) {
	return false, otp.ErrAbsent
}
