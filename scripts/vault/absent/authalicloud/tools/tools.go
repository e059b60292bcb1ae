// Package tools stands for logins with AliCloud credentials: the names that Vault
// uses, and an error.
package tools

import (
	"errors"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth"
)

// GenerateLoginData fails.
func GenerateLoginData(string, auth.Credential, string) (map[string]any, error) {
	return nil, errors.New("this test build of Vault has no login method alicloud")
}
