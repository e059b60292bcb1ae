// What of a request is decoded? Of a plain read its operation and path, which is all
// that is asked; the rest only if it has to go the long way. Everything else is gRPC's
// own matter.

package bridge

import (
	"github.com/hashicorp/vault/sdk/plugin/pb"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// codec is gRPC's own but for plain reads and ready answers.
type codec struct{ encoding.CodecV2 }

// protobuf returns gRPC's own codec.
func protobuf() encoding.CodecV2 { return encoding.GetCodecV2(proto.Name) }

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if ready, ok := v.(encoded); ok {
		return mem.BufferSlice{mem.SliceBuffer(ready)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	args, ok := v.(*pb.HandleRequestArgs)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	whole := data.Materialize()
	path, plain := plainRead(whole)
	if !plain {
		return c.CodecV2.Unmarshal(data, v)
	}
	put(args, whole, path)
	return nil
}

// undecoded marks a request that is not decoded yet.
var undecoded = &pb.Connection{}

// put makes args stand for a request that is not decoded yet: whole is where fields
// go that a message does not know.
func put(args *pb.HandleRequestArgs, whole []byte, path string) {
	args.Request = &pb.Request{Path: path, Connection: undecoded}
	args.ProtoReflect().SetUnknown(whole)
}

// deferred returns what put has put, nil if it was decoded.
func deferred(args *pb.HandleRequestArgs) (whole []byte, path string) {
	if args.Request == nil || args.Request.Connection != undecoded {
		return nil, ""
	}
	return args.ProtoReflect().GetUnknown(), args.Request.Path
}

// Fields of HandleRequestArgs and of Request, as backend.proto of the SDK numbers them.
const (
	requestField   = 2
	operationField = 3
	pathField      = 4
	dataField      = 5
	secretField    = 6
	snapshotField  = 21
	recoverField   = 22
)

// plainRead returns the path of a request that reads and says nothing else. Whatever
// it does not understand is no plain read.
func plainRead(args []byte) (path string, ok bool) {
	number, kind, n := protowire.ConsumeTag(args)
	if n < 0 || number != requestField || kind != protowire.BytesType {
		return "", false
	}
	request, m := protowire.ConsumeBytes(args[n:])
	if m < 0 || n+m != len(args) {
		return "", false
	}
	var operation, data []byte
	for len(request) > 0 {
		number, kind, n := protowire.ConsumeTag(request)
		if n < 0 {
			return "", false
		}
		request = request[n:]
		var value []byte
		if kind == protowire.BytesType {
			value, n = protowire.ConsumeBytes(request)
		} else {
			n = protowire.ConsumeFieldValue(number, kind, request)
		}
		if n < 0 {
			return "", false
		}
		request = request[n:]
		if kind != protowire.BytesType {
			continue // none of the fields below, whatever its number
		}
		switch number {
		case operationField:
			operation = value
		case pathField:
			path = string(value)
		case dataField:
			data = value
		case secretField, snapshotField, recoverField:
			return "", false
		}
	}
	empty := len(data) == 0 || string(data) == "null" || string(data) == "{}"
	return path, empty && path != "" && string(operation) == "read"
}
