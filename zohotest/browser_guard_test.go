// Tests of the browser guard, over real sockets and with the headers of browsers.

package zohotest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zohotest"
)

// fromBrowser sends a request with headers; the header Host is the request's Host.
func fromBrowser(t *testing.T, method, address, body string, headers map[string]string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	req.Host = headers["Host"]
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

func TestControlAPIRefusesChangesThatPagesOfOtherSitesAskFor(t *testing.T) {
	zoho := zohotest.New()
	server := httptest.NewServer(zoho.Control())
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	for name, test := range map[string]struct {
		headers map[string]string
		want    int
	}{
		"a program":                          {nil, 200},
		"its own page":                       {map[string]string{"Origin": server.URL, "Sec-Fetch-Site": "same-origin"}, 200},
		"the address bar":                    {map[string]string{"Sec-Fetch-Site": "none"}, 200},
		"its own page in an old browser":     {map[string]string{"Origin": server.URL}, 200},
		"another site":                       {map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403},
		"another site in an old browser":     {map[string]string{"Origin": "https://evil.example"}, 403},
		"another port":                       {map[string]string{"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"}, 403},
		"another port in an old browser":     {map[string]string{"Origin": "http://127.0.0.1:1"}, 403},
		"a page without an origin":           {map[string]string{"Origin": "null"}, 403},
		"a name that points to this machine": {map[string]string{"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			if status, answer := fromBrowser(t, "POST", server.URL+"/advance", `{"duration":"0s"}`, test.headers); status != test.want || !json.Valid([]byte(answer)) {
				t.Errorf("answered %d %s, want %d", status, answer, test.want)
			}
		})
	}
	if status, _ := fromBrowser(t, "DELETE", "http://"+host+"/faults", "", map[string]string{"Origin": "https://evil.example"}); status != 403 {
		t.Errorf("DELETE from another site answered %d", status)
	}
}

func TestControlAPITakesOnlyHostsThatNobodyElseCanPointToIt(t *testing.T) {
	zoho := zohotest.New()
	zoho.SetURL("eu", zohotest.AccountsServer, "https://Sim.example.com:9001")
	server := httptest.NewServer(zoho.Control("mine.example"))
	defer server.Close()
	for host, want := range map[string]int{
		"evil.example": 403, "evil.example:80": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "xlocalhost": 403, "sim.example.com.evil.example": 403,
		"localhost": 200, "LOCALHOST:1": 200, "eu.localhost": 200, "127.0.0.1:80": 200, "[::1]:80": 200, "[::1]": 200, "192.168.1.2": 200,
		"sim.example.com": 200, "sim.example.com:9010": 200, "sim.example.com.": 200, "MINE.example": 200,
	} {
		for _, path := range []string{"/secrets", "/", "/tokens"} {
			if status, answer := fromBrowser(t, "GET", server.URL+path, "", map[string]string{"Host": host}); status != want {
				t.Errorf("GET %s with Host %s answered %d %s, want %d", path, host, status, answer, want)
			}
		}
	}
}

func TestConsentPageTakesNoDecisionThatAPageOfAnotherSiteMakes(t *testing.T) {
	a := listening(t)
	start := strings.SplitN(a.consentURL("us"), "?", 2)[1]
	for _, path := range []string{"/oauth/v2/approve", "/signin/account", "/oauth/v3/device/approve"} {
		body := form("path", "/oauth/v2/auth", "request", start, "decision", "accept", "email", a.zoho.User("us").Email, "user_code", "X").Encode()
		headers := map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
		if status, answer := fromBrowser(t, "POST", a.zoho.AccountsURL("us")+path, body, headers); status != 403 {
			t.Errorf("%s answered %d %s to another site", path, status, answer)
		}
		headers["Origin"], headers["Sec-Fetch-Site"] = a.zoho.AccountsURL("us"), "same-origin"
		if status, answer := fromBrowser(t, "POST", a.zoho.AccountsURL("us")+path, body, headers); status == 403 {
			t.Errorf("%s answered %d %s to its own page", path, status, answer)
		}
	}
	if got := a.zoho.Counts().Consents; got != 1 {
		t.Errorf("%d consents, want that of its own page", got)
	}
}
