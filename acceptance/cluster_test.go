// How does a cluster run here? Three Vault servers with raft storage and TLS on
// loopback, each with its plugin in a directory of its own.

package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// cluster is three servers that are one Vault.
type cluster struct {
	*world
	nodes  []*node
	client *http.Client
	key    string // unseals each
	token  string // root

	deluded int // servers that were started anew because they went on as if they led
}

// node is one server of a cluster.
type node struct {
	name    string
	config  string
	address string

	mu sync.Mutex
	*process
	// left are the plugin processes that outlived their server.
	left []int
}

// newCluster starts three servers and waits until one is active and two stand by.
// storage is where each keeps its data, by number.
func newCluster(w *world, storage func(i int) string) (*cluster, error) {
	// A server that cannot forward a request answers where the leader is; Vault's own
	// clients go there, as this one does.
	c := &cluster{world: w, client: w.stage.certificate.client(20 * time.Second)}
	var join strings.Builder
	for i := range 3 {
		n := &node{name: fmt.Sprintf("node%d", i+1), address: "https://" + w.stage.port()}
		c.nodes = append(c.nodes, n)
		fmt.Fprintf(&join, "  retry_join {\n    leader_api_addr = %q\n    leader_ca_cert_file = %q\n  }\n", n.address, w.stage.certificate.file)
	}
	binary, err := os.ReadFile(filepath.Join(w.stage.plugins, pluginName))
	if err != nil {
		return nil, err
	}
	for i, n := range c.nodes {
		plugins := filepath.Join(w.servers, n.name, "plugins")
		if err := errors.Join(os.MkdirAll(plugins, 0o700), os.MkdirAll(storage(i), 0o700)); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(plugins, pluginName), binary, 0o700); err != nil {
			return nil, err
		}
		n.config = filepath.Join(w.servers, n.name+".hcl")
		clusterAddress := w.stage.port()
		text := fmt.Sprintf(`
storage "raft" {
  path                   = %q
  node_id                = %q
  performance_multiplier = 2
%s}
listener "tcp" {
  address         = %q
  cluster_address = %q
  tls_cert_file   = %q
  tls_key_file    = %q
}
api_addr             = %q
cluster_addr         = "https://%s"
plugin_directory     = %q
raw_storage_endpoint = true
%s
`, storage(i), n.name, &join, strings.TrimPrefix(n.address, "https://"), clusterAddress,
			w.stage.certificate.file, w.stage.certificate.keyFile, n.address, clusterAddress, plugins, w.stage.kind.config)
		if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
			return nil, err
		}
		if err := c.begin(n); err != nil {
			return nil, err
		}
	}
	var init struct {
		Keys  []string `json:"keys_base64"`
		Token string   `json:"root_token"`
	}
	if err := c.must(c.nodes[0], "PUT", "sys/init", map[string]any{"secret_shares": 1, "secret_threshold": 1}, &init); err != nil {
		return nil, err
	}
	c.key, c.token = init.Keys[0], init.Token
	for _, n := range c.nodes {
		if err := c.ready(n); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// begin runs a server until it answers, sealed.
func (c *cluster) begin(n *node) error {
	p, err := c.start(n.name+".log", nil, c.stage.vault, "server", "-config="+n.config, "-log-level=debug")
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.process = p
	n.mu.Unlock()
	return p.await("listening", func() bool { return c.health(n) != 0 })
}

// ready unseals a server until it is active or stands by.
func (c *cluster) ready(n *node) error {
	return n.await("unsealed", func() bool {
		switch c.health(n) {
		case http.StatusOK, http.StatusTooManyRequests, standbyReads:
			return true
		case http.StatusServiceUnavailable, http.StatusNotImplemented: // sealed, or not joined yet
			_, _, _ = c.ask(context.Background(), n, "PUT", "sys/unseal", map[string]any{"key": c.key})
		}
		return false
	})
}

// standbyReads is what a standby says of its health that serves reads, as OpenBao's do.
const standbyReads = 473

// health is the status of a server's health check, 0 for no answer: 200 active, 429 or
// 473 standing by, 503 sealed.
func (c *cluster) health(n *node) int {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	status, _, err := c.ask(ctx, n, "GET", "sys/health", nil)
	if err != nil {
		return 0
	}
	return status
}

// active is the server that leads, or nil. One that has lost the lead and not noticed
// says that it leads as well: then nobody knows yet.
func (c *cluster) active() (leads *node) {
	for _, n := range c.nodes {
		if c.health(n) == http.StatusOK {
			if leads != nil {
				return nil
			}
			leads = n
		}
	}
	return leads
}

// awaitActive waits for a server that leads.
func (c *cluster) awaitActive() (*node, error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if n := c.active(); n != nil {
			return n, nil
		}
	}
	return nil, fmt.Errorf("no server led alone within %s", patience)
}

// whole brings every server back to where it was: running, unsealed, one of them leads.
func (c *cluster) whole() error {
	for _, n := range c.nodes {
		n.signal(syscall.SIGCONT)
		if err := c.revive(n); err != nil {
			return err
		}
	}
	return c.agree()
}

// revive starts a server that has ended, and unseals it.
func (c *cluster) revive(n *node) error {
	select {
	case <-n.done:
		// A plugin whose server was killed gives back what it can't store, and ends.
		for deadline := time.Now().Add(patience); slices.ContainsFunc(n.left, func(pid int) bool { return runs(pid, pluginName) }); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				return fmt.Errorf("the plugin of %s outlived it by %s", n.name, patience)
			}
		}
		n.left = nil
		n.stop(syscall.SIGKILL)
		if err := c.begin(n); err != nil {
			return err
		}
	default:
	}
	return c.ready(n)
}

// kill ends a server alone, as a kernel does that runs out of memory: its plugin lives on.
func (c *cluster) kill(n *node) error {
	n.left = n.children(pluginName)
	if err := n.cmd.Process.Kill(); err != nil {
		return err
	}
	select {
	case <-n.done:
		return nil
	case <-time.After(patience):
		return errors.New("a killed server lives")
	}
}

// agree waits until one server leads. Raft's lead can be lost and won back so fast, on
// a full disk, that a server of Vault (1.21.0) goes on as active when it leads no more:
// it answers reads out of its memory and can write nothing, for good. Its operator
// would start it anew.
func (c *cluster) agree() error {
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if c.active() != nil {
			return nil
		}
	}
	for _, n := range c.nodes {
		if c.health(n) != http.StatusOK || c.must(n, "PUT", "cubbyhole/leads", map[string]any{"is": n.name}, nil) == nil {
			continue
		}
		c.deluded++
		if err := c.kill(n); err != nil {
			return err
		}
		if err := c.revive(n); err != nil {
			return err
		}
	}
	_, err := c.awaitActive()
	return err
}

// lead does something at the server that leads, again if the lead changes meanwhile: on a
// busy machine it does without any fault, too.
func (c *cluster) lead(do func(leader *node) error) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(250 * time.Millisecond) {
		leader, err := c.awaitActive()
		if err == nil {
			err = do(leader)
		}
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// ask makes a request to one server, as root.
func (c *cluster) ask(ctx context.Context, n *node, method, path string, body any) (status int, answer []byte, err error) {
	var sent io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		sent = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, n.address+"/v1/"+path, sent)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("X-Vault-Token", c.token)
	response, err := c.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// must makes a request that has to succeed, and reads its answer into into.
func (c *cluster) must(n *node, method, path string, body, into any) error {
	status, answer, err := c.ask(context.Background(), n, method, path, body)
	if err == nil && status >= 300 {
		err = fmt.Errorf("%s %s: %d: %s", method, path, status, answer)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(answer, into)
	}
	return err
}

// end stops every server, and the simulators.
func (c *cluster) end() {
	for _, n := range c.nodes {
		if n.process != nil {
			n.signal(syscall.SIGCONT)
			n.stop(syscall.SIGKILL)
		}
	}
	for _, s := range c.simulators {
		s.stop(syscall.SIGKILL)
	}
}
