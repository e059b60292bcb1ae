// What did Zoho mean? Every row of its error tables, every form of its throttle,
// and everything that is no JSON at all.

package zoho_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

// failsAs checks what an answer is taken for.
func failsAs(t *testing.T, a *answering, kind zoho.Kind, about zoho.Subject) *zoho.Error {
	t.Helper()
	_, err := mintOver(a)
	e := zoho.AsError(err)
	if e == nil {
		t.Errorf("HTTP %d %s: the mint gave %v", a.status, a.body, err)
		return nil
	}
	if e.Kind != kind || e.About != about {
		t.Errorf("HTTP %d %q %s: taken for %s %s, want %s %s", a.status, a.contentType, a.body, e.Kind, e.About, kind, about)
	}
	if len(a.requests) != 1 {
		t.Errorf("%s: %d calls for one mint", a.body, len(a.requests))
	}
	return e
}

func TestEveryErrorWordOfZohoIsUnderstoodWithAnyStatus(t *testing.T) {
	for word, want := range map[string]struct {
		kind  zoho.Kind
		about zoho.Subject
	}{
		"invalid_client":         {zoho.Refused, zoho.AboutClient},
		"invalid_client_secret":  {zoho.Refused, zoho.AboutClient},
		"unauthorized_client":    {zoho.Refused, zoho.AboutClient},
		"inactive_client":        {zoho.Refused, zoho.AboutClient},
		"restricted_client":      {zoho.Refused, zoho.AboutClient},
		"restricted_scope":       {zoho.Refused, zoho.AboutRequest},
		"access_denied_admin":    {zoho.Refused, zoho.AboutUser},
		"invalid_code":           {zoho.Refused, zoho.AboutGrant},
		"invalid_grant":          {zoho.Refused, zoho.AboutGrant},
		"invalid_token":          {zoho.Refused, zoho.AboutGrant},
		"invalid_mobile_code":    {zoho.Refused, zoho.AboutGrant},
		"invalid_redirect_uri":   {zoho.Refused, zoho.AboutRequest},
		"missing_org_info":       {zoho.Refused, zoho.AboutRequest},
		"invalid_scope":          {zoho.Refused, zoho.AboutRequest},
		"invalid_soid":           {zoho.Refused, zoho.AboutRequest},
		"unsupported_grant_type": {zoho.Refused, zoho.AboutRequest},
		"access_denied":          {zoho.Refused, zoho.AboutUser},
		"unconfirmed_user":       {zoho.Refused, zoho.AboutUser},
		"inactive_refreshtoken":  {zoho.Refused, zoho.AboutUser},
		"general_error":          {zoho.Unavailable, ""},
		"server_error":           {zoho.Unavailable, ""},
		"expired":                {zoho.Refused, zoho.AboutCode},
		"expired_token":          {zoho.Refused, zoho.AboutCode},
		"authorization_pending":  {zoho.Refused, zoho.AboutUser},
		"a_word_of_the_future":   {zoho.Refused, zoho.AboutRequest},
		// The longest that is repeated.
		"a_word_of_the_far_future_of_zoho": {zoho.Refused, zoho.AboutRequest},
	} {
		for _, status := range []int{200, 400, 401, 403} {
			body := fmt.Sprintf(`{"error":%q,"unc_token":"x"}`, word)
			e := failsAs(t, &answering{status: status, contentType: "application/json", body: body}, want.kind, want.about)
			if e == nil {
				continue
			}
			if !strings.Contains(e.Error(), word) || !strings.Contains(e.Error(), "accounts.zoho.eu") || !e.Answered {
				t.Errorf("%s: the text is %q, answered %v", word, e.Error(), e.Answered)
			}
		}
	}
}

func TestInvalidCodeIsAboutTheCodeWhenACodeWasSent(t *testing.T) {
	a := json200(`{"error":"invalid_code"}`)
	_, err := over(a).Exchange(context.Background(), canaryCode, "http://localhost/", "")
	if e := zoho.AsError(err); e == nil || e.Kind != zoho.Refused || e.About != zoho.AboutCode || len(a.requests) != 1 {
		t.Errorf("got %v after %d calls", err, len(a.requests))
	}
}

// The translations are not Zoho's: what matters is that both texts vary.
func TestTheThrottleIsKnownByItsShapeInAnyLanguage(t *testing.T) {
	for language, texts := range map[string][2]string{
		"English":  {"Access Denied", "You have made too many requests continuously. Please try again after some time."},
		"Chinese":  {"拒绝访问", "您连续发出的请求过多。请稍后再试。"},
		"Japanese": {"アクセスが拒否されました", "連続したリクエストが多すぎます。しばらくしてからもう一度お試しください。"},
	} {
		for _, status := range []int{400, 200, 403} {
			for _, body := range []string{
				fmt.Sprintf(`{"error_description":%q,"error":%q,"status":"failure"}`, texts[1], texts[0]),
				fmt.Sprintf(`{"error_description":%q,"error":%q}`, texts[1], texts[0]),
				fmt.Sprintf(`{"error":%q,"status":"failure"}`, texts[0]),
				fmt.Sprintf(`{"error":%q}`, texts[0]),
				// In words, like an error, which would come alone.
				fmt.Sprintf(`{"error":"too_many_requests","error_description":%q}`, texts[1]),
				`{"error":"too_many_requests","status":"failure"}`,
				fmt.Sprintf(`{"error":"access_denied","error_description":%q}`, texts[1]),
				`{"error":"access_denied","status":"failure"}`,
			} {
				e := failsAs(t, &answering{status: status, contentType: "application/json", body: body}, zoho.Throttled, "")
				if e != nil && (strings.Contains(e.Error(), texts[0]) || strings.Contains(e.Error(), texts[1])) {
					t.Errorf("%s: the text repeats the answer: %s", language, e.Error())
				}
			}
		}
	}
}

// refusals are Zoho's words for a refusal, and what each is about. access_denied is left
// out: it is the word for a reject and for the throttle.
var refusals = map[string]zoho.Subject{
	"invalid_client": zoho.AboutClient, "invalid_client_secret": zoho.AboutClient, "unauthorized_client": zoho.AboutClient,
	"inactive_client": zoho.AboutClient, "restricted_client": zoho.AboutClient,
	"invalid_code": zoho.AboutGrant, "invalid_grant": zoho.AboutGrant, "invalid_token": zoho.AboutGrant,
	"invalid_oauthtoken": zoho.AboutGrant, "invalid_mobile_code": zoho.AboutGrant,
	"invalid_redirect_uri": zoho.AboutRequest, "redirect_uri_mismatch": zoho.AboutRequest, "missing_org_info": zoho.AboutRequest,
	"invalid_scope": zoho.AboutRequest, "invalid_oauthscope": zoho.AboutRequest,
	"oauth_scope_mismatch": zoho.AboutRequest, "invalid_soid": zoho.AboutRequest, "restricted_scope": zoho.AboutRequest,
	"unsupported_grant_type": zoho.AboutRequest, "invalid_request": zoho.AboutRequest, "invalid_response_type": zoho.AboutRequest,
	"invalid_operation_type": zoho.AboutRequest, "invalid_timestamp": zoho.AboutRequest, "unauthorized_device": zoho.AboutRequest,
	"access_denied_admin": zoho.AboutUser, "unconfirmed_user": zoho.AboutUser, "inactive_refreshtoken": zoho.AboutUser,
	"authorization_pending": zoho.AboutUser, "slow_down": zoho.AboutUser, "other_dc": zoho.AboutUser,
	"expired": zoho.AboutCode, "expired_token": zoho.AboutCode,
}

// besides are the fields that may come along with a word.
var besides = []string{
	``, `,"status":"failure"`, `,"error_description":"Please try again after some time."`, `,"error_description":null`,
	`,"error_description":"您已连续提出过多请求，请稍后再试。","status":"failure"`, `,"code":"INVALID_TOKEN","status":"error"`, `,"response":"error","cause":"X"`,
}

func TestKnownRefusalIsNeverAThrottle(t *testing.T) {
	for word, about := range refusals {
		written := []string{word}
		if about != zoho.AboutUser { // "Access Denied" is the throttle, so these count as they are alone
			words := strings.Split(word, "_")
			for i := range words {
				words[i] = strings.ToUpper(words[i][:1]) + words[i][1:]
			}
			written = append(written, strings.ToUpper(word), strings.Join(words, " "), strings.ReplaceAll(word, "_", " "), strings.Join(words, ""), strings.ReplaceAll(word, "_", "-"))
		}
		for _, text := range written {
			for _, beside := range besides {
				for _, status := range []int{200, 400, 401, 403} {
					body := fmt.Sprintf(`{"error":%q%s}`, text, beside)
					if e := failsAs(t, &answering{status: status, contentType: "application/json", body: body}, zoho.Refused, about); e != nil && e.Code != word {
						t.Errorf("%s: the word is %q, want %q", body, e.Code, word)
					}
				}
			}
		}
	}
}

// Zoho's pages have titles, and its APIs codes, that may come as an error word.
func TestUnknownRefusalIsNoThrottle(t *testing.T) {
	for _, word := range []string{"Invalid Grant Type", "Invalid OAuth Scope", "invalid_something", "INVALID_TICKET", "NO_PERMISSION", "invalidSomething"} {
		for _, beside := range besides {
			_, err := mintOver(&answering{status: 400, contentType: "application/json", body: fmt.Sprintf(`{"error":%q%s}`, word, beside)})
			if e := zoho.AsError(err); e == nil || e.Kind != zoho.Refused || e.About != zoho.AboutRequest {
				t.Errorf("%q%s: %+v", word, beside, e)
			}
		}
	}
}

func TestObjectWithoutAnErrorIsNoThrottle(t *testing.T) {
	for _, body := range []string{
		`{}`, `{"status":"failure"}`, `{"error_description":"Please try again after some time."}`, `{"error":null,"status":"failure"}`, `{"error":"","error_description":"x"}`,
		`{"error":{"code":7},"status":"failure"}`, `{"code":"INVALID_TOKEN","status":"failure"}`, `{"response":"error","cause":"INVALID_OAUTHSCOPE","error_description":"x"}`,
	} {
		failsAs(t, json200(body), zoho.Unavailable, "")
		for _, status := range []int{400, 401, 403, 404} {
			e := failsAs(t, &answering{status: status, contentType: "application/json", body: body}, zoho.Refused, zoho.AboutServer)
			if e != nil && (!strings.Contains(e.Error(), fmt.Sprint(status)) || !strings.Contains(e.Error(), "application/json")) {
				t.Errorf("the text is %s", e.Error())
			}
		}
	}
}

// Translations of "Access Denied" that are written in plain letters are the throttle too.
func TestThrottleInAnyLanguageIsKnownByItsErrorAlone(t *testing.T) {
	for _, text := range []string{"Access Denied", "Acceso denegado", "Acesso negado", "Zugriff verweigert", "Accès refusé", "Toegang geweigerd", "拒绝访问", "拒绝"} {
		for _, beside := range besides {
			failsAs(t, &answering{status: 400, contentType: "application/json", body: fmt.Sprintf(`{"error":%q%s}`, text, beside)}, zoho.Throttled, "")
		}
	}
}

// A gateway between Vault and Zoho has errors of its own in JSON. Zoho's throttle alone, without
// a description, is two words in English, and no other captured text is one ASCII word.
func TestErrorOfAGatewayInJSONIsNoThrottle(t *testing.T) {
	for _, word := range []string{
		"Forbidden", "Unauthorized", "FORBIDDEN", "forbidden", "Blocked", "AccessDenied", "ACCESS_DENIED", "Access-Denied", "403", "E1020", " Forbidden ",
		"Not Found", "Bad Request", "Method Not Allowed", "NOT FOUND", "not_found", "Payment Required",
	} {
		for _, beside := range []string{``, `,"status":403`, `,"status":"error"`, `,"timestamp":"2026-11-30T12:00:00","status":403,"path":"/oauth/v2/token"`, `,"error_description":null`} {
			for _, status := range []int{200, 400, 401, 403, 404} {
				e := failsAs(t, &answering{status: status, contentType: "application/json", body: fmt.Sprintf(`{"error":%q%s}`, word, beside)}, zoho.Refused, zoho.AboutServer)
				if e != nil && (!strings.Contains(e.Error(), "unlike those of Zoho's OAuth") || strings.Contains(e.Error(), word) && word != "403") {
					t.Errorf("the text is %s", e.Error())
				}
			}
		}
		for _, beside := range []string{`,"status":"failure"`, `,"error_description":"Please try again after some time."`} {
			failsAs(t, &answering{status: 400, contentType: "application/json", body: fmt.Sprintf(`{"error":%q%s}`, word, beside)}, zoho.Throttled, "")
		}
	}
}

func FuzzKnownRefusal(f *testing.F) {
	for _, beside := range besides {
		f.Add(3, beside, 400)
	}
	words := slices.Sorted(maps.Keys(refusals))
	f.Fuzz(func(t *testing.T, which int, beside string, status int) {
		if status == http.StatusTooManyRequests || status >= 500 || status < 200 {
			return
		}
		word := words[uint(which)%uint(len(words))]
		body := fmt.Sprintf(`{"error":%q%s}`, word, beside)
		var fields map[string]any
		if json.Unmarshal([]byte(body), &fields) != nil || fields["error"] != word || len(fields) > 1 && duplicated(beside) {
			return // what comes along has replaced the word
		}
		_, err := mintOver(&answering{status: status, contentType: "application/json", body: body})
		if e := zoho.AsError(err); e == nil || e.Kind != zoho.Refused || e.About != refusals[word] {
			t.Errorf("HTTP %d %s: %v", status, body, err)
		}
	})
}

// duplicated reports whether fields hold another error, in any case.
func duplicated(fields string) bool {
	return strings.Contains(strings.ToLower(fields), "error\"") || strings.Contains(fields, `\u`)
}

func TestAnyAnswer429IsAThrottle(t *testing.T) {
	for _, body := range []string{"", "<html>slow down</html>", `{"error":"invalid_code"}`, `{"access_token":"t"}`} {
		e := failsAs(t, &answering{status: 429, contentType: "text/html", body: body, retryAfter: "7"}, zoho.Throttled, "")
		if e != nil && e.RetryAfter.Seconds() != 7 {
			t.Errorf("Retry-After 7 is read as %s", e.RetryAfter)
		}
	}
}

// RFC 9110, 15.5.9 and 15.5.20; RFC 8470, 5.2. A gateway sends them.
func TestAStatusThatAsksForAnotherTryIsNoRefusal(t *testing.T) {
	for _, status := range []int{408, 421, 425} {
		for _, body := range []string{"", "<html>" + canaryAnswer, `{}`, `{"error":"invalid_client"}`, `{"error":"Request Timeout"}`, `{"code":"INVALID_TOKEN"}`} {
			a := &answering{status: status, contentType: "text/html", body: body, retryAfter: "7"}
			c := over(a)
			for call, err := range map[string]error{
				"mint":     second(c.Mint(context.Background(), zoho.Grant{RefreshToken: canaryRefreshToken})),
				"exchange": second(c.Exchange(context.Background(), canaryCode, "", "")),
				"revoke":   c.Revoke(context.Background(), canaryRefreshToken, zoho.RefreshToken),
				"device":   second(c.StartDevice(context.Background(), nil)),
				"poll":     second(c.PollDevice(context.Background(), canaryCode)),
				"scopes":   second(c.ExtraScopesURL(context.Background(), canaryRefreshToken, "", "", nil)),
				"user":     second(c.UserInfo(context.Background(), canaryRefreshToken)),
			} {
				if e := zoho.AsError(err); e == nil || e.Kind != zoho.Unavailable || e.About != "" || e.Status != status || e.RetryAfter != 7*time.Second {
					t.Errorf("%s, HTTP %d %s: %+v", call, status, body, err)
				}
			}
			if len(a.requests) != 7 {
				t.Errorf("HTTP %d %s: %d requests for 7 calls", status, body, len(a.requests))
			}
		}
	}
}

// An answer that ends too early, or never, has told already when to come back.
func TestWhenToComeBackIsReadOfAnAnswerWithoutAWholeBody(t *testing.T) {
	for _, body := range []io.Reader{iotest.ErrReader(io.ErrUnexpectedEOF), strings.NewReader(strings.Repeat("x", 1<<17))} {
		c := over(roundTrip(func(req *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 503, Header: http.Header{"Retry-After": {"7"}}, Body: io.NopCloser(body), Request: req}, nil
		}))
		if e := zoho.AsError(oneCall["mint"](t.Context(), c)); e == nil || e.Kind != zoho.Unavailable || e.Status != 503 || e.RetryAfter != 7*time.Second || !e.Sent {
			t.Errorf("%+v", e)
		}
	}
}

func TestWhenToComeBackIsReadInBothForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
		for written, want := range map[string]time.Duration{
			in(90 * time.Second): 90 * time.Second, in(-time.Hour): 0, in(48 * time.Hour): time.Hour,
			"soon": 0, "-7": 0, "": 0, "3600": time.Hour, "3601": time.Hour,
		} {
			e := failsAs(t, &answering{status: 429, retryAfter: written}, zoho.Throttled, "")
			if e != nil && e.RetryAfter != want {
				t.Errorf("Retry-After %s is read as %s", written, e.RetryAfter)
			}
		}
	})
}

func TestTheDataCentreThatADeviceBelongsToIsRead(t *testing.T) {
	_, err := over(json200(`{"error":"other_dc","user_location":"eu"}`)).PollDevice(context.Background(), canaryCode)
	if e := zoho.AsError(err); e == nil || e.Code != zoho.DeviceOtherDC || e.UserLocation != "eu" {
		t.Errorf("%+v", e)
	}
}

func TestAnswersThatAreNoJSONAreTransientUnlessThey4xx(t *testing.T) {
	const page = "<html><title>Zoho Accounts</title>" + canaryAnswer + "</html>"
	for _, a := range []*answering{
		{status: 200, contentType: "text/html;charset=UTF-8", body: page},
		{status: 200, contentType: "application/json", body: "{\"access_token\":\x00\xff"},
		{status: 200, contentType: "application/json", body: ""},
		{status: 200, contentType: "application/json", body: "null"},
		{status: 200, contentType: "application/json", body: `["access_token"]`},
		{status: 204},
		{status: 302, contentType: "text/html", body: page},
		{status: 300, contentType: "application/json", body: `{"access_token":"t"}`},
		{status: 500, contentType: "text/html", body: page},
		{status: 502, contentType: "text/html", body: page},
		{status: 503, contentType: "application/json", body: `{"error":"invalid_code"}`},
		{status: 503, contentType: "application/json", body: `{"access_token":"t"}`},
		{status: 200, contentType: "application/json", body: `{}`},
		{status: 200, contentType: "application/json", body: `{"access_token":""}`},
		{status: 200, contentType: "application/json", body: `{"access_token":7}`},
	} {
		if e := failsAs(t, a, zoho.Unavailable, ""); e != nil && (e.Answered || !e.Sent) {
			t.Errorf("HTTP %d %.60s: a token may have been minted, and the error denies it: %+v", a.status, a.body, e)
		}
	}
	for i, status := range []int{400, 403, 404, 405} {
		written := []string{"text/html;charset=UTF-8", "Text/HTML", "text/html", " TEXT/html ; charset=UTF-8"}[i]
		e := failsAs(t, &answering{status: status, contentType: written, body: page}, zoho.Refused, zoho.AboutServer)
		if e != nil && (!strings.Contains(e.Error(), fmt.Sprint(status)) || !strings.Contains(e.Error(), "text/html")) {
			t.Errorf("the text names neither status nor content type: %s", e.Error())
		}
	}
	for _, body := range []string{`null`, `["general_error"]`, `"general_error"`} { // nor an object
		failsAs(t, &answering{status: 400, contentType: "application/json", body: body}, zoho.Refused, zoho.AboutServer)
	}
}

func TestAnAnswerLongerThanAnyRealOneIsNotReadToItsEnd(t *testing.T) {
	const longest = 64 << 10
	answer := func(length int) *answering { return json200(fmt.Sprintf("%-*s", length, `{"access_token":"t"}`)) }
	if _, err := mintOver(answer(longest)); err != nil {
		t.Error(err)
	}
	for _, length := range []int{longest + 1, 10 * longest} {
		if e := failsAs(t, answer(length), zoho.Unavailable, ""); e != nil && (e.Answered || !e.Sent || !strings.Contains(e.Error(), "longer than any real one")) {
			t.Errorf("%d bytes: %+v", length, e)
		}
	}
}

func TestOnlyACallThatCertainlyNeverLeftCountsAsNotSent(t *testing.T) {
	for _, row := range []struct {
		err  error
		sent bool
		text string
	}{
		{&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, false, "refused"},
		{&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "accounts.zoho.eu"}}, false, "no such host"},
		{&net.DNSError{Err: "no such host", Name: "accounts.zoho.eu"}, false, "no such host"},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, false, "unknown authority"},
		{&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, true, "reset"},
		{context.DeadlineExceeded, true, "timed out"},
		{context.Canceled, true, "cancelled"},
		{io.ErrUnexpectedEOF, true, "closed before"},
		{errors.New("malformed HTTP response " + canaryAnswer), true, "protocol"},
	} {
		e := failsAs(t, &answering{err: row.err}, zoho.Unavailable, "")
		if e != nil && (e.Sent != row.sent || !strings.Contains(e.Error(), row.text) || e.Server != "accounts.zoho.eu" || strings.Contains(e.Error(), canaryAnswer)) {
			t.Errorf("%v: sent %v, server %q, text %q", row.err, e.Sent, e.Server, e.Error())
		}
	}
}

// Whoever echoes what was sent, and wherever: no error repeats it, nor what came.
func TestNoErrorRepeatsWhatWasSentOrReceived(t *testing.T) {
	for _, canary := range []string{
		canaryAnswer, canarySecret, canaryRefreshToken, canaryCode, canaryVerifier, "x_" + canaryCode, canaryRefreshToken + "_x",
	} {
		for _, status := range []int{200, 302, 400, 401, 403, 404, 429, 500, 503} {
			for _, contentType := range []string{"application/json", "text/html", "text/plain", canary, "text/" + canary} {
				for _, body := range []string{
					canary,
					`"` + canary + `"`,
					`{"error":"` + canary + `"}`,
					`{"error":"` + canary + `","error_description":"` + canary + `","status":"` + canary + `"}`,
					`{"error":"invalid_code","error_description":"` + canary + `"}`,
					`{"error":{"` + canary + `":"` + canary + `"}}`,
					`{"access_token":"","refresh_token":"` + canary + `","scope":"` + canary + `"}`,
					`{"access_token":"` + canary + `","error":"` + canary + `"}`,
					`{"access_token":"` + canary,
					"access_token=" + canary,
					`{"code":"` + canary + `","message":"` + canary + `"}`,
				} {
					a := &answering{status: status, contentType: contentType, body: body, retryAfter: canary}
					client := over(a)
					_, minting := client.Mint(context.Background(), zoho.Grant{RefreshToken: canaryRefreshToken})
					_, credentials := client.Mint(context.Background(), zoho.Grant{Scopes: []string{"A.b.READ"}, SOID: "A.1"})
					_, exchanging := client.Exchange(context.Background(), canaryCode, "http://localhost/", canaryVerifier)
					revoking := client.Revoke(context.Background(), canaryRefreshToken, zoho.RefreshToken)
					_, asking := client.UserInfo(context.Background(), canaryRefreshToken)
					for _, call := range []struct {
						err  error
						sent []string
					}{
						{minting, []string{canarySecret, canaryRefreshToken}},
						{credentials, []string{canarySecret}},
						{exchanging, []string{canarySecret, canaryCode, canaryVerifier}},
						{revoking, []string{canarySecret, canaryRefreshToken}},
						{asking, []string{canarySecret, canaryRefreshToken}},
					} {
						text := fmt.Sprintf("%v %+v %#v", call.err, call.err, call.err)
						for _, secret := range append(call.sent, canaryAnswer) {
							if strings.Contains(text, secret) {
								t.Fatalf("HTTP %d %s %s: %q is in %s", status, contentType, body, secret, text)
							}
						}
					}
				}
			}
		}
	}
}
