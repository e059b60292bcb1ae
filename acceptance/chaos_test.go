// Is anything lost when servers fail? Apps read and operators work on a real cluster
// while its servers are killed, stopped, sealed and starved; afterwards every promise
// is looked at.
//
// ZOHO_CHAOS_FAULTS is how many faults there are, ZOHO_CHAOS_SEED what they are drawn
// with: the same seed draws the same faults in the same order. ZOHO_CHAOS_KIND strikes
// with one kind alone; ZOHO_CHAOS_SERVER=openbao is for that one (BAO_BIN);
// ZOHO_CHAOS_REPORT names a file for what came of it.

package acceptance

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// chaos is one run.
type chaos struct {
	*cluster
	t    *testing.T
	zoho *simulator
	rng  *rand.Rand

	workers sync.WaitGroup
	ending  context.Context

	disks    string     // where small disks are, empty without
	version  string     // of the plugin; faults alone change it
	auditing sync.Mutex // held while the audit device blocks

	// What can be read through any server: Vault's own, and ours.
	vaultGap, zohoGap gap

	grants      int         // that Zoho has at the end, all of them stored
	died        int         // others, which were on their way into a process that was killed or stood still
	pluginKills []time.Time // faults alone change them
	pauses      []pause

	mu       sync.Mutex
	problems []string
	known    map[string]string // what the last answer said of a credential: connected, deleted, or unknown
	accepted map[string]time.Time
	counts   map[string]int
}

// gap measures for how long nothing succeeded.
type gap struct {
	mu            sync.Mutex
	last, longest time.Duration // since began
	began         time.Time
}

func (g *gap) succeeded(started time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if started.Before(g.began) {
		return // asked before the fault
	}
	now := time.Since(g.began)
	g.longest = max(g.longest, now-g.last)
	g.last = now
}

func (g *gap) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.began, g.last, g.longest = time.Now(), 0, 0
}

func (g *gap) end() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(g.longest, time.Since(g.began)-g.last)
}

func numberFrom(t *testing.T, name string, fallback int) int {
	text := cmp.Or(os.Getenv(name), strconv.Itoa(fallback))
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s=%q is not a number", name, text)
	}
	return n
}

// stable are the credentials that no operator touches: apps read them all the time.
var stable = []string{"app-1", "app-2", "app-3"}

func TestNothingIsLostWhenServersFail(t *testing.T) {
	faults, seed := numberFrom(t, "ZOHO_CHAOS_FAULTS", 0), numberFrom(t, "ZOHO_CHAOS_SEED", int(time.Now().Unix()%100_000))
	if faults == 0 {
		t.Skip("make chaos runs it")
	}
	t.Parallel()
	t.Logf("%d faults, ZOHO_CHAOS_SEED=%d", faults, seed)
	c := newChaos(t, seed)
	ending, end := context.WithCancel(context.Background())
	c.ending = ending
	c.work()
	kinds, only, began := c.kinds(), os.Getenv("ZOHO_CHAOS_KIND"), time.Now()
	var struck []strike
	for i := range faults {
		c.rng = rand.New(rand.NewPCG(uint64(seed), uint64(i))) // so that what one draws changes no other
		kind := kinds[c.rng.IntN(len(kinds))]
		if only != "" {
			at := slices.IndexFunc(kinds, func(k fault) bool { return k.name == only })
			if at < 0 {
				t.Fatalf("ZOHO_CHAOS_KIND=%q is no fault", only)
			}
			kind = kinds[at]
		}
		what, err := c.strikes(kind)
		if err != nil {
			t.Fatalf("fault %d, %s: %v", i+1, kind.name, err)
		}
		c.pass(time.Second)
		vault, zoho := c.vaultGap.end(), c.zohoGap.end()
		struck = append(struck, strike{kind.name, zoho, vault})
		t.Logf("fault %d, %s %s: nothing could be read for %s, from Vault itself for %s", i+1, kind.name, what, zoho.Round(time.Millisecond), vault.Round(time.Millisecond))
	}
	end()
	c.workers.Wait()
	c.judge()
	report := c.report(seed, struck, time.Since(began))
	t.Log(report)
	if to := os.Getenv("ZOHO_CHAOS_REPORT"); to != "" && !t.Failed() {
		if err := os.WriteFile(to, []byte(report), 0o600); err != nil {
			t.Error(err)
		}
	}
}

// strikes makes a fault, and all whole again. On a busy machine the lead changes without
// any fault, too, before one is prepared: then it is tried once more.
func (c *chaos) strikes(kind fault) (what string, err error) {
	for range 5 {
		c.vaultGap.begin()
		c.zohoGap.begin()
		if what, err = kind.strike(c); err == nil {
			return what, c.whole()
		}
		if whole := c.whole(); whole != nil {
			return "", errors.Join(err, whole)
		}
		c.count("faults that had to be prepared again, as the lead had changed")
	}
	return "", err
}

// newChaos starts everything and connects what is read.
func newChaos(t *testing.T, seed int) *chaos {
	server := vaultKind
	if os.Getenv("ZOHO_CHAOS_SERVER") == openBaoKind.name {
		server = openBaoKind
	}
	stage := newStage(t, server)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		stage: stage, dir: dir, servers: filepath.Join(dir, "servers"),
		env: []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir},
	}
	if err := os.Mkdir(w.servers, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keepLogs(t, w.servers) })
	c := &chaos{t: t, rng: rand.New(rand.NewPCG(uint64(seed), 0)), known: map[string]string{}, accepted: map[string]time.Time{}, counts: map[string]int{}}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c.cluster, err = newCluster(w, c.storage(w))
	if c.cluster != nil {
		t.Cleanup(c.cluster.end)
	}
	check(err)
	_, port, _ := strings.Cut(strings.TrimPrefix(c.nodes[0].address, "https://"), ":")
	vaultAddr := "https://localhost:" + port
	c.zoho, err = w.startSimulator("-redirect-uri", vaultAddr+"/v1/zoho/callback")
	check(err)
	// Hundreds of consents in minutes are not the point.
	_, err = c.zoho.ask("PATCH", "/knobs", []byte(`{"codes":-1,"live_refresh_tokens":-1}`))
	check(err)
	must := func(method, path string, body map[string]any) {
		t.Helper()
		check(c.lead(func(leader *node) error {
			err := c.must(leader, method, path, body, nil)
			if err != nil && strings.Contains(err.Error(), "already in use") {
				return nil // what was done before the answer was lost
			}
			return err
		}))
	}
	for _, version := range []string{pluginVersion, nextVersion} {
		sum := stage.pluginSHA256
		if version == nextVersion {
			sum = c.buildNext()
		}
		must("PUT", "sys/plugins/catalog/secret/"+pluginName, map[string]any{"sha256": sum, "command": commandOf(version), "version": version})
	}
	must("POST", "sys/mounts/zoho", map[string]any{"type": pluginName, "config": map[string]any{"plugin_version": pluginVersion}})
	must("PUT", "cubbyhole/probe", map[string]any{"is": "there"})
	must("POST", "zoho/config", map[string]any{
		"client_id": c.zoho.ClientID, "client_secret": c.zoho.ClientSecret, "accounts_urls": c.zoho.accounts(),
		"vault_addr": vaultAddr, "scopes": "ZohoCRM.org.READ", "max_age": "50m",
	})
	for _, name := range stable {
		check(c.lead(func(leader *node) error { return c.connect(leader, name, false) }))
	}
	path, err := c.blockableAudit()
	check(err)
	must("PUT", "sys/audit/pipe", map[string]any{"type": "file", "options": map[string]string{"file_path": path}})
	return c
}

func (c *chaos) problem(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problems = append(c.problems, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (c *chaos) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what]++
}

// pass lets workers work.
func (c *chaos) pass(d time.Duration) {
	select {
	case <-time.After(d):
	case <-c.ending.Done():
	}
}

// work starts apps and operators.
func (c *chaos) work() {
	c.vaultGap.begin()
	c.zohoGap.begin()
	for i, n := range c.nodes {
		c.workers.Go(func() { c.probe(n) })
		c.workers.Go(func() { c.app(n, stable[i%len(stable)]) })
	}
	for i := range 2 {
		// Not drawn with the faults' numbers: how far operators get depends on the machine.
		c.workers.Go(func() { c.operator(i, rand.New(rand.NewPCG(uint64(i), 1))) })
	}
}

// probe reads Vault's own storage through one server, all the time.
func (c *chaos) probe(n *node) {
	for c.ending.Err() == nil {
		started := time.Now()
		ctx, cancel := context.WithTimeout(c.ending, 3*time.Second)
		status, _, err := c.ask(ctx, n, "GET", "cubbyhole/probe", nil)
		cancel()
		if err == nil && status == http.StatusOK {
			c.vaultGap.succeeded(started)
		}
		c.pass(10 * time.Millisecond)
	}
}

// app reads a credential through one server, and uses what it gets.
func (c *chaos) app(n *node, name string) {
	for c.ending.Err() == nil {
		started := time.Now()
		ctx, cancel := context.WithTimeout(c.ending, 3*time.Second)
		status, answer, err := c.ask(ctx, n, "GET", "zoho/creds/"+name, nil)
		cancel()
		switch {
		case err != nil:
			c.count("reads without an answer")
		case status == http.StatusOK:
			c.zohoGap.succeeded(started)
			c.count("reads answered")
			c.use(name, answer)
		case status == http.StatusNotFound && !strings.Contains(string(answer), "sealed") && !strings.Contains(string(answer), "no handler for route"): // a server's own words
			c.problem("%s was not found: %s", name, answer)
		default:
			c.count(fmt.Sprintf("reads answered %d: %.80s", status, strings.Join(strings.Fields(string(answer)), " ")))
		}
		c.pass(10 * time.Millisecond)
	}
}

// use calls Zoho with a token.
func (c *chaos) use(name string, answer []byte) {
	var read struct {
		Data struct {
			Authorization string `json:"authorization"`
			APIDomain     string `json:"api_domain"`
		}
	}
	if err := json.Unmarshal(answer, &read); err != nil {
		c.problem("%s: %v", name, err)
		return
	}
	c.mu.Lock()
	fresh := time.Since(c.accepted[read.Data.Authorization]) < time.Second
	c.accepted[read.Data.Authorization] = time.Now()
	c.mu.Unlock()
	if fresh {
		return
	}
	request, err := http.NewRequest("GET", read.Data.APIDomain+"/crm/v8/org", nil)
	if err != nil {
		c.problem("%s: %v", name, err)
		return
	}
	request.Header.Set("Authorization", read.Data.Authorization)
	response, err := (&http.Client{Timeout: patience}).Do(request)
	if err != nil {
		c.problem("%s: the simulator is away: %v", name, err)
		return
	}
	response.Body.Close()
	c.count("tokens tried at Zoho")
	if response.StatusCode != http.StatusOK {
		c.problem("%s: Zoho answers %d to a token that was handed out", name, response.StatusCode)
	}
}

// operator connects, reconnects, revokes, deletes and changes credentials of its own.
func (c *chaos) operator(i int, rng *rand.Rand) {
	for c.ending.Err() == nil {
		name, n := fmt.Sprintf("op-%d-%d", i, rng.IntN(3)), c.nodes[rng.IntN(len(c.nodes))]
		var err error
		kind, means := "", ""
		switch k := rng.IntN(10); {
		case k < 5:
			kind, means, err = "connect", "connected", c.connect(n, name, k%2 == 0)
		case k < 7:
			kind, means, err = "delete", "deleted", c.changed(n, "DELETE", "zoho/creds/"+name, nil)
		case k < 8:
			kind, err = "revoke", c.changed(n, "PUT", "zoho/revoke/"+name, nil)
		case k < 9:
			kind, err = "settings", c.changed(n, "PUT", "zoho/creds/"+name, map[string]any{"max_age": 60 * (1 + rng.IntN(50))})
		default:
			kind, err = "config", c.changed(n, "PUT", "zoho/config", map[string]any{"request_timeout": 5 + rng.IntN(5), "verify": false})
		}
		c.mu.Lock()
		c.counts["operators: "+kind+map[bool]string{true: " answered", false: " failed"}[err == nil]]++
		switch {
		case means != "" && err == nil:
			c.known[name] = means
		case means != "":
			c.known[name] = "unknown"
		}
		c.mu.Unlock()
		c.pass(time.Duration(50+rng.IntN(400)) * time.Millisecond)
	}
}

// changed makes a request as an operator: an answer, or not.
func (c *chaos) changed(n *node, method, path string, body any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	status, answer, err := c.ask(ctx, n, method, path, body)
	if err == nil && status >= 300 {
		err = fmt.Errorf("%d: %s", status, answer)
	}
	return err
}

// consent starts a consent and returns what the browser lands on.
func (c *chaos) consent(n *node, name string) (landed string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	status, answer, err := c.ask(ctx, n, "PUT", "zoho/authorize/"+name, map[string]any{"force": true})
	if err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return "", fmt.Errorf("authorize: %d %s", status, answer)
	}
	var started struct {
		Data struct {
			URL string `json:"authorization_url"`
		}
	}
	if err := json.Unmarshal(answer, &started); err != nil {
		return "", err
	}
	body, err := json.Marshal(map[string]string{"url": started.Data.URL})
	if err != nil {
		return "", err
	}
	if answer, err = c.zoho.ask("POST", "/authorize", body); err != nil {
		return "", err
	}
	var back struct {
		CallbackURL string `json:"callback_url"`
	}
	err = json.Unmarshal(answer, &back)
	return back.CallbackURL, err
}

// connect takes a credential through a consent: the browser comes back to a server, or
// the address is pasted there.
func (c *chaos) connect(n *node, name string, paste bool) error {
	landed, err := c.consent(n, name)
	if err != nil {
		return err
	}
	return c.finish(n, name, landed, paste)
}

func (c *chaos) finish(n *node, name, landed string, paste bool) error {
	if paste {
		return c.changed(n, "PUT", "zoho/creds/"+name, map[string]any{"callback_url": landed})
	}
	u, err := url.Parse(landed)
	if err != nil {
		return err
	}
	return c.changed(n, "GET", "zoho/callback?"+u.RawQuery, nil)
}

// nextVersion is what the plugin is reloaded to and back from.
const nextVersion = "v0.0.1-acceptance"

func commandOf(version string) string {
	if version == nextVersion {
		return pluginName + "-next"
	}
	return pluginName
}

// buildNext builds the plugin once more, as another version, for each server.
func (c *chaos) buildNext() (sum string) {
	output := filepath.Join(c.dir, commandOf(nextVersion))
	if err := goBuild("..", "-ldflags", "-X vault-plugin-secrets-zoho/internal/release.Version="+nextVersion, "-o", output, "./cmd/"+pluginName); err != nil {
		c.t.Fatal(err)
	}
	content, err := os.ReadFile(output)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, n := range c.nodes {
		if err := os.WriteFile(filepath.Join(c.servers, n.name, "plugins", commandOf(nextVersion)), content, 0o700); err != nil {
			c.t.Fatal(err)
		}
	}
	return sha256Of(content)
}

// shortestLimit is less than the least request_timeout that operators set, by as much as
// Zoho takes its time here.
const shortestLimit = 4 * time.Second

// onItsWay is how long before its process is killed Zoho may have answered on a busy
// machine, and nothing be written down yet; or how long after, to a call that it had got.
const onItsWay = 5 * time.Second

// judge looks at every promise when all is quiet.
func (c *chaos) judge() {
	t := c.t
	c.mu.Lock()
	for _, p := range c.problems {
		t.Error(p)
	}
	c.mu.Unlock()
	for name, is := range c.known {
		status, answer, err := c.settled("zoho/creds/" + name)
		switch {
		case err != nil:
			t.Error(err)
		case is == "connected" && status != http.StatusOK:
			t.Errorf("%s was connected, and is answered %d: %s", name, status, answer)
		case is == "deleted" && status != http.StatusNotFound:
			t.Errorf("%s was deleted, and is answered %d", name, status)
		}
	}
	if wrong := c.zoho.unexpectedViolations(nil); len(wrong) > 0 {
		t.Errorf("Zoho complains: %s", strings.Join(wrong, "\n"))
	}
	for _, name := range stable {
		c.mintedOnce(name)
	}
	// What is condemned may wait for its tokens; it is known.
	for deadline := time.Now().Add(patience); ; time.Sleep(250 * time.Millisecond) {
		leader, err := c.awaitActive()
		if err != nil {
			t.Fatal(err)
		}
		s := &server{address: leader.address, token: c.token, client: c.client}
		known, err := s.refreshTokens()
		if err != nil && time.Now().Before(deadline) {
			continue // the lead changes on a busy machine without any fault, too
		}
		if err != nil {
			t.Fatal(err)
		}
		orphans, err := c.zoho.orphans(known)
		if err != nil {
			t.Fatal(err)
		}
		// What died with a process that was killed itself nobody else can know; nor what
		// arrived at one that stood still until its time limit was over.
		left := slices.DeleteFunc(orphans, func(o orphan) bool {
			return slices.ContainsFunc(c.pluginKills, func(killed time.Time) bool {
				return killed.Sub(o.Issued).Abs() < onItsWay
			}) || slices.ContainsFunc(c.pauses, func(p pause) bool {
				return p.to.Sub(p.from) > shortestLimit && o.Issued.After(p.from.Add(-time.Second)) && o.Issued.Before(p.to)
			})
		})
		if len(left) == 0 {
			c.grants, c.died = len(known), len(orphans)-len(left)
			return
		}
		if time.Now().After(deadline) {
			for _, o := range left {
				t.Errorf("a grant at Zoho of %s is in no storage", o.Issued.Format("15:04:05.000"))
			}
			return
		}
	}
}

// settled reads a path once a server that leads answers.
func (c *chaos) settled(path string) (status int, answer []byte, err error) {
	err = c.lead(func(leader *node) (err error) {
		status, answer, err = c.ask(context.Background(), leader, "GET", path, nil)
		if err == nil && status >= 500 {
			err = fmt.Errorf("%s: %d: %s", path, status, answer)
		}
		return err
	})
	return status, answer, err
}

// mintedOnce sees that the token that came with a grant was the only one of fifty
// minutes: whatever failed, none was asked for again.
func (c *chaos) mintedOnce(name string) {
	var status struct {
		Data struct {
			MintsLeft int    `json:"mints_left"`
			State     string `json:"state"`
			Last      string `json:"last_mint_time"`
			Connected string `json:"connected_time"`
		}
	}
	code, answer, err := c.settled("zoho/status/" + name)
	if err == nil {
		err = json.Unmarshal(answer, &status)
	}
	if err != nil {
		c.t.Errorf("status/%s: %d: %v", name, code, err)
		return
	}
	if status.Data.State != "ready" || status.Data.Last != status.Data.Connected {
		c.t.Errorf("%s: state %s, connected %s, last mint %s", name, status.Data.State, status.Data.Connected, status.Data.Last)
	}
}
