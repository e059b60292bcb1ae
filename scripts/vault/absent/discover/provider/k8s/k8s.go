// Package k8s stands for the search for raft peers in Kubernetes.
package k8s

import (
	"errors"
	"log"
)

// Provider searches Kubernetes.
type Provider struct{}

// Addrs fails.
func (*Provider) Addrs(map[string]string, *log.Logger) ([]string, error) {
	return nil, errors.New("this test build of Vault finds no peers in Kubernetes")
}

// Help is how to search.
func (*Provider) Help() string { return "" }
