// What do all stories share? The binaries, built once, the ports, and the list
// of processes that must not outlive the run.

package acceptance

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const (
	pluginName    = "vault-plugin-secrets-zoho"
	pluginVersion = "v0.0.0-acceptance"
)

type stage struct {
	kind         kind
	root         string // of the repository
	vault        string // path of the server's binary, which is its command line as well
	simulator    string // path of the binary
	examples     string // docs/examples, which stories run as they stand there
	plugins      string // Vault's plugin_directory
	pluginSHA256 string
	certificate  *certificate

	mu      sync.Mutex
	running map[*process]bool
}

// nextPort is where the search for free ports goes on: below those that the kernel
// gives to outgoing connections, and not where another run of these tests looks first.
var nextPort = struct {
	sync.Mutex
	n int
}{n: 12000 + os.Getpid()%500*30}

// newStage builds what is tested, from the sources beside this module.
func newStage(t *testing.T, k kind) *stage {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	server := k.binary(t, root)
	bin, err := filepath.EvalSymlinks(t.TempDir()) // Vault refuses a plugin directory behind a link
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{
		kind:      k,
		root:      root,
		vault:     server,
		simulator: filepath.Join(bin, "zoho-sim"),
		examples:  filepath.Join(root, "docs", "examples"),
		plugins:   filepath.Join(bin, "plugins"),
		running:   map[*process]bool{},
	}
	if s.certificate, err = newCertificate(bin); err != nil {
		t.Fatalf("making a certificate: %v", err)
	}
	plugin := filepath.Join(s.plugins, pluginName)
	for output, command := range map[string]string{plugin: pluginName, s.simulator: "zoho-sim", filepath.Join(bin, loginName): loginName} {
		if err := s.buildCommand(command, pluginVersion, output); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(plugin)
	if err != nil {
		t.Fatal(err)
	}
	s.pluginSHA256 = sha256Of(content)

	// Stories type what a person types.
	if err := os.Symlink(server, filepath.Join(bin, k.command)); err != nil {
		t.Fatal(err)
	}

	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		s.killAll()
		os.Exit(1)
	}()
	t.Cleanup(s.killAll)
	return s
}

func sha256Of(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// port is free, and given to nobody else on this stage.
func (s *stage) port() string {
	nextPort.Lock()
	defer nextPort.Unlock()
	for {
		nextPort.n++
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(nextPort.n))
		if listener, err := net.Listen("tcp", address); err == nil {
			listener.Close()
			return address
		}
	}
}

// port is that of an address.
func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// killAll ends what is still running.
func (s *stage) killAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.running {
		p.signal(syscall.SIGKILL)
	}
}

// upper is the form of a data centre's name in a variable.
func upper(dc string) string { return strings.ToUpper(dc) }
