// programs_test.go: the same cases for this package, docs/examples/zoho.mjs and
// docs/examples/zoho.py: answers of Vault that are not usable, clocks that are wrong,
// and answers of Zoho with 401. The examples run as processes that call a server over
// sockets. This package runs both so and in a bubble in which time passes at once.

package tokensource_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-zoho/tokensource"
)

const (
	vaultToken = "hvs.not-to-be-shown"
	life, ttl  = 3600, 1800 // seconds, of the tokens of twin
)

// twin is Vault and Zoho in one server, with a clock that no client has: 2026.
type twin struct {
	mu      sync.Mutex
	url     string
	now     time.Time
	tokens  int                            // issued
	alive   map[string]time.Time           // each until then
	expires time.Time                      // of the newest
	reads   int                            // of the credential
	reports []string                       // values of rejected
	answer  func(http.ResponseWriter) bool // in place of a credential; false for the usual
	refusal func(rw http.ResponseWriter)   // of Zoho, to the first token only
	change  func(map[string]any)           // of a credential's data
	date    func(now time.Time) (d string) // of Vault's answers
	leaked  bool                           // Vault's token reached another address
	sent    []string                       // bodies of requests to Zoho
}

func newTwin() *twin {
	return &twin{url: "http://127.0.0.1:8200", alive: map[string]time.Time{}, now: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
}

func (w *twin) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rw.Header().Set("Date", w.now.Format(http.TimeFormat))
	if r.URL.Path == "/elsewhere" {
		w.leaked = w.leaked || r.Header.Get("X-Vault-Token") != ""
		page(rw, http.StatusOK)
		return
	}
	if r.URL.Path != "/v1/zoho/creds/crm" {
		w.zoho(rw, r)
		return
	}
	w.reads++
	rejected := r.URL.Query().Get("rejected")
	if rejected != "" {
		w.reports = append(w.reports, rejected)
	}
	if w.date != nil {
		rw.Header().Del("Date")
		rw.Header()["Date"] = nil // net/http adds its own else
		if date := w.date(w.now); date != "" {
			rw.Header().Set("Date", date)
		}
	}
	if w.answer != nil && w.answer(rw) {
		return
	}
	issued := w.expires.Add(-life * time.Second)
	if w.tokens == 0 || rejected == w.id() || w.now.Sub(issued) >= ttl*time.Second {
		w.tokens++
		issued, w.expires = w.now, w.now.Add(life*time.Second)
		w.alive[w.token()] = w.expires
	}
	data := map[string]any{
		"access_token": w.token(), "authorization": "Zoho-oauthtoken " + w.token(), "token_id": w.id(), "api_domain": w.url,
		"issue_time": issued.Format(time.RFC3339), "expire_time": w.expires.Format(time.RFC3339), "ttl": ttl - int(w.now.Sub(issued)/time.Second),
	}
	if w.change != nil {
		w.change(data)
	}
	json.NewEncoder(rw).Encode(map[string]any{"data": data})
}

func (w *twin) id() string    { return fmt.Sprintf("id%d", w.tokens) }
func (w *twin) token() string { return fmt.Sprintf("1000.secret%d", w.tokens) }

func (w *twin) zoho(rw http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Zoho-oauthtoken ")
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		w.sent = append(w.sent, string(body))
	}
	switch {
	case r.URL.Path == "/redirect": // to another host of the same server
		rw.Header().Set("Location", strings.Replace(w.url, "127.0.0.1", "localhost", 1)+"/crm/v8/org")
		rw.WriteHeader(http.StatusFound)
	case w.refusal != nil && token == "1000.secret1":
		w.refusal(rw)
	case !w.now.Before(w.alive[token]):
		rw.WriteHeader(http.StatusUnauthorized)
		io.WriteString(rw, `{"code":"INVALID_TOKEN","details":{},"message":"invalid oauth token","status":"error"}`)
	default:
		io.WriteString(rw, "fine")
	}
}

func (w *twin) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *twin) count() (reads int) {
	w.set(func() { reads = w.reads })
	return reads
}

// command is what a subject does: time passes, its clock steps, callers call at once.
type command struct {
	Fresh   bool   `json:"fresh,omitempty"` // a new object, before the rest
	Pass    int    `json:"pass,omitempty"`  // seconds
	Step    int    `json:"step,omitempty"`  // seconds
	Callers int    `json:"callers,omitempty"`
	Path    string `json:"path,omitempty"`
	Body    string `json:"body,omitempty"` // of a POST: text, or the name of a kind of stream
}

type result struct {
	Status int
	Body   string
	Error  string
}

// subject is one of the programs, with the twin that it calls.
type subject struct {
	*twin
	t       *testing.T
	perform func(command) []result
}

func (s *subject) do(c command) []result {
	s.t.Helper()
	s.set(func() { s.now = s.now.Add(time.Duration(c.Pass) * time.Second) })
	if c.Callers > 0 && c.Path == "" {
		c.Path = "/crm/v8/org"
	}
	return s.perform(c)
}

// works says that after some seconds all callers get an answer of Zoho.
func (s *subject) works(when string, pass, callers int) {
	s.t.Helper()
	for _, r := range s.do(command{Pass: pass, Callers: callers}) {
		if r.Status != http.StatusOK || r.Body != "fine" {
			s.t.Fatalf("%s: %+v", when, r)
		}
	}
}

// fails says that after some seconds all callers get an error of this kind, without a
// secret.
func (s *subject) fails(when string, pass, callers int, wants ...string) {
	s.t.Helper()
	for _, r := range s.do(command{Pass: pass, Callers: callers}) {
		for _, want := range append(wants, "no access token from Vault") {
			if !regexp.MustCompile(want).MatchString(r.Error) {
				s.t.Fatalf("%s: got %+v; want an error that matches %s", when, r, want)
			}
		}
		if strings.Contains(r.Error, vaultToken) || strings.Contains(r.Error, "1000.") || len(r.Error) > 1000 {
			s.t.Fatalf("%s: the error has %d bytes, or shows a token", when, len(r.Error))
		}
	}
}

func goSource(t *testing.T, w *twin, transport http.RoundTripper) (*tokensource.Source, func(command) []result) {
	client, err := api.NewClient(&api.Config{Address: w.url, HttpClient: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}})
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(vaultToken)
	client.SetMaxRetries(0)
	source := tokensource.New(client, "zoho/creds/crm")
	zoho := &http.Client{Transport: &tokensource.Transport{Source: source, Base: transport}}
	return source, func(c command) []result {
		results := make([]result, c.Callers)
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() {
				req, err := http.NewRequest(http.MethodGet, w.url+c.Path, nil)
				switch c.Body {
				case "":
				case "text":
					req, err = http.NewRequest(http.MethodPost, w.url+c.Path, strings.NewReader(c.Body))
				default:
					req, err = http.NewRequest(http.MethodPost, w.url+c.Path, io.MultiReader(strings.NewReader(c.Body)))
				}
				if err != nil {
					results[i].Error = err.Error()
					return
				}
				resp, err := zoho.Do(req)
				if err != nil {
					results[i].Error = err.Error()
					return
				}
				defer resp.Body.Close()
				body, _ := io.ReadAll(resp.Body)
				results[i] = result{Status: resp.StatusCode, Body: string(body)}
			})
		}
		wg.Wait()
		return results
	}
}

// recorded is a server without sockets.
type recorded struct{ http.Handler }

func (s recorded) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, req)
	resp := recorder.Result()
	resp.Request = req
	return resp, nil
}

// programs runs a test with each program. clock is by how many seconds its clock is
// ahead of this machine's; this package in a bubble is in the year 2000 in any case.
func programs(t *testing.T, clock int, test func(*subject)) {
	t.Run("go", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newTwin()
			source, call := goSource(t, w, recorded{w})
			test(&subject{w, t, func(c command) []result {
				time.Sleep(time.Duration(c.Pass) * time.Second)
				if c.Step != 0 {
					source.StepClock(time.Duration(c.Step) * time.Second)
				}
				defer synctest.Wait()
				return call(c)
			}})
		})
	})
	for _, p := range examples {
		t.Run(p.program, func(t *testing.T) {
			if err := p.start(); err != nil {
				t.Skip(err)
			}
			w := newTwin()
			w.url = p.server.URL
			p.serving.Store(w)
			s := &subject{w, t, func(c command) []result { return p.perform(t, c) }}
			s.do(command{Fresh: true, Step: clock})
			test(s)
		})
	}
}

// example is a process of an example with its driver. It is started once, since that
// takes seconds on a busy machine; each test begins with an object of its own.
type example struct {
	program, driver, file string

	once    sync.Once
	err     error
	server  *httptest.Server
	serving atomic.Pointer[twin]
	cmd     *exec.Cmd
	stderr  strings.Builder
	in      io.WriteCloser
	out     *bufio.Reader
}

var examples = []*example{
	{program: "node", driver: "driver.mjs", file: "zoho.mjs"},
	{program: "python3", driver: "driver.py", file: "zoho.py"},
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, p := range examples {
		if err := p.end(); err != nil {
			fmt.Println("FAIL:", err)
			code = 1
		}
	}
	os.Exit(code)
}

func (p *example) start() error {
	p.once.Do(func() {
		if _, p.err = exec.LookPath(p.program); p.err != nil {
			return
		}
		path, err := filepath.Abs("../docs/examples/" + p.file)
		if err != nil {
			p.err = err
			return
		}
		p.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { p.serving.Load().ServeHTTP(rw, r) }))
		p.cmd = exec.Command(p.program, filepath.Join("testdata", p.driver), path)
		p.cmd.Env = append(os.Environ(), "VAULT_ADDR="+p.server.URL+"/", "VAULT_TOKEN="+vaultToken)
		p.cmd.Stderr = &p.stderr
		in, inErr := p.cmd.StdinPipe()
		out, outErr := p.cmd.StdoutPipe()
		p.in, p.out = in, bufio.NewReader(out)
		p.err = errors.Join(inErr, outErr, p.cmd.Start())
	})
	return p.err
}

func (p *example) perform(t *testing.T, c command) (results []result) {
	t.Helper()
	err := json.NewEncoder(p.in).Encode(c)
	line, readErr := p.out.ReadBytes('\n')
	if err := errors.Join(err, readErr); err != nil {
		t.Fatalf("%s ended: %v", p.file, err)
	}
	if err := json.Unmarshal(line, &results); err != nil {
		t.Fatal(err)
	}
	return results
}

// end says so if the process wrote something to its standard error, or failed.
func (p *example) end() error {
	if p.cmd == nil || p.err != nil {
		return nil
	}
	defer p.server.Close()
	p.in.Close()
	if err := p.cmd.Wait(); err != nil || p.stderr.Len() > 0 {
		return fmt.Errorf("%s ended with %v, and wrote %q", p.file, err, p.stderr.String())
	}
	return nil
}

func page(rw http.ResponseWriter, status int) {
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.WriteHeader(status)
	io.WriteString(rw, "<!doctype html><title>Sign in</title>"+vaultToken)
}

// says is an answer with a status and a body.
func says(status int, body string, headers ...string) func(http.ResponseWriter) bool {
	return func(rw http.ResponseWriter) bool {
		for i := 0; i < len(headers); i += 2 {
			rw.Header().Set(headers[i], headers[i+1])
		}
		rw.WriteHeader(status)
		io.WriteString(rw, body)
		return true
	}
}

// hijacks is an answer that is not HTTP, or not a whole one.
func hijacks(text string) func(http.ResponseWriter) bool {
	return func(rw http.ResponseWriter) bool {
		conn, _, err := rw.(http.Hijacker).Hijack()
		if err == nil {
			io.WriteString(conn, text)
			conn.Close()
		}
		return true
	}
}

// withoutEnd is an answer that ends when the client stops reading it.
func withoutEnd(rw http.ResponseWriter) bool {
	for chunk := make([]byte, 1<<16); ; {
		if _, err := rw.Write(chunk); err != nil {
			return true
		}
	}
}

type badAnswer struct {
	answer func(http.ResponseWriter) bool
	change func(map[string]any)
	says   string
	raw    bool // only over sockets
}

func field(name string, value any) func(map[string]any) {
	return func(data map[string]any) {
		if data[name] = value; value == nil {
			delete(data, name)
		}
	}
}

const checks = "check that .*address"

var badAnswers = map[string]badAnswer{
	"200, empty":                {answer: says(200, ""), says: "200 with an empty body.*" + checks},
	"204":                       {answer: says(204, ""), says: "HTTP 204.*" + checks},
	"200, a page":               {answer: func(rw http.ResponseWriter) bool { page(rw, 200); return true }, says: "HTTP 200.*JSON.*" + checks},
	"200, null":                 {answer: says(200, "null"), says: "HTTP 200.*" + checks},
	"200, a list":               {answer: says(200, "[1]"), says: "HTTP 200.*" + checks},
	"200, text":                 {answer: says(200, `"data"`), says: "HTTP 200.*" + checks},
	"200, no data":              {answer: says(200, "{}"), says: "HTTP 200.*" + checks},
	"200, data is null":         {answer: says(200, `{"data":null}`), says: "HTTP 200.*" + checks},
	"200, data is a list":       {answer: says(200, `{"data":[]}`), says: "HTTP 200.*" + checks},
	"200, half of it":           {answer: says(200, `{"data":{"access_token":"1000.x"`), says: "HTTP 200.*" + checks},
	"200, deep":                 {answer: says(200, strings.Repeat("[", 200_000)), says: "HTTP 200.*" + checks},
	"200, bytes":                {answer: says(200, "\xff\xfe\x00{"), says: "HTTP 200.*" + checks},
	"no access_token":           {change: field("access_token", nil), says: "access_token.*" + checks},
	"access_token is empty":     {change: field("access_token", ""), says: "access_token.*" + checks},
	"access_token is a number":  {change: field("access_token", 1), says: "access_token.*" + checks},
	"access_token is two lines": {change: field("access_token", "1000.a\nX: b"), says: "access_token.*" + checks},
	"no token_id":               {change: field("token_id", nil), says: "token_id.*" + checks},
	"token_id is a list":        {change: field("token_id", []int{}), says: "token_id.*" + checks},
	"no ttl":                    {change: field("ttl", nil), says: "ttl.*" + checks},
	"ttl is text":               {change: field("ttl", "1800"), says: "ttl.*" + checks},
	"ttl is true":               {change: field("ttl", true), says: "ttl.*" + checks},
	"ttl is negative":           {change: field("ttl", -1), says: "ttl.*" + checks},
	"no expire_time":            {change: field("expire_time", nil), says: "expire_time.*" + checks},
	"expire_time is no time":    {change: field("expire_time", "soon"), says: "expire_time.*" + checks},
	"expire_time is a number":   {change: field("expire_time", 1), says: "expire_time.*" + checks},
	"api_domain is a number":    {change: field("api_domain", 1), says: "api_domain.*" + checks},
	"302 to a page":             {answer: says(302, "", "Location", "/elsewhere"), says: "(HTTP 302|HTTP 200.*JSON).*" + checks},
	"403, permission denied":    {answer: says(403, `{"errors":["permission denied"]}`), says: "permission denied"},
	"404, no reason":            {answer: says(404, `{"errors":[]}`), says: "HTTP 404.*" + checks},
	"404, a page":               {answer: func(rw http.ResponseWriter) bool { page(rw, 404); return true }, says: "HTTP 404.*" + checks},
	"502, a page":               {answer: func(rw http.ResponseWriter) bool { page(rw, 502); return true }, says: "HTTP 502.*" + checks},
	"503, sealed":               {answer: says(503, `{"errors":["Vault is sealed"]}`), says: "Vault is sealed"},
	"500, errors is a text":     {answer: says(500, `{"errors":"no"}`), says: "HTTP 500.*|500.*no"},
	"the connection closes":     {answer: hijacks(""), says: checks, raw: true},
	"not HTTP":                  {answer: hijacks("220 mail.example.com ESMTP\r\n"), says: checks, raw: true},
	"200, without end":          {answer: withoutEnd, says: "(larger than 1 MiB|too long).*|" + checks, raw: true},
	"shorter than it says":      {answer: hijacks("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"data\":"), says: "check|creds/crm", raw: true},
	"a chunk that is not one":   {answer: hijacks("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), says: "check|creds/crm", raw: true},
}

// An answer that is not usable is a clear error, and only for an app whose token has
// expired. Nothing crashes, and the next good answer is used.
func TestUnusableAnswerIsAnErrorAndTheCachedTokenIsUsedToItsEnd(t *testing.T) {
	for name, bad := range badAnswers {
		t.Run(name, func(t *testing.T) {
			programs(t, 0, func(s *subject) {
				if bad.raw && s.url == "http://127.0.0.1:8200" {
					s.t.Skip("needs sockets")
				}
				s.works("at first", 0, 1)
				s.set(func() { s.answer, s.change = bad.answer, bad.change })
				s.works("after ttl", ttl+100, 20)
				if n := s.count(); n != 2 {
					s.t.Fatalf("%d reads; want one for all callers after ttl", n)
				}
				s.works("5 s after the failed read", 6, 20)
				if n := s.count(); n != 3 {
					s.t.Fatalf("%d reads; want one more 5 s after the failed one", n)
				}
				s.works("in the last seconds", life-ttl-106-10, 20)
				s.fails("after the token expired", 60, 20, "/v1/zoho/creds/crm", bad.says)
				if n := s.count(); n != 5 {
					s.t.Fatalf("%d reads; want one for all callers without a token", n)
				}
				s.set(func() { s.answer, s.change = nil, nil })
				s.works("when Vault is back", 6, 20)
				if s.leaked && s.t.Name()[strings.LastIndex(s.t.Name(), "/"):] != "/go" {
					s.t.Error("Vault's token followed a redirect")
				}
			})
		})
	}
}

func TestUnusableAnswerOverSocketsIsAnError(t *testing.T) {
	for name, bad := range badAnswers {
		t.Run(name, func(t *testing.T) {
			w := newTwin()
			server := httptest.NewServer(w)
			defer server.Close()
			w.set(func() { w.url, w.answer, w.change = server.URL, bad.answer, bad.change })
			_, call := goSource(t, w, server.Client().Transport)
			s := &subject{w, t, call}
			s.fails("at first", 0, 20, server.URL+"/v1/zoho/creds/crm", bad.says)
			if w.reads != 1 {
				t.Errorf("%d reads for twenty callers", w.reads)
			}
		})
	}
}

// A token is used until it expires and no longer, whatever the machine's clock shows.
func TestWrongClockNeitherKeepsADeadTokenNorDropsALivingOne(t *testing.T) {
	const day, years = 24 * 3600, 10 * 365 * 24 * 3600
	for name, clock := range map[string]struct{ at, step int }{
		"right": {}, "far behind": {at: -years}, "far ahead": {at: years},
		"steps back": {step: -day}, "steps ahead": {step: day}, "steps a little back": {step: -ttl}, "steps a little ahead": {step: ttl},
	} {
		t.Run(name, func(t *testing.T) {
			programs(t, clock.at, func(s *subject) {
				s.works("at first", 0, 1)
				s.do(command{Step: clock.step})
				s.works("after the step", 10, 20)
				if n := s.count(); n > 2 {
					s.t.Fatalf("%d reads", n)
				}
				s.set(func() { s.answer = says(503, "") })
				s.works("while Vault is down", 600, 20)
				s.do(command{Step: clock.step})
				s.works("while Vault is down, after another step", 600, 20)
				s.works("in the last seconds", life-1210-12, 20) // a step ahead has it replaced 10 s later
				s.fails("after the token expired", 60, 20, "HTTP 503")
				s.set(func() { s.answer = nil })
				s.works("when Vault is back", 6, 20)
			})
		})
	}
}

// Without the Date of Vault's answer only ttl says how long a token lives. A Date that is
// wrong, of a proxy, makes it neither longer than a token lives nor shorter than ttl.
func TestDateOfTheAnswerBoundsTheLifeOfAToken(t *testing.T) {
	at := func(d time.Duration) func(time.Time) string {
		return func(now time.Time) string { return now.Add(d).Format(http.TimeFormat) }
	}
	for name, c := range map[string]struct {
		date func(time.Time) string
		life int
	}{
		"missing":    {func(time.Time) string { return "" }, ttl},
		"no date":    {func(time.Time) string { return "yesterday" }, ttl},
		"a year on":  {at(365 * 24 * time.Hour), ttl},
		"a year ago": {at(-365 * 24 * time.Hour), life},
	} {
		t.Run(name, func(t *testing.T) {
			programs(t, 0, func(s *subject) {
				s.set(func() { s.date = c.date })
				s.works("at first", 0, 1)
				s.set(func() { s.answer = says(500, "") })
				s.works("just before its end", c.life-10, 1)
				s.fails("just after its end", 20, 1, "HTTP 500")
			})
		})
	}
}

func TestRetryAfterOfVaultIsFollowed(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		after  func(now time.Time) string
		wait   int
	}{
		"429 in seconds":         {429, func(time.Time) string { return "120" }, 120},
		"503 in seconds":         {503, func(time.Time) string { return "120" }, 120},
		"503 as a time":          {503, func(now time.Time) string { return now.Add(120 * time.Second).Format(http.TimeFormat) }, 120},
		"429 for a year":         {429, func(time.Time) string { return "31536000" }, 600},
		"503, an endless number": {503, func(time.Time) string { return strings.Repeat("9", 5000) }, 600},
		"503 for no time":        {503, func(time.Time) string { return "0" }, 5},
		"503 for less":           {503, func(time.Time) string { return "-5" }, 5},
		"503, not a time":        {503, func(time.Time) string { return "later" }, 5},
		"500 is not of it":       {500, func(time.Time) string { return "120" }, 5},
		"429 says nothing":       {429, func(time.Time) string { return "" }, 5},
		"503 of a past time":     {503, func(now time.Time) string { return now.Add(-time.Hour).Format(http.TimeFormat) }, 5},
	} {
		t.Run(name, func(t *testing.T) {
			programs(t, 0, func(s *subject) {
				refuse := func(rw http.ResponseWriter) bool {
					return says(c.status, `{"errors":["busy"]}`, "Retry-After", c.after(s.now))(rw)
				}
				s.set(func() { s.answer = refuse })
				s.fails("at first", 0, 20, "busy")
				s.fails("while it waits", c.wait-2, 20, "busy")
				if n := s.count(); n != 1 {
					s.t.Fatalf("%d reads before the wait was over", n)
				}
				s.fails("after the wait", 4, 20, "busy")
				if n := s.count(); n != 2 {
					s.t.Fatalf("%d reads after the wait; want one more", n)
				}
				s.set(func() { s.answer = nil })
				s.works("when Vault is back", c.wait+1, 20)

				s.set(func() { s.answer = refuse })
				s.works("with a living token", ttl+10, 20)
				s.works("with a living token, while it waits", c.wait-2, 20)
				if n := s.count(); n != 4 {
					s.t.Fatalf("%d reads with a living token; want 4", n)
				}
			})
		})
	}
}

// What a service answers with 401, and whether a token that gets it is reported to
// Vault.
var answers401 = map[string]struct {
	path, body string
	headers    []string
	reported   bool
}{
	"CRM, dead":                      {"/crm/v8/org", `{"code":"INVALID_TOKEN","details":{},"message":"invalid oauth token","status":"error"}`, nil, true},
	"CRM, dead, in other words":      {"/crm/v8/org", `{"code":"AUTHENTICATION_FAILURE"}`, nil, true},
	"CRM, scope":                     {"/crm/v8/users", `{"code":"OAUTH_SCOPE_MISMATCH","message":"invalid oauth scope to access this URL"}`, nil, false},
	"Desk, dead":                     {"/api/v1/tickets", `{"errorCode":"INVALID_OAUTH","message":"The OAuth Token you provided is invalid."}`, nil, true},
	"Desk, unauthorized":             {"/api/v1/tickets", `{"errorCode":"UNAUTHORIZED"}`, nil, true},
	"Desk, another organization":     {"/api/v1/tickets", `{"errorCode":"OAUTH_ORG_MISMATCH"}`, nil, false},
	"Desk, wrong data center":        {"/api/v1/tickets", "<html><body>401</body></html>", []string{"Content-Type", "text/html;charset=UTF-8"}, false},
	"a page without its type":        {"/api/v1/tickets", "\n<!DOCTYPE html><p>401", []string{"Content-Type", "text/plain"}, false},
	"a page without a body":          {"/api/v1/tickets", "", []string{"Content-Type", "Text/HTML"}, false},
	"JSON that is said to be a page": {"/crm/v8/org", ` {"code":"INVALID_TOKEN"}`, []string{"Content-Type", "text/html;charset=UTF-8"}, true},
	"XML is not a page":              {"/api/v1/tickets", "<response><code>1</code></response>", []string{"Content-Type", "application/xml"}, true},
	"Mail, dead":                     {"/api/accounts", `{"data":{"errorCode":"INVALID_OAUTHTOKEN"},"status":{"code":401}}`, nil, true},
	"Books, dead":                    {"/books/v3/invoices", `{"code":14,"message":"Invalid value passed for authtoken."}`, nil, true},
	"Books, scope":                   {"/books/v3/invoices", `{"code":57,"message":"You are not authorized to perform this operation"}`, nil, false},
	"Inventory, scope":               {"/inventory/v1/items", `{"code": 57, "message":"You are not authorized to perform this operation"}`, nil, false},
	"57 of another service":          {"/api/v1/tickets", `{"code":57}`, nil, true},
	"570 of Books":                   {"/books/v3/invoices", `{"code":570}`, nil, true},
	"Creator":                        {"/creator/v2.1/meta/x", `{"code":1030}`, nil, true},
	"Cliq, dead":                     {"/api/v2/users", `{"code":"oauthtoken_invalid"}`, nil, true},
	"Cliq, scope":                    {"/api/v2/users", `{"code":"oauthtoken_scope_invalid"}`, nil, false},
	"SalesIQ, scope":                 {"/api/v2/x/chats", `{"error":{"code":1009,"message":"Invalid OAuthScope"}}`, nil, false},
	"WorkDrive, expired":             {"/workdrive/api/v1/files/x", `{"errors":[{"id":"R008"}]}`, []string{"WWW-Authenticate", `Bearer error="expired_token"`}, true},
	"WorkDrive, resource":            {"/workdrive/api/v1/files/x", `{"errors":[{"id":"R008","title":"Resource does not exist."}]}`, nil, false},
	"WorkDrive, resource, upload":    {"/workdrive-api/v1/stream/upload", `{"errors":[{"id":"R008"}]}`, nil, false},
	"WorkDrive, resource, in caps":   {"/WorkDrive/api/v1/files/x", `{"errors":[{"id":"R008"}]}`, nil, false},
	"WorkDrive, nothing more":        {"/workdrive/api/v1/files/x", ``, nil, true},
	"R008 of another service":        {"/crm/v8/org", `{"code":"R008"}`, nil, true},
	"Accounts, scope":                {"/oauth/user/info", `{"response":"error","cause":"INVALID_OAUTHSCOPE"}`, nil, false},
	"Sign, no token":                 {"/api/v1/requests", `{"code":9031}`, nil, true},
	"Sign, dead":                     {"/api/v1/requests", `{"code":9041}`, nil, true},
	"People 7202":                    {"/people/api/forms", `{"response":{"errors":{"code":7202}}}`, nil, true},
	"People 7213":                    {"/people/api/forms", `{"response":{"errors":{"code":7213}}}`, nil, true},
	"Campaigns":                      {"/api/v1.1/getmailinglists", `{"Code":"1007"}`, nil, true},
	"unknown, nothing at all":        {"/something", "", nil, true},
	"a word that only looks like it": {"/crm/v8/org", `{"code":"NOT_OAUTH_SCOPE_MISMATCH_AT_ALL"}`, nil, true},
}

func TestOnlyA401ThatMayBeTheTokensIsReported(t *testing.T) {
	for name, c := range answers401 {
		t.Run(name, func(t *testing.T) {
			programs(t, 0, func(s *subject) {
				s.refusal = func(rw http.ResponseWriter) { says(http.StatusUnauthorized, c.body, c.headers...)(rw) }
				got := s.do(command{Path: c.path, Callers: 20})
				reports := strings.Join(s.reports, " ")
				for _, r := range got {
					if c.reported && (r.Status != http.StatusOK || reports != "id1" || s.reads != 2) {
						s.t.Fatalf("%+v after %d reads, reported %q; want the token reported once and the request sent again", r, s.reads, reports)
					}
					if !c.reported && (r.Status != http.StatusUnauthorized || r.Body != c.body || s.reads != 1) {
						s.t.Fatalf("%+v after %d reads, reported %q; want the answer and no report", r, s.reads, reports)
					}
				}
			})
		})
	}
	for _, known := range tokensource.Unblamed() {
		if !strings.Contains(known, ";") {
			t.Errorf("%q does not say who has seen it", known)
		}
	}
}

// PhoneBridge says with 400 that a token is dead.
func TestDeadTokenWithStatus400IsReported(t *testing.T) {
	for body, want := range map[string]int{`{"code":"INVALID_TOKEN"}`: http.StatusOK, `{"code":"INVALID_DATA"}`: http.StatusBadRequest} {
		programs(t, 0, func(s *subject) {
			s.refusal = func(rw http.ResponseWriter) { says(http.StatusBadRequest, body)(rw) }
			if got := s.do(command{Callers: 1}); got[0].Status != want || len(s.reports) != s.reads-1 || s.reads > 1 != (want == http.StatusOK) {
				s.t.Errorf("%s: %+v after %d reads, reported %q", body, got, s.reads, s.reports)
			}
		})
	}
}

// The token does not follow a redirect to another host, so a 401 of that host says
// nothing about the token.
func TestAnswer401OfAnotherHostIsNotReported(t *testing.T) {
	programs(t, 0, func(s *subject) {
		if got := s.do(command{Callers: 1, Path: "/redirect"}); got[0].Status != http.StatusUnauthorized || s.reads != 1 {
			s.t.Errorf("%+v after %d reads, reported %q", got, s.reads, s.reports)
		}
	})
}

// A body that can be read only once is not sent again, and above all not without its
// content. The token is reported all the same.
func TestBodyThatIsGoneIsNotSentAgain(t *testing.T) {
	for _, kind := range []string{"text", "stream", "file", "iterator"} {
		t.Run(kind, func(t *testing.T) {
			programs(t, 0, func(s *subject) {
				s.refusal = func(rw http.ResponseWriter) { says(http.StatusUnauthorized, `{"code":"INVALID_TOKEN"}`)(rw) }
				status, sent := http.StatusUnauthorized, kind
				if kind == "text" {
					status, sent = http.StatusOK, "text text"
				}
				got := s.do(command{Callers: 1, Body: kind})
				if got[0].Status != status || strings.Join(s.sent, " ") != sent || strings.Join(s.reports, " ") != "id1" {
					s.t.Errorf("%+v after the bodies %q, reported %q", got, s.sent, s.reports)
				}
				s.works("with the next token", 0, 1)
			})
		})
	}
}

// A report that Vault does not believe is not repeated for a minute.
func TestReportThatVaultDoesNotBelieveIsNotRepeated(t *testing.T) {
	programs(t, 0, func(s *subject) {
		s.works("at first", 0, 1)
		s.refusal = func(rw http.ResponseWriter) { says(http.StatusUnauthorized, "{}")(rw) }
		s.change = func(data map[string]any) {
			data["token_id"], data["access_token"], data["authorization"] = "id1", "1000.secret1", "Zoho-oauthtoken 1000.secret1"
		}
		for range 10 {
			for _, r := range s.do(command{Pass: 5, Callers: 20}) {
				if r.Status != http.StatusUnauthorized {
					s.t.Fatalf("%+v", r)
				}
			}
		}
		if len(s.reports) != 1 {
			s.t.Errorf("%d reports in 50 s", len(s.reports))
		}
		s.do(command{Pass: 30, Callers: 20})
		if len(s.reports) != 2 {
			s.t.Errorf("%d reports in 80 s", len(s.reports))
		}
	})
}

// A server that forks its workers may do so during a read. The child has no thread that
// would end it.
func TestPythonExampleWorksInTheChildOfAFork(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip(err)
	}
	example, err := filepath.Abs("../docs/examples/zoho.py")
	if err != nil {
		t.Fatal(err)
	}
	w := newTwin()
	asked, arrived := io.Pipe()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Vault-Token") == vaultToken {
			io.WriteString(arrived, "\n")
			arrived.Close()
			<-r.Context().Done() // the parent waits
			return
		}
		w.ServeHTTP(rw, r)
	}))
	defer server.Close()
	w.url = server.URL
	cmd := exec.CommandContext(t.Context(), "python3", filepath.Join("testdata", "fork.py"), example)
	cmd.Stdin = asked
	cmd.Env = append(os.Environ(), "VAULT_ADDR="+server.URL, "VAULT_TOKEN="+vaultToken)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "200 b'fine'\n" {
		t.Errorf("%v: %s", err, out)
	}
}

// docs/examples/curl.sh reads once and stops with an error where it gets no token.
func TestShellExampleStopsWithAnErrorAtAnUnusableAnswer(t *testing.T) {
	for _, program := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	script, err := filepath.Abs("../docs/examples/curl.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "200, empty", "204", "200, a page", "200, null", "200, a list", "200, data is null", "no access_token", "access_token is a number", "no token_id", "403, permission denied", "404, no reason", "502, a page"} {
		t.Run(name, func(t *testing.T) {
			w := newTwin()
			server := httptest.NewServer(w)
			defer server.Close()
			w.set(func() { w.url, w.answer, w.change = server.URL, badAnswers[name].answer, badAnswers[name].change })
			cmd := exec.Command("bash", script, "crm")
			cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "VAULT_ADDR="+w.url+"/", "VAULT_TOKEN="+vaultToken)
			out, err := cmd.CombinedOutput()
			if name == "" {
				if err != nil || string(out) != "fine" {
					t.Errorf("%v: %s", err, out)
				}
				return
			}
			want := "no access token from Vault: " + server.URL + "/v1/zoho/creds/crm answered HTTP "
			if text := string(out); err == nil || !strings.HasPrefix(text, want) || !strings.Contains(text, "check that VAULT_ADDR") || strings.Contains(text, vaultToken) || strings.Contains(text, "1000.") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
