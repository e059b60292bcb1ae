// Package auth stands for the credentials of a machine in Oracle Cloud.
package auth

import "github.com/oracle/oci-go-sdk/common"

// InstancePrincipalConfigurationProvider fails.
func InstancePrincipalConfigurationProvider() (common.ConfigurationProvider, error) {
	return nil, common.ErrAbsent
}
