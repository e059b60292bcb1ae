// Package bridge is this plugin's side of the bridge to Vault. What the SDK serves, it
// serves; but a read that memory alone can answer does not go the SDK's long way.
package bridge

import (
	"context"
	"math"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/vault/sdk/helper/pluginutil"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/plugin"
	"google.golang.org/grpc"
)

// window is how much may be under way before its receiver has agreed. A fixed one
// keeps gRPC from measuring the way: its pings would wake both processes for every
// few requests. Messages larger than this just take more turns.
const window = 1 << 20

// workers keep their stacks between requests. In a goroutine of its own each request
// would grow one anew; beyond so many at once they do.
const workers = 64

// Serve serves the backends that factory makes, one for each mount, until Vault ends
// the process. It is the SDK's ServeMultiplex but for how gRPC is set up.
func Serve(factory logical.Factory, logger hclog.Logger) error {
	if err := pluginutil.OptionallyEnableMlock(); err != nil {
		return err
	}
	shortcut := newShortcut()
	sets := map[int]goplugin.PluginSet{}
	// Vault speaks version 5. Earlier ones know nothing of several mounts.
	for version, multiplexed := range map[int]bool{3: false, 4: false, 5: true} {
		sets[version] = goplugin.PluginSet{plugin.BackendPluginName: &plugin.GRPCBackendPlugin{
			Factory: shortcut.factory(factory), Logger: logger, MultiplexingSupport: multiplexed,
		}}
	}
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig, VersionedPlugins: sets, Logger: logger,
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options,
				grpc.MaxRecvMsgSize(math.MaxInt32), grpc.MaxSendMsgSize(math.MaxInt32),
				grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window), grpc.NumStreamWorkers(workers),
				grpc.ForceServerCodecV2(codec{protobuf()}), grpc.UnaryInterceptor(shortcut.intercept),
			)...)
		},
	})
	return nil
}

// factory makes backends known by the id of their mount.
func (s *shortcut) factory(made logical.Factory) logical.Factory {
	return func(ctx context.Context, conf *logical.BackendConfig) (logical.Backend, error) {
		b, err := made(ctx, conf)
		if err != nil {
			return b, err
		}
		id, err := pluginutil.GetMultiplexIDFromContext(ctx)
		if warm, ok := b.(Warm); ok && err == nil && !pluginutil.InMetadataMode() {
			s.mounts.Store(id, warm)
		}
		return b, nil
	}
}
