// Package nodestatus stands for what HashiCorp's cloud is told of a node: the
// names that Vault uses.
package nodestatus

import (
	"context"

	"google.golang.org/protobuf/proto"
)

// NodeStatus is the state of a node.
type NodeStatus struct {
	StatusVersion uint32
	Status        proto.Message
}

// Reporter tells the state of this node.
type Reporter interface {
	GetNodeStatus(context.Context) (NodeStatus, error)
}
