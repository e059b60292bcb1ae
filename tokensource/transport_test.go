// What becomes of requests to Zoho, above all when Zoho rejects their token?

package tokensource_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/tokensource"
)

const org = "https://www.zohoapis.eu/crm/v8/org"

func get(t *testing.T, client *http.Client, address string) (status int, body string) {
	t.Helper()
	resp, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestRequestsCarryTheTokenAsZohoWantsIt(t *testing.T) {
	inBubble(t, shared(), func(t *testing.T, w *world) {
		domain, err := w.source.APIDomain(t.Context())
		if err != nil || domain+"/crm/v8/org" != org {
			t.Fatalf("api_domain is %q, %v", domain, err)
		}
		var sent http.Header
		client := &http.Client{Transport: &tokensource.Transport{Source: w.source, Base: roundTripper(func(req *http.Request) (*http.Response, error) {
			sent = req.Header
			return w.zoho.Transport().RoundTrip(req)
		})}}
		if status, body := get(t, client, org); status != http.StatusOK || !strings.Contains(body, "company_name") {
			t.Errorf("%d %s", status, body)
		}
		if want := "Zoho-oauthtoken " + w.token(t); sent.Get("Authorization") != want {
			t.Errorf("sent another header than Zoho-oauthtoken and the token")
		}
	})
}

func TestDeadTokenIsReportedOnceAndTheRequestSucceeds(t *testing.T) {
	inBubble(t, shared(), func(t *testing.T, w *world) {
		dead := w.token(t)
		w.zoho.RevokeAccessToken(dead)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if status, body := get(t, w.crm(), org); status != http.StatusOK {
					t.Errorf("%d %s", status, body)
				}
			})
		}
		wg.Wait()
		if n := w.vault.reads.Load(); n != 2 || !strings.HasPrefix(*w.vault.last.Load(), "rejected=") {
			t.Errorf("%d reads, the last with %q; want one more, with rejected", n, *w.vault.last.Load())
		}
		if minted := w.zoho.Counts().Refreshes; minted != 1 {
			t.Errorf("%d mints for one dead token", minted)
		}
	})
}

func TestTroubleThatIsNotTheTokenIsNotBlamedOnIt(t *testing.T) {
	inBubble(t, shared(), func(t *testing.T, w *world) {
		if status, body := get(t, w.crm(), "https://www.zohoapis.eu/crm/v8/users"); status != http.StatusUnauthorized || !strings.Contains(body, "OAUTH_SCOPE_MISMATCH") {
			t.Errorf("%d %s", status, body)
		}
		if n := w.vault.reads.Load(); n != 1 {
			t.Errorf("%d reads after a missing scope", n)
		}
		// The wrong data centre says INVALID_TOKEN to any token: Vault believes one
		// complaint, and the app does not make one for each request.
		for range 20 {
			if status, _ := get(t, w.crm(), "https://www.zohoapis.com/crm/v8/org"); status != http.StatusUnauthorized {
				t.Fatal(status)
			}
			passes(time.Second)
		}
		if n, minted := w.vault.reads.Load(), w.zoho.Counts().Refreshes; n > 4 || minted != 1 {
			t.Errorf("%d reads and %d mints for an app that calls the wrong host", n, minted)
		}
		w.zoho.Reset() // which complained, and is right to
	})
}

// An app that sets Accept-Encoding gets the body as it is on the wire.
func TestPackedAnswerIsUnderstood(t *testing.T) {
	for body, reads := range map[string]int64{`{"code":"OAUTH_SCOPE_MISMATCH"}`: 1, `{"code":"INVALID_TOKEN"}`: 2} {
		inBubble(t, shared(), func(t *testing.T, w *world) {
			client := &http.Client{Transport: &tokensource.Transport{Source: w.source, Base: roundTripper(func(req *http.Request) (*http.Response, error) {
				var packed bytes.Buffer
				zip := gzip.NewWriter(&packed)
				io.WriteString(zip, body)
				zip.Close()
				return &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{"Content-Encoding": {"gzip"}}, Body: io.NopCloser(&packed), Request: req}, nil
			})}}
			_, got := get(t, client, org)
			reader, err := gzip.NewReader(strings.NewReader(got))
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(reader); err != nil || string(text) != body {
				t.Errorf("the app got %s, %v", text, err)
			}
			if n := w.vault.reads.Load(); n != reads {
				t.Errorf("%d reads after %s; want %d", n, body, reads)
			}
		})
	}
}

func TestZohosAnswerIsShownWhereVaultHasNoOtherToken(t *testing.T) {
	inBubble(t, shared(), func(t *testing.T, w *world) {
		w.zoho.RevokeAccessToken(w.token(t))
		w.vault.away.Store(true)
		if status, body := get(t, w.crm(), org); status != http.StatusUnauthorized || !strings.Contains(body, "INVALID_TOKEN") {
			t.Errorf("%d %s", status, body)
		}
	})
}

func TestBodyIsSentAgainOrNotAtAll(t *testing.T) {
	inBubble(t, shared(), func(t *testing.T, w *world) {
		var bodies []string
		client := &http.Client{Transport: &tokensource.Transport{Source: w.source, Base: roundTripper(func(req *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(req.Body)
			bodies = append(bodies, string(body))
			if !w.zoho.Alive(strings.TrimPrefix(req.Header.Get("Authorization"), "Zoho-oauthtoken ")) {
				return answer(req, http.StatusBadRequest, map[string]string{"code": "INVALID_TOKEN"}), nil // as PhoneBridge says it
			}
			return answer(req, http.StatusOK, nil), nil
		})}}
		post := func(body io.Reader) int {
			w.zoho.RevokeAccessToken(w.token(t))
			resp, err := client.Post(org, "application/json", body)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp.StatusCode
		}
		if status := post(strings.NewReader("{}")); status != http.StatusOK || strings.Join(bodies, " ") != "{} {}" {
			t.Errorf("%d after %q", status, bodies)
		}
		bodies = nil
		passes(10 * time.Minute)
		if status := post(io.MultiReader(strings.NewReader("{}"))); status != http.StatusBadRequest || len(bodies) != 1 {
			t.Errorf("%d after %q: a body that is gone was sent again", status, bodies)
		}
	})
}

func TestTokenGoesToNobodyElse(t *testing.T) {
	inBubble(t, shared(), func(t *testing.T, w *world) {
		var told []string
		client := &http.Client{Transport: &tokensource.Transport{Source: w.source, Base: roundTripper(func(req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Host, ".example.com") && req.Header.Get("Authorization") != "" {
				told = append(told, req.URL.Host)
			}
			resp := answer(req, http.StatusFound, nil)
			switch req.URL.Host {
			case "www.zohoapis.eu":
				resp.Header.Set("Location", "https://files.example.com/one")
			case "files.example.com":
				resp.Header.Set("Location", "https://files.example.com/two")
				if req.URL.Path == "/two" {
					resp.StatusCode = http.StatusOK
				}
			}
			return resp, nil
		})}}
		if status, _ := get(t, client, org); status != http.StatusOK || len(told) > 0 {
			t.Errorf("%d; the token went to %v", status, told)
		}
		_, err := client.Get("http://www.zohoapis.eu/crm/v8/org")
		var failed *url.Error
		if failed, _ = err.(*url.Error); failed == nil || failed.Err.Error() != "an access token is not sent over plain http; use https" {
			t.Errorf("over plain http: %v", err)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
