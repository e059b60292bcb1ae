// What did Zoho mean? One error type, few kinds, and the one table that maps
// Zoho's words to them.

package zoho

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Kind says who can mend a failure.
type Kind string

const (
	// Refused needs a person: configuration, a new code or a new consent.
	Refused Kind = "refused"
	// Throttled needs time: Zoho's limit was reached.
	Throttled Kind = "throttled"
	// Unavailable needs Zoho: a timeout, a 5xx, a page instead of JSON.
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
	// RetryAfter is what the Retry-After header asked for, 0 without one.
	RetryAfter time.Duration
	// Sent is false only when the request certainly never left: then the code in
	// it is unspent and no token was minted.
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
	switch e.Kind {
	case Refused:
		fmt.Fprintf(&b, "%s refused by %s", e.About.noun(), e.Server)
	case Throttled:
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
// the first block, self-client and limits pages and working clients for the rest.
// invalid_code is about the code or the grant, by what was sent: see classify.
func verdicts(word string) (verdict, bool) {
	switch word {
	case "invalid_client", "invalid_client_secret", "unauthorized_client", "inactive_client", "restricted_client":
		return verdict{Refused, AboutClient}, true
	case "invalid_code", "invalid_grant", "invalid_token", "invalid_mobile_code":
		return verdict{Refused, AboutGrant}, true
	case "invalid_redirect_uri", "redirect_uri_mismatch", "missing_org_info", "invalid_scope",
		"invalid_soid", "restricted_scope", "unsupported_grant_type", "invalid_request":
		return verdict{Refused, AboutRequest}, true
	case "access_denied", "access_denied_admin", "unconfirmed_user", "inactive_refreshtoken":
		return verdict{Refused, AboutUser}, true
	// The device flow. The first three only say "not yet"; see DevicePoll.
	case DevicePending, DeviceSlowDown, DeviceOtherDC:
		return verdict{Refused, AboutUser}, true
	case "expired", "expired_token":
		return verdict{Refused, AboutCode}, true
	case "general_error", "server_error", "temporarily_unavailable":
		return verdict{Unavailable, ""}, true
	}
	return verdict{}, false
}

// failure is the part of an answer that is not a success.
type failure struct {
	Error       any `json:"error"`
	Description any `json:"error_description"`
	Status      any `json:"status"`
	// UserLocation comes with other_dc.
	UserLocation any `json:"user_location"`
}

// classify turns an answer without an access token into an Error. json tells
// whether the body was a JSON object at all.
func classify(status int, json bool, f failure, contentType string) *Error {
	e := &Error{Status: status, Sent: true, Answered: true}
	word, _ := f.Error.(string)
	switch row, known := verdicts(word); {
	case status == 429:
		e.Kind = Throttled
	case status >= 500:
		// A gateway's page or a server in trouble; whether a token was minted is
		// not known.
		e.Kind, e.Answered = Unavailable, false
	case !json && status >= 400:
		// The accounts pages: a 400 page answers a wrong method or a missing
		// grant_type. Asking again changes nothing.
		e.Kind, e.About, e.reason = Refused, AboutRequest, "a page instead of JSON, "+mediaType(contentType)
	case !json:
		e.Kind, e.Answered, e.reason = Unavailable, false, "a page instead of JSON, "+mediaType(contentType)
	case word == "access_denied" && (f.Status == "failure" || f.Description != nil):
		// The word for a reject, in the shape of the throttle: too many codes.
		e.Kind = Throttled
	case known:
		e.Kind, e.About, e.Code = row.kind, row.about, word
		e.UserLocation, _ = f.UserLocation.(string)
	case word == "" && f.Description == nil && f.Status != "failure":
		e.Kind, e.Answered, e.reason = Unavailable, false, "neither an access token nor an error in the answer"
	case f.Status == "failure" || f.Description != nil || !snakeCase(word):
		// The throttle. Its texts are localised, so it is known by its shape:
		// Zoho's own words for errors are lower_snake_case and come alone.
		e.Kind = Throttled
	default:
		e.Kind, e.About, e.reason = Refused, AboutRequest, "an error word this engine does not know"
		if len(word) <= 32 {
			e.Code, e.reason = word, ""
		}
	}
	return e
}

func snakeCase(word string) bool {
	return word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyz_") == ""
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
	return errors.As(err, &dns) || isTLSRefusal(err)
}
