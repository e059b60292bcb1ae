// Package ec2metadata stands for what an AWS machine knows about itself.
package ec2metadata

import (
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/session"
)

// EC2Metadata is what it knows.
type EC2Metadata struct{}

// New makes one that fails.
func New(*session.Session, ...any) *EC2Metadata { return &EC2Metadata{} }

// GetDynamicData fails.
func (*EC2Metadata) GetDynamicData(string) (string, error) { return "", credentials.ErrAbsent }
