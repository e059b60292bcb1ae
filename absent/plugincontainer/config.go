// Package plugincontainer stands for what would run plugins in containers, which
// Vault does and a plugin does not: the names that the SDK needs, and an error.
package plugincontainer

import (
	"errors"
	"os/exec"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin/runner"
)

// Config has the fields that the SDK fills in.
type Config struct {
	Image, Tag, SHA256    string
	Entrypoint, Args, Env []string
	Labels                map[string]string
	GroupAdd              int
	Runtime, CgroupParent string
	NanoCpus, Memory      int64
	CapIPCLock, Rootless  bool
}

// NewContainerRunner runs nothing.
func (*Config) NewContainerRunner(hclog.Logger, *exec.Cmd, string) (runner.Runner, error) {
	return nil, errors.New("this build of a plugin starts no containers")
}
