// How does a Vault server start? On raft storage and behind TLS, as in production; a
// second one joins it as its standby.

package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// server is one Vault and what it takes to start it again.
type server struct {
	*process
	client  *http.Client
	name    string
	config  string
	log     string
	address string
	key     string // unseals it
	token   string // root
	marked  []int  // plugin processes that are to end
}

// newServer writes the configuration of a server, which has a folder of its own for
// what it stores.
func (w *world) newServer(name string, raw bool) (*server, error) {
	address, clusterAddress := w.stage.port(), w.stage.port()
	s := &server{
		client: w.stage.certificate.client(patience), name: name, address: "https://localhost:" + port(address),
		config: filepath.Join(w.servers, name+".hcl"), log: filepath.Join(w.servers, name+".log"),
	}
	storage := filepath.Join(w.servers, name)
	if err := os.Mkdir(storage, 0o700); err != nil {
		return nil, err
	}
	return s, os.WriteFile(s.config, fmt.Appendf(nil, `
storage "raft" {
  path                   = %q
  node_id                = %q
  performance_multiplier = 1
}
listener "tcp" {
  address         = %q
  cluster_address = %q
  tls_cert_file   = %q
  tls_key_file    = %q
}
api_addr         = %q
cluster_addr     = "https://%s"
plugin_directory = %q

raw_storage_endpoint = %t
%s
`, storage, name, address, clusterAddress, w.stage.certificate.file, w.stage.certificate.keyFile, s.address, clusterAddress, w.stage.plugins, raw, w.stage.kind.config), 0o600)
}

func startCommand(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	s, err := w.newServer("vault", slices.Contains(args, "raw"))
	ts.Check(err)
	w.vault = s
	ts.Check(w.run(s))

	var init struct {
		Keys  []string `json:"unseal_keys_b64"`
		Token string   `json:"root_token"`
	}
	ts.Check(json.Unmarshal(w.mustVault(ts, "operator", "init", "-key-shares=1", "-key-threshold=1", "-format=json"), &init))
	s.key, s.token = init.Keys[0], init.Token
	audit := filepath.Join(w.servers, "audit.log")
	for name, value := range map[string]string{
		"VAULT_ADDR": s.address, "VAULT_TOKEN": s.token, "UNSEAL_KEY": s.key, "VAULT_LOG": s.log, "AUDIT_LOG": audit,
	} {
		ts.Setenv(name, value)
	}
	w.unseal(ts)
	w.mustVault(ts, "audit", "enable", "file", "file_path="+audit)
	if slices.Contains(args, "bare") {
		return
	}
	w.mustVault(ts, "plugin", "register", "-sha256="+w.stage.pluginSHA256, "secret", pluginName)
	w.mustVault(ts, "secrets", "enable", "-path=zoho", pluginName)
}

// standbyCommand makes a cluster of two, and waits until the second node forwards
// what it is asked.
func standbyCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: vault-standby")
	}
	w := worldOf(ts)
	s, err := w.newServer("standby", false)
	ts.Check(err)
	ts.Check(w.run(s))
	w.standby = s
	at := "-address=" + s.address
	w.mustVault(ts, "operator", "raft", "join", at, "-leader-ca-cert=@"+w.stage.certificate.file, w.vault.address)
	w.mustVault(ts, "operator", "unseal", at, w.vault.key)
	ts.Check(s.await("a standby", func() bool { return s.health() == http.StatusTooManyRequests }))
	// Until it has found the active node it sends clients there instead.
	ts.Check(s.await("forwarding", func() bool {
		return s.status("sys/internal/ui/mounts", w.vault.token) == http.StatusOK
	}))
	ts.Setenv("STANDBY_ADDR", s.address)
	ts.Setenv("STANDBY_LOG", s.log)
}

func restartCommand(ts *testscript.TestScript, neg bool, args []string) {
	w := worldOf(ts)
	how := syscall.SIGTERM
	if len(args) > 0 && args[0] == "-kill" {
		how = syscall.SIGKILL
	}
	ts.Check(w.vault.stop(how))
	ts.Check(w.run(w.vault))
	w.unseal(ts)
}

// configureCommand adds to the server's configuration, and has it read that.
func configureCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: vault-configure FILE")
	}
	s := worldOf(ts).vault
	config, err := os.ReadFile(s.config)
	ts.Check(err)
	ts.Check(os.WriteFile(s.config, append(config, ts.ReadFile(args[0])...), 0o600))
	ts.Check(s.cmd.Process.Signal(syscall.SIGHUP))
}

// run starts a server and waits until it answers, sealed.
func (w *world) run(s *server) (err error) {
	s.process, err = w.start(s.name+".log", nil, w.stage.vault, "server", "-config="+s.config, "-log-level=trace")
	if err != nil {
		return err
	}
	return s.await("listening", func() bool { return s.health() != 0 })
}

// unseal takes the server from sealed to active.
func (w *world) unseal(ts *testscript.TestScript) {
	w.mustVault(ts, "operator", "unseal", w.vault.key)
	ts.Check(w.vault.await("active", func() bool { return w.vault.health() == http.StatusOK }))
}

// health is the status of Vault's health check, 0 for no answer.
func (s *server) health() int { return s.status("sys/health", "") }

// status is that of what a path answers, with no redirect followed.
func (s *server) status(path, token string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", s.address+"/v1/"+path, nil)
	if err != nil {
		return 0
	}
	request.Header.Set("X-Vault-Token", token)
	response, err := s.client.Transport.RoundTrip(request)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// mustVault runs the command line as root, for what is no part of the story.
func (w *world) mustVault(ts *testscript.TestScript, args ...string) []byte {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(w.stage.vault, args...)
	cmd.Env = append(w.env[:len(w.env):len(w.env)], "VAULT_ADDR="+w.vault.address, "VAULT_TOKEN="+w.vault.token)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		ts.Fatalf("vault %s: %v\n%s", args[0], err, &stderr)
	}
	return stdout.Bytes()
}
