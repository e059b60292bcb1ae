// Package models stands for addresses in HashiCorp's cloud: the names that Vault uses.
package models

// HashicorpCloudLocationLink names a resource.
type HashicorpCloudLocationLink struct {
	ID       string
	Location *HashicorpCloudLocationLocation
}

// HashicorpCloudLocationLocation is where a resource is.
type HashicorpCloudLocationLocation struct{ OrganizationID, ProjectID string }
