// Package otp stands for one-time passwords, which login MFA by TOTP needs: the
// names that Vault uses.
package otp

import (
	"errors"
	"image"
)

// ErrAbsent is why there are none.
var ErrAbsent = errors.New("this test build of Vault has no login MFA by TOTP")

// ErrValidateInputInvalidLength is for a password of another length.
var ErrValidateInputInvalidLength = errors.New("input length unexpected")

// Algorithm is a hash.
type Algorithm int

// Hashes.
const (
	AlgorithmSHA1 Algorithm = iota
	AlgorithmSHA256
	AlgorithmSHA512
)

// String is the name of the hash.
func (a Algorithm) String() string {
	return map[Algorithm]string{AlgorithmSHA1: "SHA1", AlgorithmSHA256: "SHA256", AlgorithmSHA512: "SHA512"}[a]
}

// Digits is the length of a password.
type Digits int

// Lengths.
const (
	DigitsSix   Digits = 6
	DigitsEight Digits = 8
)

// Key is what passwords are made from.
type Key struct{}

// Secret is nothing.
func (*Key) Secret() string { return "" }

// String is nothing.
func (*Key) String() string { return "" }

// Image fails.
func (*Key) Image(int, int) (image.Image, error) { return nil, ErrAbsent }
