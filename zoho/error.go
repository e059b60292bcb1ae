// error.go: failed calls to Zoho. One error type of few kinds, and the one table that maps
// Zoho's error words to them.

package zoho

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode"
)

// Kind says who can mend a failure.
type Kind string

const (
	// Refused needs a person: configuration, a new code or a new consent.
	Refused Kind = "refused"
	// Throttled needs time: Zoho's limit was reached.
	Throttled Kind = "throttled"
	// Unavailable needs time or a network: a timeout, 408, 421, 425, a 5xx, a page instead of
	// JSON with status 2xx or 3xx.
	Unavailable Kind = "unavailable"
)

// Subject says what a refusal is about; the remedy follows from it.
type Subject string

const (
	// AboutClient: the client id, its secret, or the data centre's switch.
	AboutClient Subject = "client"
	// AboutGrant: the refresh token. Access tokens minted from it are dead too.
	AboutGrant Subject = "grant"
	// AboutCode: the one-time code.
	AboutCode Subject = "code"
	// AboutRequest: scopes, organisation, redirect address.
	AboutRequest Subject = "request"
	// AboutUser: the person said no, or their account is blocked.
	AboutUser Subject = "user"
	// AboutServer: the answer is not from Zoho's OAuth server. A proxy or a filter sent it,
	// or the address is that of a wrong server.
	AboutServer Subject = "server"
)

// noun is what a text calls the subject.
func (s Subject) noun() string {
	switch s {
	case AboutGrant:
		return "refresh token"
	case AboutUser:
		return "consent"
	}
	return string(s)
}

// Error is a failed call to an accounts server. Its text never repeats what was
// sent or what was received, but for an error word of the table.
type Error struct {
	Kind Kind
	// About is set for Refused.
	About Subject
	// Code is Zoho's word, or "" when the answer had none that may be repeated.
	Code string
	// Server is the accounts server's host.
	Server string
	// Status is the HTTP status, 0 when there was no answer.
	Status int
	// RetryAfter is what the Retry-After header asked for, 0 without one. Of a throttle that
	// [Keeper.Prove] met it is at least how long the throttle is waited out.
	RetryAfter time.Duration
	// Sent is false only when the server certainly did not get the whole request: then the
	// code in it is unspent and no token was minted.
	Sent bool
	// Answered tells that Zoho's verdict arrived: no token was minted.
	Answered bool
	// UserLocation is the data centre that other_dc names.
	UserLocation string
	// reason is our own words for what was wrong with the answer.
	reason string
	// cause is a network error; it may name hosts, never a body.
	cause error
}

// Error says what happened, at which server, in Zoho's word where there is one.
func (e *Error) Error() string {
	var b strings.Builder
	switch {
	case e.Kind == Refused && e.About != AboutServer:
		fmt.Fprintf(&b, "%s refused by %s", e.About.noun(), e.Server)
	case e.Kind == Throttled:
		fmt.Fprintf(&b, "throttled by %s", e.Server)
	default:
		fmt.Fprintf(&b, "no usable answer from %s", e.Server)
	}
	var details []string
	if e.Code != "" {
		details = append(details, e.Code)
	}
	if e.reason != "" {
		details = append(details, e.reason)
	}
	if e.Status != 0 && e.Status != 200 {
		details = append(details, fmt.Sprintf("HTTP %d", e.Status))
	}
	if e.cause != nil {
		details = append(details, e.cause.Error())
	}
	if len(details) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(details, ", "))
	}
	return b.String()
}

// Unwrap returns the network error, if one was the cause.
func (e *Error) Unwrap() error { return e.cause }

// AsError returns the *Error in err's chain, or nil.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// verdict is one row of the table of errors.
type verdict struct {
	kind  Kind
	about Subject
}

// verdicts holds every error word known for the token, device and revocation
// endpoints. Sources: Zoho's "access-token" and "access-token-expiry" pages for
// the first words of each row, self-client and limits pages, page titles of the
// authorization endpoint and working clients for the rest. invalid_code is about the
// code or the grant, by what was sent: see Exchange.
var verdicts = func() map[string]verdict {
	table := map[string]verdict{}
	for row, words := range map[verdict]string{
		{Refused, AboutClient}: "invalid_client invalid_client_secret unauthorized_client inactive_client restricted_client",
		{Refused, AboutGrant}:  "invalid_code invalid_grant invalid_token invalid_oauthtoken invalid_mobile_code",
		{Refused, AboutRequest}: "invalid_redirect_uri redirect_uri_mismatch missing_org_info invalid_scope invalid_oauthscope oauth_scope_mismatch " +
			"invalid_soid restricted_scope unsupported_grant_type invalid_request " +
			"invalid_response_type invalid_operation_type invalid_timestamp unauthorized_device",
		{Refused, AboutUser}: "access_denied access_denied_admin unconfirmed_user inactive_refreshtoken " +
			// The device flow. These only say "not yet"; see PollDevice.
			DevicePending + " " + DeviceSlowDown + " " + DeviceOtherDC,
		{Refused, AboutCode}: "expired expired_token",
		{Unavailable, ""}:    "general_error server_error temporarily_unavailable",
	} {
		for word := range strings.FieldsSeq(words) {
			table[word] = row
		}
	}
	return table
}()

// otherSpellings leads from a word without case and separators to the word itself:
// "Invalid Client" and "INVALID_CLIENT" mean invalid_client. Words about a user are left
// out, since "Access Denied" is the throttle.
var otherSpellings = func() map[string]string {
	table := map[string]string{}
	for word, row := range verdicts {
		if row.kind == Refused && row.about != AboutUser {
			table[letters(word)] = word
		}
	}
	return table
}()

// known returns the word of the table that an error word means, "" if there is none.
func known(word string) string {
	if _, exact := verdicts[word]; exact {
		return word
	}
	return otherSpellings[letters(word)]
}

// letters returns a word in lower case and without spaces, hyphens and underscores.
func letters(word string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "_", "", "-", "").Replace(word))
}

// failure is the part of an answer that is not a success.
type failure struct {
	Error       any `json:"error"`
	Description any `json:"error_description"`
	Status      any `json:"status"`
	// UserLocation comes with other_dc.
	UserLocation any `json:"user_location"`
}

// described reports whether a failure has one of the two fields that come with the
// throttle. Zoho's own error words come alone.
func (f failure) described() bool { return f.Status == "failure" || f.Description != nil }

// throttle reports whether a failure is the throttle. Its texts are localized, so it is
// known by its shape (Zoho, "limits", and captures): an error that is no code, or that
// comes with a description. A known error word of a refusal is never the throttle.
// access_denied stands for a reject and for the throttle: there the description decides.
// The description also decides for the errors of other servers; see foreign.
func (f failure) throttle() bool {
	word, _ := f.Error.(string)
	switch {
	case word == "":
		return false
	case known(word) != "" && word != "access_denied", strings.HasPrefix(letters(word), "invalid"):
		return false
	case lowerCode(word), foreign(word):
		return f.described()
	}
	return !upperCode(word)
}

// foreign reports whether an error text is that of a gateway or another web server: the name
// of an HTTP status, or one ASCII word that is no code. All captured texts of the throttle
// without a description are two words, or not ASCII.
func foreign(word string) bool {
	word = strings.TrimSpace(word)
	for status := 400; status < 500; status++ {
		if name := http.StatusText(status); name != "" && status != http.StatusTooManyRequests && letters(name) == letters(word) {
			return true
		}
	}
	if lowerCode(word) || upperCode(word) || strings.HasPrefix(letters(word), "invalid") {
		return false
	}
	return !strings.ContainsFunc(word, func(r rune) bool { return unicode.IsSpace(r) || r > unicode.MaxASCII })
}

// classify turns an answer without an access token into an Error. json tells
// whether the body was a JSON object at all.
func classify(status int, json bool, f failure, contentType string) *Error {
	e := &Error{Status: status, Sent: true, Answered: true}
	word, _ := f.Error.(string)
	switch {
	case status == 429:
		e.Kind = Throttled
	case status >= 500, transient(status):
		// A gateway's page or a server in trouble; whether a token was minted is
		// not known.
		e.Kind, e.Answered = Unavailable, false
	case !json && status >= 400:
		// A proxy, a filter or a wrong server answered. Zoho's accounts server also answers
		// with a page, to a wrong method or a missing grant_type. A retry does not help.
		e.Kind, e.About, e.reason = Refused, AboutServer, "a page instead of JSON, "+mediaType(contentType)
	case !json:
		e.Kind, e.Answered, e.reason = Unavailable, false, "a page instead of JSON, "+mediaType(contentType)
	case word == "" && status >= 400:
		e.Kind, e.About, e.reason = Refused, AboutServer, "no error word in the answer, "+mediaType(contentType)
	case word == "":
		e.Kind, e.Answered, e.reason = Unavailable, false, "neither an access token nor an error in the answer"
	case f.throttle():
		e.Kind = Throttled
	case known(word) != "":
		e.Code = known(word)
		e.Kind, e.About = verdicts[e.Code].kind, verdicts[e.Code].about
		e.UserLocation, _ = f.UserLocation.(string)
	case foreign(word):
		e.Kind, e.About, e.reason = Refused, AboutServer, "an error unlike those of Zoho's OAuth, "+mediaType(contentType)
	default:
		e.Kind, e.About, e.reason = Refused, AboutRequest, "an error word this engine does not know"
		if len(word) <= 32 && (lowerCode(word) || upperCode(word)) {
			e.Code, e.reason = word, ""
		}
	}
	return e
}

// transient reports whether a 4xx status says that the same request may succeed later, or
// over another connection: 408 Request Timeout, 421 Misdirected Request, 425 Too Early
// (RFC 9110, RFC 8470).
func transient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooEarly:
		return true
	}
	return false
}

// lowerCode reports whether a word is a code as Zoho's OAuth writes them.
func lowerCode(word string) bool {
	return word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz_") == ""
}

// upperCode reports whether a word is a code as Zoho's APIs write them, such as
// NO_PERMISSION. ACCESS_DENIED is not taken for one: in words it is the throttle.
func upperCode(word string) bool {
	return strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" && strings.Contains(strings.Trim(word, "_"), "_") && letters(word) != "accessdenied"
}

// mediaType returns what a content type header may contribute to an error text.
func mediaType(header string) string {
	media, _, _ := strings.Cut(header, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	if media == "" {
		return "no content type"
	}
	if len(media) > 40 || strings.Trim(media, "abcdefghijklmnopqrstuvwxyz0123456789/+.-") != "" {
		return "an odd content type"
	}
	return media
}

// unreachable turns a network failure into an Error, and leaves one that is an Error.
func unreachable(err error) *Error {
	if e := AsError(err); e != nil {
		return e
	}
	return &Error{Kind: Unavailable, Sent: !neverSent(err), cause: plain(err)}
}

// neverSent reports whether err proves that no byte of the request left.
func neverSent(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	var dns *net.DNSError
	return errors.As(err, &dns) || isTLSRefusal(err) || errors.Is(err, errProxyAddress)
}
