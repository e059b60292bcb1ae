// How does a story drive Zoho? Through the simulator's control API, over a
// socket like everybody else.

package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// simulator is a running zoho-sim; its fields are its ready file.
type simulator struct {
	*process           `json:"-"`
	Control            string            `json:"control"`
	ClientID           string            `json:"client_id"`
	ClientSecret       string            `json:"client_secret"`
	RedirectURI        string            `json:"redirect_uri"`
	SelfClientID       string            `json:"self_client_id"`
	SelfClientSecret   string            `json:"self_client_secret"`
	DeviceClientID     string            `json:"device_client_id"`
	DeviceClientSecret string            `json:"device_client_secret"`
	MobileClientID     string            `json:"mobile_client_id"`
	MobileClientSecret string            `json:"mobile_client_secret"`
	MobileRedirectURI  string            `json:"mobile_redirect_uri"`
	AccountsURLs       map[string]string `json:"accounts_urls"`
	APIURLs            map[string]string `json:"api_urls"`
}

func simulatorCommand(ts *testscript.TestScript, neg bool, args []string) {
	s, err := worldOf(ts).startSimulator(args...)
	ts.Check(err)
	for dc, url := range s.AccountsURLs {
		ts.Setenv("ACCOUNTS_"+upper(dc), url)
		ts.Setenv("API_"+upper(dc), s.APIURLs[dc])
	}
	for name, value := range map[string]string{
		"CLIENT_ID": s.ClientID, "CLIENT_SECRET": s.ClientSecret, "REDIRECT_URI": s.RedirectURI,
		"SELF_CLIENT_ID": s.SelfClientID, "SELF_CLIENT_SECRET": s.SelfClientSecret,
		"DEVICE_CLIENT_ID": s.DeviceClientID, "DEVICE_CLIENT_SECRET": s.DeviceClientSecret,
		"MOBILE_CLIENT_ID": s.MobileClientID, "MOBILE_CLIENT_SECRET": s.MobileClientSecret, "MOBILE_REDIRECT_URI": s.MobileRedirectURI,
		"ACCOUNTS_URLS": s.accounts(), "ZOHO_CONTROL": s.Control,
	} {
		ts.Setenv(name, value)
	}
}

// startSimulator starts one more Zoho.
func (w *world) startSimulator(args ...string) (*simulator, error) {
	name := fmt.Sprintf("zoho-sim%d", len(w.simulators)+1)
	readyFile := filepath.Join(w.servers, name+".json")
	// Its own output shows its client's secret, and is no log of ours.
	p, err := w.start(name+".out", nil, w.stage.simulator, append(args, "-ready-file", readyFile)...)
	if err != nil {
		return nil, err
	}
	s := &simulator{process: p}
	err = p.await("ready", func() bool {
		ready, err := os.ReadFile(readyFile)
		return err == nil && json.Unmarshal(ready, s) == nil
	})
	w.simulators = append(w.simulators, s)
	return s, err
}

// accounts is the field accounts_urls of config.
func (s *simulator) accounts() string {
	var accounts []string
	for dc, url := range s.AccountsURLs {
		accounts = append(accounts, dc+"="+url)
	}
	slices.Sort(accounts)
	return strings.Join(accounts, ",")
}

// ask sends a request to the control API.
func (s *simulator) ask(method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequest(method, s.Control+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: patience}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	return answer, err
}

// secrets is everything that nobody may tell. It panics rather than let a search
// for nothing pass.
func (s *simulator) secrets() []string {
	answer, err := s.ask("GET", "/secrets", nil)
	if err != nil {
		panic("asking the simulator for its secrets: " + err.Error())
	}
	return strings.Fields(string(answer))
}

// unexpectedViolations are complaints that no pattern announced, and patterns
// that met no complaint.
func (s *simulator) unexpectedViolations(expected []*regexp.Regexp) []string {
	answer, err := s.ask("GET", "/violations", nil)
	if err != nil {
		return []string{err.Error()}
	}
	var violations []json.RawMessage
	if err := json.Unmarshal(answer, &violations); err != nil {
		return []string{fmt.Sprintf("reading violations: %v: %s", err, answer)}
	}
	var wrong []string
	met := make([]bool, len(expected))
	for _, violation := range violations {
		i := slices.IndexFunc(expected, func(pattern *regexp.Regexp) bool { return pattern.Match(violation) })
		if i < 0 {
			wrong = append(wrong, "Zoho complains: "+string(violation))
			continue
		}
		met[i] = true
	}
	for i, pattern := range expected {
		if !met[i] {
			wrong = append(wrong, "Zoho did not complain about "+pattern.String())
		}
	}
	return append(wrong, s.unmetFaults()...)
}

// unmetFaults are the faults of a story that no call met: what it shows about them is nothing.
func (s *simulator) unmetFaults() (unmet []string) {
	answer, err := s.ask("GET", "/unmet-faults", nil)
	if err != nil {
		return []string{err.Error()}
	}
	var faults []json.RawMessage
	if err := json.Unmarshal(answer, &faults); err != nil {
		return []string{fmt.Sprintf("reading the faults that no call met: %v: %s", err, answer)}
	}
	for _, f := range faults {
		unmet = append(unmet, "no call met the fault "+string(f))
	}
	return unmet
}

// zohoOf is the simulator that a script started last.
func zohoOf(ts *testscript.TestScript) *simulator {
	all := worldOf(ts).simulators
	if len(all) == 0 {
		ts.Fatalf("zoho-sim comes first")
	}
	return all[len(all)-1]
}

func zohoCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: zoho METHOD PATH [JSON]")
	}
	answer, err := zohoOf(ts).ask(args[0], args[1], []byte(strings.Join(args[2:], "")))
	ts.Check(err)
	ts.Stdout().Write(answer)
}

func consentCommand(ts *testscript.TestScript, neg bool, args []string) {
	body := map[string]any{}
	for len(args) > 1 {
		name, value, _ := strings.Cut(strings.TrimPrefix(args[0], "-"), "=")
		name = strings.ReplaceAll(name, "-", "_")
		if body[name] = any(true); value != "" {
			body[name] = value
		}
		args = args[1:]
	}
	if len(args) != 1 {
		ts.Fatalf("usage: consent [FLAG...] URL")
	}
	body["url"] = args[0]
	printField(ts, "/authorize", body, "callback_url")
}

func selfClientCodeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: self-client-code SCOPES")
	}
	printField(ts, "/self-client-code", map[string]any{
		"client_id": zohoOf(ts).SelfClientID, "scopes": strings.Split(args[0], ","),
	}, "code")
}

// printField posts to the control API and prints one field of the answer.
func printField(ts *testscript.TestScript, path string, body map[string]any, field string) {
	encoded, err := json.Marshal(body)
	ts.Check(err)
	answer, err := zohoOf(ts).ask("POST", path, encoded)
	ts.Check(err)
	var fields map[string]string
	ts.Check(json.Unmarshal(answer, &fields))
	fmt.Fprintln(ts.Stdout(), fields[field])
}

func expectViolationCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: expect-violation PATTERN")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	w := worldOf(ts)
	w.violations = append(w.violations, pattern)
}

// alive are the access tokens that Zoho would accept now.
func (s *simulator) alive() (map[string]bool, error) {
	answer, err := s.ask("GET", "/tokens", nil)
	if err != nil {
		return nil, err
	}
	var tokens struct {
		Access []struct{ Token string } `json:"access_tokens"`
	}
	if err := json.Unmarshal(answer, &tokens); err != nil {
		return nil, err
	}
	alive := map[string]bool{}
	for _, t := range tokens.Access {
		alive[t.Token] = true
	}
	return alive, nil
}

// tokensInCommand watches a file as an app would that reads it before each
// call: whatever it holds must work.
func tokensInCommand(ts *testscript.TestScript, neg bool, args []string) {
	var want int
	if len(args) == 2 {
		fmt.Sscan(args[1], &want)
	}
	if want == 0 {
		ts.Fatalf("usage: tokens-in FILE N")
	}
	path, zoho := ts.MkAbs(args[0]), zohoOf(ts)
	read := func() string {
		content, _ := os.ReadFile(path) // not there yet is empty
		return strings.TrimSpace(string(content))
	}
	var seen []string
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); len(seen) < want; <-tick.C {
		if time.Now().After(deadline) {
			ts.Fatalf("%s has shown %d tokens, not %d", args[0], len(seen), want)
		}
		token := read()
		if token == "" {
			continue
		}
		alive, err := zoho.alive()
		ts.Check(err)
		if !alive[token] && token == read() {
			ts.Fatalf("%s shows a dead token, number %d of those it has shown", args[0], max(1, len(seen)))
		}
		if alive[token] && !slices.Contains(seen, token) {
			seen = append(seen, token)
			ts.Logf("token %d", len(seen))
		}
	}
}
