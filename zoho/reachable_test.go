// Tests of the call that asks whether an accounts server answers.

package zoho_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

func TestReachableIsAPostThatCarriesNothing(t *testing.T) {
	for base, want := range map[string]string{
		"https://accounts.zoho.eu":                                  "https://accounts.zoho.eu/oauth/v2/token",
		"https://accounts.zohoportal.com/clientoauth/v2/0123456789": "https://accounts.zohoportal.com/clientoauth/v2/0123456789/token",
	} {
		a := &answering{status: 400, contentType: "text/html", body: "<html>"}
		client := over(a)
		client.AccountsURL = base
		if err := client.Reachable(context.Background()); err != nil {
			t.Error(err)
		}
		if len(a.requests) != 1 {
			t.Fatalf("%d requests", len(a.requests))
		}
		req := a.requests[0]
		if req.Method != http.MethodPost || req.URL.String() != want || a.bodies[0] != "" || len(req.Header) != 0 {
			t.Errorf("%s %s %v with the body %q", req.Method, req.URL, req.Header, a.bodies[0])
		}
	}
}

func TestReachableTellsAnAnswerOfTheServerFromEverythingElse(t *testing.T) {
	const page = "<html>" + canaryAnswer
	for _, row := range []struct {
		answer *answering
		want   zoho.Kind // "" for nil
	}{
		{&answering{status: 400, contentType: "text/html", body: page}, ""},
		{&answering{status: 401, body: `{"error":"invalid_client"}`}, ""},
		{&answering{status: 404, body: page}, ""},
		{json200(`{"error":"invalid_client"}`), ""},
		{json200(`{}`), ""},
		{json200(`null`), zoho.Unavailable},
		{json200(`[]`), zoho.Unavailable},
		{json200(``), zoho.Unavailable},
		{&answering{status: 200, contentType: "text/html", body: page}, zoho.Unavailable},
		{&answering{status: 204}, zoho.Unavailable},
		{&answering{status: 302, body: `{}`}, zoho.Unavailable},
		{&answering{status: 407, body: page}, zoho.Unavailable},
		{&answering{status: 408, body: page}, zoho.Unavailable},
		{&answering{status: 421, body: page}, zoho.Unavailable},
		{&answering{status: 425, body: page}, zoho.Unavailable},
		{&answering{status: 429, body: page}, zoho.Throttled},
		{&answering{status: 500, body: page}, zoho.Unavailable},
		{&answering{status: 503, body: `{"error":"invalid_client"}`}, zoho.Unavailable},
		{&answering{err: io.ErrUnexpectedEOF}, zoho.Unavailable},
	} {
		row.answer.retryAfter = "7"
		err := over(row.answer).Reachable(context.Background())
		if row.want == "" {
			if err != nil {
				t.Errorf("HTTP %d %q: %v", row.answer.status, row.answer.body, err)
			}
			continue
		}
		e := zoho.AsError(err)
		if e == nil || e.Kind != row.want || e.Server != "accounts.zoho.eu" || e.Status != row.answer.status {
			t.Errorf("HTTP %d %q: %+v", row.answer.status, row.answer.body, err)
		} else if row.answer.err == nil && e.RetryAfter != 7*time.Second {
			t.Errorf("HTTP %d: Retry-After 7 is read as %s", row.answer.status, e.RetryAfter)
		}
	}
}

func TestReachableIsNoViolationInProcessAndOverASocket(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *zohotest.Simulator) http.RoundTripper{
		"in process": func(_ *testing.T, s *zohotest.Simulator) http.RoundTripper { return s.Transport() },
		"over a socket": func(t *testing.T, s *zohotest.Simulator) http.RoundTripper {
			stop, err := s.Listen()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(stop)
			transport, err := zoho.NewTransport("", 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(transport.CloseIdleConnections)
			return transport
		},
	} {
		sim := zohotest.New()
		client := over(prepare(t, sim))
		client.AccountsURL = sim.AccountsURL("eu")
		if err := client.Reachable(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := sim.Counts()
		if got.TokenCalls != 1 || got.Minted != 0 || len(sim.Violations()) > 0 {
			t.Errorf("%s: %+v, %v", name, got, sim.Violations())
		}
		sim.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "token", Times: 1})
		if e := zoho.AsError(client.Reachable(t.Context())); e == nil || e.Kind != zoho.Unavailable || e.Status != 503 {
			t.Errorf("%s: a server in trouble is reported as %+v", name, e)
		}
	}
}
