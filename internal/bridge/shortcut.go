// Which requests take the short way? Reads without parameters that a mount answers from
// memory. The SDK would decode the whole request, make a map of the answer and encode
// that again, for each read; here the answer is encoded once for each token.

package bridge

import (
	"context"
	"strconv"
	"sync"

	"github.com/hashicorp/vault/sdk/helper/pluginutil"
	"github.com/hashicorp/vault/sdk/plugin/pb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Warm is a backend that knows some answers by heart.
type Warm interface {
	// WarmRead returns what a read of a path without parameters answers: data as a JSON
	// object, appended to room. It is false where memory alone does not tell, or where
	// the answer is more than data; then the request takes the long way. It must not
	// block, and must not panic.
	WarmRead(path string, room []byte) (data []byte, ok bool)
}

// shortcut leads requests the short way.
type shortcut struct{ mounts sync.Map } // id of the mount, as Vault sends it: its Warm

func newShortcut() *shortcut { return &shortcut{} }

// Names of methods, as gRPC spells them.
const (
	handleRequest = "/pb.Backend/HandleRequest"
	cleanup       = "/pb.Backend/Cleanup"
)

// intercept answers what it can, and hands on everything else whole.
func (s *shortcut) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, long grpc.UnaryHandler) (any, error) {
	switch info.FullMethod {
	case cleanup:
		if id, err := pluginutil.GetMultiplexIDFromContext(ctx); err == nil {
			s.mounts.Delete(id)
		}
	case handleRequest:
		args, ok := req.(*pb.HandleRequestArgs)
		if !ok {
			break
		}
		whole, path := deferred(args)
		if whole == nil {
			break
		}
		if answer, ok := s.answer(ctx, path); ok {
			return answer, nil
		}
		proto.Reset(args)
		if err := proto.Unmarshal(whole, args); err != nil {
			return nil, err
		}
	}
	return long(ctx, req)
}

// Metadata of a request, as the SDK's bridge names it.
const (
	snapshotKey   = "snapshot_id"
	clusterKey    = "index_state_cluster_id"
	localKey      = "index_state_local"
	replicatedKey = "index_state_replicated"
)

// encoded is an answer that is ready to be sent.
type encoded []byte

// headroom is what is left free before the data for what goes around it.
const headroom = 16

// answer returns the reply of a read.
func (s *shortcut) answer(ctx context.Context, path string) (encoded, bool) {
	md, ok := metadata.FromIncomingContext(ctx)
	if !ok || len(md[pluginutil.MultiplexingCtxKey]) != 1 || len(md[snapshotKey]) > 0 {
		return nil, false // a read of a snapshot is not about what is in memory
	}
	mount, ok := s.mounts.Load(md[pluginutil.MultiplexingCtxKey][0])
	if !ok {
		return nil, false
	}
	buffer, ok := mount.(Warm).WarmRead(path, make([]byte, headroom, 1<<10))
	if !ok {
		return nil, false
	}
	reply, size := buffer, len(buffer)-headroom
	// HandleRequestReply.response holds Response.data, a string. The lengths stand
	// before it, so they are written into the room that was left.
	inner := protowire.SizeTag(3) + protowire.SizeBytes(size)
	head := make([]byte, 0, headroom)
	head = protowire.AppendTag(head, 1, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(inner))
	head = protowire.AppendTag(head, 3, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(size))
	reply = reply[headroom-len(head):]
	copy(reply, head)
	return appendIndex(reply, md)
}

// appendIndex adds HandleRequestReply.walIndex: a read changes nothing, so it is the
// one that the request came with.
func appendIndex(reply []byte, md metadata.MD) (encoded, bool) {
	var index []byte
	if len(md[clusterKey]) > 0 {
		for number, key := range []string{localKey, replicatedKey} {
			if len(md[key]) == 0 {
				return nil, false
			}
			value, err := strconv.ParseUint(md[key][0], 10, 64)
			if err != nil {
				return nil, false
			}
			if value > 0 {
				index = protowire.AppendTag(index, protowire.Number(number+1), protowire.VarintType)
				index = protowire.AppendVarint(index, value)
			}
		}
	}
	reply = protowire.AppendTag(reply, 3, protowire.BytesType)
	return protowire.AppendBytes(reply, index), true
}
