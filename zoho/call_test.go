// Calls: each method of a Client tells Observe once what the call was for and how it ended.

package zoho_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zoho"
)

// answers is a transport that answers every call with the same JSON, or fails.
type answers struct {
	body string
	err  error
}

func (a answers) RoundTrip(req *http.Request) (*http.Response, error) {
	if a.err != nil {
		return nil, a.err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(a.body)), Request: req,
	}, nil
}

// everyCall makes one call with each method of a client, in the order of everyKind.
func everyCall(ctx context.Context, c *zoho.Client) (failed []error) {
	_, minted := c.Mint(ctx, zoho.Grant{RefreshToken: "1000.a.b"})
	_, exchanged := c.Exchange(ctx, "1000.c.d", "", "")
	_, started := c.StartDevice(ctx, []string{"ZohoCRM.modules.ALL"})
	_, polled := c.PollDevice(ctx, "1004.e.f")
	_, extended := c.ExtraScopesURL(ctx, "1000.a.b", "https://app.example.com/", "state", []string{"ZohoBooks.fullaccess.all"})
	revoked := c.Revoke(ctx, "1000.a.b", zoho.RefreshToken)
	_, asked := c.UserInfo(ctx, "1000.g.h")
	_, askedCRM := c.CRMOrganization(ctx, "https://www.zohoapis.com", "1000.g.h")
	return []error{minted, exchanged, started, polled, extended, revoked, asked, askedCRM, c.Reachable(ctx)}
}

var everyKind = []zoho.Call{
	zoho.CallMint, zoho.CallExchange, zoho.CallDevice, zoho.CallDevice, zoho.CallScopes, zoho.CallRevoke,
	zoho.CallProbe, zoho.CallProbe, zoho.CallCheck,
}

func TestEachCallIsObservedOnceWithItsResult(t *testing.T) {
	for name, wire := range map[string]answers{
		"an answer that is a refusal": {body: `{"error":"invalid_client"}`},
		"an answer of another kind":   {body: `{"access_token":"1000.x.y","expires_in":3600,"device_code":"1004.z","ZUID":"1","org":[{"id":"2"}]}`},
		"no answer":                   {err: errors.New("no route")},
	} {
		var kinds []zoho.Call
		var results []error
		c := &zoho.Client{
			ID: "1000.CLIENT", Secret: "secret", AccountsURL: "https://accounts.zoho.com", Transport: wire,
			Observe: func(call zoho.Call, err error) { kinds, results = append(kinds, call), append(results, err) },
		}
		failed := everyCall(t.Context(), c)
		if !slices.Equal(kinds, everyKind) || !slices.Equal(results, failed) {
			t.Errorf("%s: observed %v, %v; want %v, %v", name, kinds, results, everyKind, failed)
		}
		c.Observe = nil
		everyCall(t.Context(), c)
	}
}

func TestACallThatItsCallerCancelsIsNotObserved(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := &zoho.Client{
		ID: "1000.CLIENT", Secret: "secret", AccountsURL: "https://accounts.zoho.com", Transport: answers{err: context.Canceled},
		Observe: func(call zoho.Call, err error) { t.Errorf("%s is observed: %v", call, err) },
	}
	for i, err := range everyCall(ctx, c) {
		if err == nil {
			t.Errorf("%s succeeded", everyKind[i])
		}
	}
}
