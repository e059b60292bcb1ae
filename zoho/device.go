// How does a client without a browser get a consent? The device flow: a person
// types a code at an address, the client asks until they have.

package zoho

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// What a poll answers while there is no verdict. Zoho, "polling-request".
const (
	DevicePending  = "authorization_pending"
	DeviceSlowDown = "slow_down"
	DeviceOtherDC  = "other_dc"
)

// DefaultPollInterval is how far apart Zoho wants polls. Zoho, "polling-request".
const DefaultPollInterval = 30 * time.Second

// Device is a device consent that was started.
type Device struct {
	DeviceCode      Secret
	UserCode        string
	VerificationURL string
	Interval        time.Duration
	Life            time.Duration
}

// StartDevice asks for a device code.
func (c *Client) StartDevice(ctx context.Context, scopes []string) (device Device, err error) {
	defer c.ended(ctx, CallDevice, &err)
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	r, err := c.post(ctx, c.versioned("device/code"), url.Values{
		"client_id": {c.ID}, "grant_type": {"device_request"}, "scope": {FormatScopes(scopes)},
		// Without these there is no refresh token.
		"access_type": {"offline"}, "prompt": {"consent"},
	})
	if err != nil {
		return Device{}, c.cleaned(err, nil)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(r.body, &fields); err != nil || text(fields["device_code"]) == "" {
		var f failure
		isJSON := json.Unmarshal(r.body, &f) == nil
		e := classify(r.status, isJSON, f, r.contentType)
		e.Server, e.RetryAfter = c.host(), r.retryAfter
		return Device{}, c.cleaned(e, nil)
	}
	return Device{
		DeviceCode: Secret(text(fields["device_code"])),
		UserCode:   Printable(text(fields["user_code"])),
		VerificationURL: Printable(firstText(fields, "verification_url", "verification_uri",
			"verification_uri_complete", "verification_url_complete")),
		Interval: deviceTime(fields["interval"], DefaultPollInterval),
		Life:     deviceTime(fields["expires_in"], 5*time.Minute),
	}, nil
}

func firstText(fields map[string]json.RawMessage, names ...string) string {
	for _, name := range names {
		if s := text(fields[name]); s != "" {
			return s
		}
	}
	return ""
}

// deviceTime reads a time of the device flow: above 3600 it is milliseconds.
func deviceTime(raw json.RawMessage, fallback time.Duration) time.Duration {
	n, ok := number(raw)
	switch {
	case !ok:
		return fallback
	case n > 3600:
		return time.Duration(min(n, 3600_000)) * time.Millisecond
	}
	return time.Duration(n) * time.Second
}

// PollDevice asks once whether the person has consented. While they have not, the
// error's Code is DevicePending, DeviceSlowDown or DeviceOtherDC.
func (c *Client) PollDevice(ctx context.Context, deviceCode Secret) (got Answer, err error) {
	defer c.ended(ctx, CallDevice, &err)
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	start := time.Now().UTC().Truncate(time.Second)
	r, err := c.post(ctx, c.versioned("device/token"), url.Values{
		"client_id": {c.ID}, "client_secret": {string(c.Secret)}, "grant_type": {"device_token"}, "code": {string(deviceCode)},
	})
	if err != nil {
		return Answer{}, c.cleaned(err, []Secret{deviceCode})
	}
	answer, failed := parseTokenAnswer(r.status, r.contentType, r.body, c.MaxLifetime)
	if failed != nil {
		failed.Server, failed.RetryAfter = c.host(), r.retryAfter
		if failed.About == AboutGrant {
			failed.About = AboutCode
		}
		return Answer{}, c.cleaned(failed, []Secret{deviceCode})
	}
	return Answer{
		Token: &Token{
			AccessToken: Secret(answer.AccessToken), TokenType: answer.TokenType, APIDomain: answer.APIDomain,
			Scopes: ParseScopes(answer.Scope), Issued: start, Expires: start.Add(answer.Lifetime.Truncate(time.Second)),
		},
		RefreshToken: Secret(answer.RefreshToken),
		Received:     time.Now(),
	}, nil
}

// versioned returns an endpoint of the device flow, which is the third version.
func (c *Client) versioned(path string) string {
	return strings.Replace(c.endpoint(path), "/oauth/v2/", "/oauth/v3/", 1)
}

// post sends a form over a new connection and reads the answer, whatever it is.
func (c *Client) post(ctx context.Context, endpoint string, form url.Values) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, unreachable(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Close = true // the answer may be a grant, which is given once
	return send(c.Transport, req)
}
