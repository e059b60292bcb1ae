// Can any answer of the token endpoint break the client or make it say too much?

package zoho_test

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

func FuzzTokenAnswer(f *testing.F) {
	for _, body := range []string{
		`{"access_token":"1000.aa.bb","refresh_token":"1000.cc.dd","scope":"ZohoCRM.modules.ALL ZohoCRM.org.READ","api_domain":"https://www.zohoapis.eu","token_type":"Bearer","expires_in":3600}`,
		`{"access_token":"1000.aa.bb","expires_in_sec":3600,"expires_in":3600000}`,
		`{"access_token":"1000.aa.bb","expires_in":"3600"}`,
		`{"access_token":"1000.aa.bb","expires_in":1e300}`,
		`{"access_token":"1000.aa.bb","expires_in_sec":0.5}`,
		`{"error":"invalid_code"}`,
		`{"error":"canary_refresh_token"}`,
		`{"error":"canary_client"}`,
		`{"error_description":"You have made too many requests continuously. Please try again after some time.","error":"Access Denied","status":"failure"}`,
		`{"error":"拒绝访问","error_description":"您连续发出的请求过多。请稍后再试。"}`,
		`{"error":["invalid_code"],"status":{}}`,
		"<html><title>Zoho Accounts</title></html>",
		`{"access_token":`,
		`null`, `[]`, `"canary_client_secret"`, ``,
	} {
		for _, status := range []int{200, 400, 503} {
			f.Add(status, "application/json;charset=UTF-8", "", body)
		}
		f.Add(200, "text/html", "120", body)
	}
	f.Fuzz(func(t *testing.T, status int, contentType, retryAfter, body string) {
		answer, err := mintOver(&answering{status: status, contentType: contentType, retryAfter: retryAfter, body: body})
		if err == nil {
			token := answer.Token
			if token == nil || token.AccessToken == "" || token.Lifetime() <= 0 || token.Lifetime() > time.Hour || token.Issued.After(time.Now()) {
				t.Errorf("a success gave %+v", token)
			}
			if answer.RefreshToken == canaryRefreshToken {
				t.Error("the refresh token that was sent is given as a new one")
			}
			if !strings.Contains(body, "access_token") && !strings.Contains(body, `\u`) {
				t.Errorf("a success without a token in %q", body)
			}
			return
		}
		e := zoho.AsError(err)
		if e == nil {
			t.Fatalf("an error of another kind: %v", err)
		}
		if (e.Kind == zoho.Refused) != (e.About != "") || !e.Sent || e.RetryAfter < 0 || e.RetryAfter > time.Hour {
			t.Errorf("the error contradicts itself: %+v", e)
		}
		text := err.Error()
		if strings.Contains(text, canaryRefreshToken) || strings.Contains(text, canarySecret) {
			t.Errorf("a secret is in %q", text)
		}
		if len(text) > 250 || strings.ContainsAny(text, "\n\r\x00<>") {
			t.Errorf("the text is not ours: %q", text)
		}
	})
}
