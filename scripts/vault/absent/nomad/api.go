// Package api stands for a client of Nomad, which templates of Vault Agent can
// ask: the names that Vault uses, and an error.
package api

import (
	"errors"
	"net/http"
	"time"
)

var errAbsent = errors.New("this test build of Vault asks no Nomad")

// Config is how to reach Nomad.
type Config struct {
	Address, Region, SecretID, Namespace string
	HttpAuth                             *HttpBasicAuth
	HttpClient                           *http.Client
}

// HttpBasicAuth is a password.
type HttpBasicAuth struct{ Username, Password string }

// DefaultConfig is empty.
func DefaultConfig() *Config { return &Config{} }

// Client is a client. Vault Agent makes one for all templates, also for those
// that do not ask Nomad.
type Client struct{}

// NewClient makes one that fails.
func NewClient(*Config) (*Client, error) { return &Client{}, nil }

// QueryOptions are options of a question.
type QueryOptions struct {
	Region, Namespace string
	AllowStale        bool
	WaitIndex         uint64
	WaitTime          time.Duration
	Params            map[string]string
}

// QueryMeta is beside each answer.
type QueryMeta struct {
	LastIndex   uint64
	LastContact time.Duration
}

// Services are what runs in Nomad.
type Services struct{}

// Services is what runs in Nomad.
func (*Client) Services() *Services { return &Services{} }

// What runs.
type (
	ServiceRegistration struct {
		ID, ServiceName, Namespace, NodeID, Datacenter, JobID, AllocID, Address string
		Tags                                                                    []string
		Port                                                                    int
	}
	ServiceRegistrationStub struct {
		ServiceName string
		Tags        []string
	}
	ServiceRegistrationListStub struct {
		Namespace string
		Services  []*ServiceRegistrationStub
	}
)

// Get fails.
func (*Services) Get(string, *QueryOptions) ([]*ServiceRegistration, *QueryMeta, error) {
	return nil, nil, errAbsent
}

// List fails.
func (*Services) List(*QueryOptions) ([]*ServiceRegistrationListStub, *QueryMeta, error) {
	return nil, nil, errAbsent
}

// Variables are what Nomad stores.
type Variables struct{}

// Variables is what Nomad stores.
func (*Client) Variables() *Variables { return &Variables{} }

// What is stored.
type (
	VariableItems    map[string]string
	VariableMetadata struct {
		Namespace, Path          string
		CreateIndex, ModifyIndex uint64
		CreateTime, ModifyTime   int64
	}
	Variable struct {
		VariableMetadata
		Items VariableItems
	}
)

// Metadata is what is known of the variable.
func (v *Variable) Metadata() *VariableMetadata { return &v.VariableMetadata }

// Peek fails.
func (*Variables) Peek(string, *QueryOptions) (*Variable, *QueryMeta, error) {
	return nil, nil, errAbsent
}

// PrefixList fails.
func (*Variables) PrefixList(string, *QueryOptions) ([]*VariableMetadata, *QueryMeta, error) {
	return nil, nil, errAbsent
}
