// How is a Vault server started and spoken to? On raft storage, listening on plain
// HTTP on this machine: what TLS costs is the same for everybody, and would hide what
// is compared here.

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// server is one node of Vault.
type server struct {
	binary, folder, name string
	address              string // host:port
	cluster              string // the same, for other nodes
	token, key           string
	process              *exec.Cmd
	client               *http.Client
}

// newServer writes the configuration of a node below folder.
func newServer(binary, folder, name string) (*server, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	s := &server{
		binary: binary, folder: folder, name: name, address: ports[0], cluster: ports[1],
		client: &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	if err := os.MkdirAll(filepath.Join(folder, "plugins"), 0o700); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
		return nil, err
	}
	return s, os.WriteFile(s.path("hcl"), fmt.Appendf(nil, `
storage "raft" {
  path                   = %q
  node_id                = %q
  performance_multiplier = 1
}
listener "tcp" {
  address         = %q
  cluster_address = %q
  tls_disable     = true
}
api_addr             = "http://%[3]s"
cluster_addr         = "https://%[4]s"
plugin_directory     = %[5]q
disable_mlock        = true
log_level            = "warn"
`, filepath.Join(folder, name), name, s.address, s.cluster, filepath.Join(folder, "plugins")), 0o600)
}

func (s *server) path(extension string) string {
	return filepath.Join(s.folder, s.name+"."+extension)
}

// nextPort is where the search for them goes on.
var nextPort = 10_000 + rand.IntN(9_000)

// freePorts are ports that nobody listens on, below those that systems give to whoever
// names none: such a one somebody else may have by the time that Vault asks for it.
func freePorts(n int) (addresses []string, err error) {
	for first := nextPort; nextPort < first+1_000 && len(addresses) < n; {
		nextPort++
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", nextPort))
		if err != nil {
			continue
		}
		l.Close()
		addresses = append(addresses, l.Addr().String())
	}
	if len(addresses) < n {
		return nil, fmt.Errorf("no %d ports are free below %d", n, nextPort)
	}
	return addresses, nil
}

// start runs the server and waits until it answers, sealed.
func (s *server) start() error {
	log, err := os.OpenFile(s.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.process = exec.Command(s.binary, "server", "-config="+s.path("hcl"))
	s.process.Stdout, s.process.Stderr = log, log
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		return err
	}
	return s.await("listening", func() bool { return s.health() != 0 })
}

// stop ends the server, and what plugins it leaves behind: one whose Vault was killed
// may not notice.
func (s *server) stop(how syscall.Signal) {
	if s.process == nil {
		return
	}
	plugins := s.plugins("")
	_ = s.process.Process.Signal(how)
	_ = s.process.Wait()
	s.process = nil
	if how == syscall.SIGKILL {
		for _, pid := range plugins {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// initialize makes the server the first of a cluster, unsealed and active.
func (s *server) initialize() error {
	var made struct {
		Keys  []string `json:"keys_base64"`
		Token string   `json:"root_token"`
	}
	if err := s.ask("POST", "sys/init", map[string]any{"secret_shares": 1, "secret_threshold": 1}, &made); err != nil {
		return err
	}
	s.key, s.token = made.Keys[0], made.Token
	return s.unseal()
}

func (s *server) unseal() error {
	if err := s.ask("POST", "sys/unseal", map[string]any{"key": s.key}, nil); err != nil {
		return err
	}
	return s.await("active", func() bool { return s.health() == http.StatusOK })
}

// join makes the server a standby of another one, which forwards.
func (s *server) join(leader *server) error {
	s.key, s.token = leader.key, leader.token
	if err := s.ask("POST", "sys/storage/raft/join", map[string]any{"leader_api_addr": "http://" + leader.address}, nil); err != nil {
		return err
	}
	if err := s.ask("POST", "sys/unseal", map[string]any{"key": s.key}, nil); err != nil {
		return err
	}
	return s.await("a standby", func() bool { return s.health() == http.StatusTooManyRequests })
}

func (s *server) health() int {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+s.address+"/v1/sys/health", nil)
	if err != nil {
		return 0
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

func (s *server) await(what string, done func() bool) error {
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(20 * time.Millisecond) {
		if done() {
			return nil
		}
	}
	log, _ := os.ReadFile(s.path("log"))
	return fmt.Errorf("%s is not %s after a minute; its log ends:\n%s", s.name, what, log[max(0, len(log)-2000):])
}

// refusal is an answer of Vault that is no success.
type refusal struct {
	status     int
	path, text string
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: HTTP %d: %s", r.path, r.status, r.text) }

// ask makes one request as root. into may be nil.
func (s *server) ask(method, path string, body, into any) error {
	var sent io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(encoded)
	}
	req, err := http.NewRequest(method, "http://"+s.address+"/v1/"+path, sent)
	if err != nil {
		return err
	}
	req.Header.Set("X-Vault-Token", s.token)
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return &refusal{resp.StatusCode, path, string(answer)}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

// read returns the data of a secret.
func (s *server) read(path string) (map[string]any, error) {
	var secret struct{ Data map[string]any }
	err := s.ask("GET", path, nil, &secret)
	return secret.Data, err
}

// mount registers a plugin binary and mounts it at a path.
func (s *server) mount(path, binary string, args ...string) error {
	return s.mountWith(path, binary, map[string]any{"args": slices.Concat([]string{}, args)})
}

// mountWith is mount with what else the catalog is to know.
func (s *server) mountWith(path, binary string, entry map[string]any) error {
	if err := s.register(path, path, binary, entry); err != nil {
		return err
	}
	return s.ask("POST", "sys/mounts/"+path, map[string]any{"type": path}, nil)
}

// register puts a plugin into the catalog; its process has the command's name.
func (s *server) register(plugin, command, binary string, entry map[string]any) error {
	sum, err := install(binary, filepath.Join(s.folder, "plugins", command))
	if err != nil {
		return err
	}
	entry["sha256"], entry["command"] = sum, command
	return s.ask("POST", "sys/plugins/catalog/secret/"+plugin, entry, nil)
}

// instead puts another plugin in the place of a mounted one, with its storage, while
// work is done.
func (s *server) instead(mount, binary string, work func() error) error {
	const version = "v0.0.0-instead"
	var own struct {
		Data struct {
			Version string `json:"running_plugin_version"`
		}
	}
	if err := s.ask("GET", "sys/mounts/"+mount, nil, &own); err != nil {
		return err
	}
	if err := s.register(mount, mount+"-instead", binary, map[string]any{"version": version}); err != nil {
		return err
	}
	run := func(version string) error {
		if err := s.ask("POST", "sys/mounts/"+mount+"/tune", map[string]any{"plugin_version": version}, nil); err != nil {
			return err
		}
		return s.ask("POST", "sys/plugins/reload/backend", map[string]any{"mounts": []string{mount}}, nil)
	}
	if err := run(version); err != nil {
		return err
	}
	return errors.Join(work(), run(own.Data.Version))
}

func isStatus(err error, status int) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == status
}
