// Does what takes the short way arrive as if it had taken the long one, and does
// everything else take the long one, whole?

package bridge

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/helper/pluginutil"
	"github.com/hashicorp/vault/sdk/plugin/pb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// byHeart answers some paths.
type byHeart map[string]string

func (b byHeart) WarmRead(path string, room []byte) ([]byte, bool) {
	answer, ok := b[path]
	return append(room, answer...), ok
}

// vault is the other end of the bridge.
type vault struct {
	t *testing.T
	*shortcut
	long *pb.HandleRequestArgs // what arrived by the long way
	md   metadata.MD
}

func newVault(t *testing.T, known byHeart) *vault {
	v := &vault{t: t, shortcut: newShortcut(), md: metadata.Pairs(pluginutil.MultiplexingCtxKey, "mount")}
	v.mounts.Store("mount", known)
	return v
}

// ask sends a request as gRPC does, and returns the reply.
func (v *vault) ask(r *pb.Request) *pb.HandleRequestReply {
	v.t.Helper()
	v.long = nil
	sent, err := proto.Marshal(&pb.HandleRequestArgs{Request: r})
	if err != nil {
		v.t.Fatal(err)
	}
	c := codec{protobuf()}
	args := &pb.HandleRequestArgs{}
	if err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(sent)}, args); err != nil {
		v.t.Fatal(err)
	}
	ctx := metadata.NewIncomingContext(context.Background(), v.md)
	answer, err := v.intercept(ctx, args, &grpc.UnaryServerInfo{FullMethod: handleRequest}, func(_ context.Context, req any) (any, error) {
		v.long = req.(*pb.HandleRequestArgs)
		return &pb.HandleRequestReply{}, nil
	})
	if err != nil {
		v.t.Fatal(err)
	}
	back, err := c.Marshal(answer)
	if err != nil {
		v.t.Fatal(err)
	}
	reply := &pb.HandleRequestReply{}
	if err := proto.Unmarshal(back.Materialize(), reply); err != nil {
		v.t.Fatal(err)
	}
	return reply
}

// read is what Vault sends for one.
func read(path string) *pb.Request {
	return &pb.Request{
		ID: "id", Operation: "read", Path: path, Data: "null", ClientToken: "hvs.x", MountPoint: "zoho/", Connection: &pb.Connection{RemoteAddr: "127.0.0.1"},
		Headers: map[string]*pb.Header{"X-Vault-Request": {Header: []string{"true"}}}, Auth: &pb.Auth{Policies: []string{"root"}},
	}
}

func TestAWarmReadArrivesAsTheSDKWouldSendIt(t *testing.T) {
	for _, length := range []int{0, 1, 100, 127, 128, 1000, 16384, 100_000} {
		text := `{"access_token":"` + strings.Repeat("x", length) + `"}`
		v := newVault(t, byHeart{"creds/crm": text})
		want := &pb.HandleRequestReply{Response: &pb.Response{Data: text}, WalIndex: &pb.WALIndex{}}
		if got := v.ask(read("creds/crm")); v.long != nil || !proto.Equal(got, want) {
			t.Errorf("with %d bytes: %.200v (the long way: %t)", length, got, v.long != nil)
		}
	}
}

func TestAReadGivesBackTheIndexThatItCameWith(t *testing.T) {
	v := newVault(t, byHeart{"creds/crm": "{}"})
	v.md.Set(clusterKey, "cluster")
	v.md.Set(localKey, "0")
	v.md.Set(replicatedKey, "300")
	got := v.ask(read("creds/crm")).WalIndex
	if got.GetLocalIndex() != 0 || got.GetReplicatedIndex() != 300 || v.long != nil {
		t.Errorf("%v (the long way: %t)", got, v.long != nil)
	}
}

func TestWhatIsNoPlainWarmReadGoesTheLongWayWhole(t *testing.T) {
	query, _ := json.Marshal(map[string]any{"min_ttl": "20m"})
	for name, change := range map[string]func(v *vault, r *pb.Request){
		"with parameters":         func(_ *vault, r *pb.Request) { r.Data = string(query) },
		"a list":                  func(_ *vault, r *pb.Request) { r.Operation = "list" },
		"a delete":                func(_ *vault, r *pb.Request) { r.Operation = "delete" },
		"not known by heart":      func(_ *vault, r *pb.Request) { r.Path = "creds/books" },
		"no path":                 func(_ *vault, r *pb.Request) { r.Path = "" },
		"the end of a lease":      func(_ *vault, r *pb.Request) { r.Secret = &pb.Secret{LeaseID: "x"} },
		"of a snapshot":           func(_ *vault, r *pb.Request) { r.RequiresSnapshotID = "s" },
		"a recovery":              func(_ *vault, r *pb.Request) { r.RecoverSourcePath = "s" },
		"from inside a snapshot":  func(v *vault, _ *pb.Request) { v.md.Set(snapshotKey, "s") },
		"another mount":           func(v *vault, _ *pb.Request) { v.md.Set(pluginutil.MultiplexingCtxKey, "other") },
		"no mount":                func(v *vault, _ *pb.Request) { v.md.Delete(pluginutil.MultiplexingCtxKey) },
		"two mounts":              func(v *vault, _ *pb.Request) { v.md.Append(pluginutil.MultiplexingCtxKey, "mount") },
		"an index that is broken": func(v *vault, _ *pb.Request) { v.md.Set(clusterKey, "c"); v.md.Set(localKey, "x") },
		"an index in part":        func(v *vault, _ *pb.Request) { v.md.Set(clusterKey, "c"); v.md.Set(localKey, "1") },
	} {
		t.Run(name, func(t *testing.T) {
			v := newVault(t, byHeart{"creds/crm": "{}", "": "{}"})
			r := read("creds/crm")
			change(v, r)
			v.ask(r)
			if v.long == nil || !proto.Equal(v.long, &pb.HandleRequestArgs{Request: r}) {
				t.Errorf("sent %v, arrived %v", r, v.long)
			}
		})
	}
}

func TestAMountThatIsGoneAnswersNothing(t *testing.T) {
	v := newVault(t, byHeart{"creds/crm": "{}"})
	ctx := metadata.NewIncomingContext(context.Background(), v.md)
	_, err := v.intercept(ctx, &pb.Empty{}, &grpc.UnaryServerInfo{FullMethod: cleanup}, func(context.Context, any) (any, error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	if v.ask(read("creds/crm")); v.long == nil {
		t.Error("a mount that is gone still answers")
	}
}

// Whatever is sent, what is taken for a plain read is one to the SDK as well.
func FuzzAPlainReadIsOneToTheSDK(f *testing.F) {
	for _, r := range []*pb.Request{read("creds/crm"), {Operation: "read"}, {Operation: "list", Path: "creds/"}} {
		sent, _ := proto.Marshal(&pb.HandleRequestArgs{Request: r})
		f.Add(sent)
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		path, ok := plainRead(sent)
		args := &pb.HandleRequestArgs{}
		if err := proto.Unmarshal(sent, args); !ok || err != nil {
			return
		}
		r := args.Request
		if r.Operation != "read" || r.Path != path || r.Secret != nil || r.RequiresSnapshotID != "" || r.RecoverSourcePath != "" || len(r.Data) > 2 && r.Data != "null" {
			t.Errorf("taken for a read of %q: %v", path, r)
		}
	})
}
