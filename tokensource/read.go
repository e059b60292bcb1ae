// read.go: one read of a credential in Vault, and the check that its answer is a usable
// access token.

package tokensource

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/hashicorp/vault/api"
	"golang.org/x/oauth2"
)

const (
	// scheme is what Zoho's APIs want before the token, whatever token_type says.
	scheme = "Zoho-oauthtoken"
	// largest is the size in bytes that an answer of Vault may have. A real answer has
	// about one KiB.
	largest = 1 << 20
	// longestLife bounds what an answer says about the life of its token.
	longestLife = 24 * time.Hour
)

// failure is a failed read.
type failure struct {
	text  string
	cause error         // nil, or what errors.As finds, such as *api.ResponseError
	after time.Duration // how long Vault asks to wait (Retry-After), 0 if it does not say
}

func (f *failure) Error() string { return "no access token from Vault: " + f.text }
func (f *failure) Unwrap() error { return f.cause }

// read asks Vault. rejected is the token_id of a token that Zoho rejected, or empty.
func (s *Source) read(ctx context.Context, rejected string) (*lent, error) {
	client, address := requester(s.vault), s.address()
	parameters := map[string][]string{}
	if rejected != "" {
		parameters["rejected"] = []string{rejected}
	}
	began := time.Now()
	// ReadWithData would drop what a 404 says. Read takes no parameters: it sends a ? in
	// the path as %3F.
	resp, err := client.Logical().ReadRawWithDataWithContext(ctx, s.path, parameters)
	if resp != nil && resp.Body != nil {
		defer resp.Body.Close()
	}
	if err != nil {
		return nil, refused(resp, err, address)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, &failure{text: fmt.Sprintf("reading the answer of %s: %s; check that the Vault server runs and that no proxy before it cuts or delays its answers", address, reason(err)), cause: err}
	}
	data, problem := decode(body)
	if problem != "" {
		problem = describe(resp.Response, body, problem)
	} else {
		var l *lent
		if l, problem = lend(data, began, resp.Header.Get("Date")); problem == "" {
			return l, nil
		}
		problem = fmt.Sprintf("HTTP %d with %s", resp.StatusCode, problem)
	}
	return nil, unusable(address, problem, nil)
}

// address is the address of the credential, for errors. It has no password and no
// parameters.
func (s *Source) address() string {
	u, err := url.Parse(s.vault.Address())
	if err != nil {
		return s.path
	}
	return u.JoinPath("v1", s.path).Redacted()
}

// requester is a copy of the owner's client that does not sleep through a Retry-After
// and does not read an endless answer. Its address, token, namespace, headers and limits
// are the owner's at this moment. The owner's client itself is not changed.
func requester(owner *api.Client) *api.Client {
	config := owner.CloneConfig()
	// The transport of a client for a unix socket dials that socket already. Given the
	// unix address again, NewClient would want to change the transport.
	config.Address, config.AgentAddress = owner.Address(), ""
	config.HttpClient.Transport = bounded{config.HttpClient.Transport}
	retry := config.CheckRetry
	if retry == nil {
		retry = api.DefaultRetryPolicy
	}
	config.CheckRetry = func(ctx context.Context, resp *http.Response, err error) (bool, error) {
		if err == nil && resp != nil && retryAfter(resp) > 0 {
			return false, nil // the source waits, and serves the cached token meanwhile
		}
		return retry(ctx, resp, err)
	}
	client, err := api.NewClient(config)
	if err != nil {
		return owner // the environment does not fit any more: VAULT_CACERT was removed, say
	}
	client.SetHeaders(owner.Headers())
	client.SetToken(owner.Token())
	return client
}

// bounded is a transport whose answers fail once they are larger than the largest size.
type bounded struct{ base http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.base.RoundTrip(req)
	if resp != nil && resp.Body != nil {
		resp.Body = &limited{resp.Body, largest + 1}
	}
	return resp, err
}

// limited is a body that fails where left bytes were read.
type limited struct {
	io.ReadCloser
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errors.New("the answer is larger than 1 MiB, so it is not an answer of the Zoho secrets engine")
	}
	n, err := l.ReadCloser.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// refused makes a failure of what the Vault client returned with an error. An error that
// Vault gave a reason for stays as it is. Any other answer, such as the page of a load
// balancer, is not repeated: it may contain what was sent.
func refused(resp *api.Response, err error, address string) error {
	var after time.Duration
	if resp != nil {
		after = retryAfter(resp.Response)
	}
	var answered *api.ResponseError
	switch {
	case !errors.As(err, &answered):
		return &failure{text: fmt.Sprintf("reading %s: %s; check that the Vault server runs and that the address is right", address, reason(err)), cause: err, after: after}
	case answered.RawError || len(answered.Errors) == 0:
		problem := fmt.Sprintf("HTTP %d without Vault's reason", answered.StatusCode)
		kept := *answered
		kept.RawError, kept.Errors = false, nil
		f := unusable(address, problem, &kept)
		f.after = after
		return f
	}
	text := err.Error()
	if after > 0 {
		text += fmt.Sprintf(" (the answer asks to wait %s)", after)
	}
	return &failure{text: text, cause: err, after: after}
}

// reason is the text of an error. The end of a read's time has no text that says how long
// that was.
func reason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no whole answer within %s", patience)
	}
	return err.Error()
}

// unusable is the failure of an answer that is not one of this secrets engine.
func unusable(address, problem string, cause error) *failure {
	return &failure{cause: cause, text: fmt.Sprintf("%s answered %s, which is no credential of the Zoho secrets engine; "+
		"check that the address is that of a Vault server (a load balancer or proxy before it may have answered) "+
		"and that the path is that of a credential, such as zoho/creds/crm", address, problem)}
}

// describe is what came in place of an answer of Vault, without its content.
func describe(resp *http.Response, body []byte, problem string) string {
	if len(body) == 0 {
		return fmt.Sprintf("HTTP %d with an empty body", resp.StatusCode)
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil {
		return fmt.Sprintf("HTTP %d with %s (%s)", resp.StatusCode, problem, kind)
	}
	return fmt.Sprintf("HTTP %d with %s", resp.StatusCode, problem)
}

// decode returns the data of an answer, or what is wrong with it. Numbers stay as they
// are written.
func decode(body []byte) (data map[string]any, problem string) {
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, "a body that is not a JSON object"
	}
	decoder := json.NewDecoder(bytes.NewReader(answer["data"]))
	decoder.UseNumber()
	if err := decoder.Decode(&data); err != nil || data == nil {
		return nil, "JSON without data"
	}
	return data, ""
}

// headerText is what may stand in a header as one word.
var headerText = regexp.MustCompile(`^[!-~]+$`)

// lend makes a token of an answer's data, or says what is wrong with it. began is when
// the read began, date the Date header of the answer.
func lend(data map[string]any, began time.Time, date string) (l *lent, problem string) {
	text := func(name string) string { value, _ := data[name].(string); return value }
	access, id := text("access_token"), text("token_id")
	for _, name := range []string{"access_token", "token_id"} {
		if !headerText.MatchString(text(name)) {
			return nil, "data whose " + name + " is missing or no text"
		}
	}
	if domain, there := data["api_domain"]; there {
		if _, isText := domain.(string); !isText {
			return nil, "data whose api_domain is no text"
		}
	}
	number, _ := data["ttl"].(json.Number)
	seconds, err := strconv.ParseFloat(number.String(), 64)
	if err != nil || seconds < 0 {
		return nil, "data whose ttl is missing or no number of seconds"
	}
	expires, err := time.Parse(time.RFC3339, text("expire_time"))
	if err != nil {
		return nil, "data whose expire_time is missing or no time"
	}
	issued, _ := time.Parse(time.RFC3339, text("issue_time"))

	ttl := time.Duration(max(1, min(seconds, longestLife.Seconds())) * float64(time.Second))
	life := lifetime(ttl, issued, expires, date)
	extra := map[string]any{}
	for name, value := range data {
		if name != "access_token" && name != "authorization" && name != "ttl" {
			extra[name] = value
		}
	}
	now := time.Now()
	t := &oauth2.Token{AccessToken: access, TokenType: scheme, Expiry: began.Add(life), ExpiresIn: int64(life / time.Second)}
	return &lent{t.WithExtra(extra), id, began, began.Round(0), now.Add(ttl), began.Add(life)}, ""
}

// lifetime is how long a token lives from the beginning of its read. It does not depend
// on the clock of this machine: both times are of Vault's clock, expire_time and the
// Date of the answer that has it. Without a Date, or with one that contradicts the
// answer (a proxy with a wrong clock wrote it), the ttl and the time from issue to expiry
// are the limits that are known.
func lifetime(ttl time.Duration, issued, expires time.Time, date string) time.Duration {
	answered, err := http.ParseTime(date)
	if err != nil {
		return ttl
	}
	most := longestLife
	if whole := expires.Sub(issued); !issued.IsZero() && whole > 0 {
		most = min(most, whole)
	}
	// Both times are cut to whole seconds.
	return max(ttl, min(most, expires.Sub(answered)-time.Second))
}

// retryAfter is how long an answer with 429 or 503 asks to wait, 0 if it does not say.
// A point in time counts from the Date of the same answer, whose clock it is of.
func retryAfter(resp *http.Response) time.Duration {
	if resp == nil || resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	header := resp.Header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(max(0, min(seconds, int64(longestWait/time.Second)))) * time.Second
	}
	until, err := http.ParseTime(header)
	if err != nil {
		return 0
	}
	from, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		from = time.Now()
	}
	return max(0, min(until.Sub(from), longestWait))
}
