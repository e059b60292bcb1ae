// Package jsonx stands for JSON as XML, which audit devices with format=jsonx
// need: the name that Vault uses, and an error.
package jsonx

import "errors"

// EncodeJSONBytes fails.
func EncodeJSONBytes([]byte) ([]byte, error) {
	return nil, errors.New("this test build of Vault writes no audit log as jsonx; use format=json")
}
