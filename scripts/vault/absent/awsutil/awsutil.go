// Package awsutil stands for logins with AWS credentials: the names that Vault
// uses, and an error.
package awsutil

import (
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/hashicorp/go-hclog"
)

// DefaultRegion is a region.
const DefaultRegion = "us-east-1"

// RetrieveCreds fails.
func RetrieveCreds(_, _, _ string, _ hclog.Logger) (*credentials.Credentials, error) {
	return nil, credentials.ErrAbsent
}

// GenerateLoginData fails.
func GenerateLoginData(*credentials.Credentials, string, string, hclog.Logger) (map[string]any, error) {
	return nil, credentials.ErrAbsent
}
