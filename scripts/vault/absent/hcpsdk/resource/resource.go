// Package resource stands for names in HashiCorp's cloud: the names that Vault
// uses, and an error.
package resource

import (
	"errors"

	"github.com/hashicorp/hcp-sdk-go/clients/cloud-shared/v1/models"
)

// Resource is a name.
type Resource struct{ ID, Type, Organization, Project string }

// Link is the address of the resource.
func (Resource) Link() *models.HashicorpCloudLocationLink {
	return &models.HashicorpCloudLocationLink{Location: &models.HashicorpCloudLocationLocation{}}
}

// FromString fails.
func FromString(string) (Resource, error) {
	return Resource{}, errors.New("this test build of Vault has no link to HashiCorp's cloud; leave out the block cloud")
}
