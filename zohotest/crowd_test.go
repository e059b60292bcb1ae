// Does it stand a crowd, and any request at all?

package zohotest_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestACrowdOfClientsSharesOneLedger(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.Codes = -1 })
		grants := []reply{a.connects("eu"), a.connects("eu"), a.connects("eu")}
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "token", Delay: time.Second, Times: 100})
		a.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang, Endpoint: "token", Times: 50})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var crowd sync.WaitGroup
		for i := range 500 {
			crowd.Go(func() {
				grant := grants[i%len(grants)]
				req := a.newPost("https://accounts.zoho.eu/oauth/v2/token", "grant_type", "refresh_token", "refresh_token", grant.refreshToken(),
					"client_id", a.client.ID, "client_secret", a.client.Secret)
				a.do(req.WithContext(ctx))
				a.get("https://www.zohoapis.eu/crm/v8/org", grant.accessToken())
				a.zoho.Counts()
				a.zoho.Violations()
				a.zoho.Orphans()
			})
		}
		crowd.Wait()
		got := a.zoho.Counts()
		if got.Minted != 30 || got.Refreshes != 27 || got.Throttled != 500-50-27 || got.APICalls != 500 || got.Faulted != 150 {
			t.Errorf("counts are %+v", got)
		}
		a.wantViolation(zohotest.ThrottleTripped, 500-50-27)
		a.wantViolation(zohotest.AccessTokenEvicted, 0)
	})
}

// FuzzNoRequestBreaksIt sends any request anywhere: no panic, and no answer of
// 500 or above unless a fault says so.
func FuzzNoRequestBreaksIt(f *testing.F) {
	const formType = "application/x-www-form-urlencoded"
	f.Add("GET", "https://accounts.zoho.eu/oauth/v2/auth?client_id=C&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A8910%2Fcallback&scope=a.b", "", "", "")
	f.Add("GET", "https://accounts.zoho.eu/oauth/v2/org/auth?client_id=C&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A8910%2Fcallback&scope=a.b,AaaServer.profile.READ&soid=a.1", "", "", "")
	f.Add("GET", "https://accounts.zoho.eu/signin?continue=%2Foauth%2Fv2%2Fauth%3Fclient_id%3DC%26response_type%3Dcode%26redirect_uri%3Dhttp%253A%252F%252Flocalhost%253A8910%252Fcallback%26scope%3Da.b", "", "", "")
	f.Add("POST", "https://accounts.zoho.eu/signin/account", formType, "", "continue=%2Foauth%2Fv3%2Fdevice&email=user2@eu.example.com")
	f.Add("POST", "https://accounts.zoho.eu/oauth/v2/approve", formType, "", "request=client_id%3DC%26response_type%3Dcode%26redirect_uri%3Dhttp%253A%252F%252Flocalhost%253A8910%252Fcallback%26scope%3Da.b&decision=accept&email=x")
	f.Add("POST", "https://accounts.zoho.eu/oauth/v2/token", formType, "", "grant_type=refresh_token&client_id=C&client_secret=S&refresh_token=R")
	f.Add("POST", "https://accounts.zoho.eu/oauth/v2/token", formType, "", "grant_type=authorization_code&client_id=C&client_secret=S&code=O&redirect_uri=http%3A%2F%2Flocalhost%3A8910%2Fcallback")
	f.Add("POST", "https://accounts.zoho.com/oauth/v2/token", formType, "", "grant_type=client_credentials&client_id=F&client_secret=S&scope=ZohoCRM.org.READ&soid=ZohoCRM")
	f.Add("POST", "https://accounts.zoho.eu/oauth/v2/token", "multipart/form-data; boundary=b", "", "--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nx\r\n--b--")
	f.Add("POST", "https://accounts.zoho.eu/oauth/v2/token", "multipart/form-data", "", "x")
	f.Add("POST", "https://accounts.zoho.eu/oauth/v2/revoke/token?token_type=access_token", formType, "Basic Qzp4", "token=A")
	f.Add("POST", "https://accounts.zoho.eu/oauth/v2/token/revoke", formType, "", "token=R")
	f.Add("POST", "https://accounts.zoho.com/oauth/v3/device/code", formType, "", "client_id=D&grant_type=device_request&scope=a.b&access_type=offline")
	f.Add("POST", "https://accounts.zoho.com/oauth/v3/device/token", formType, "", "client_id=D&client_secret=S&grant_type=device_token&code=V")
	f.Add("POST", "https://accounts.zoho.eu/oauth/v2/token/scopeenhance", formType, "", "client_id=C&client_secret=S&grant_type=update_scopes_token&refresh_token=R")
	f.Add("GET", "https://accounts.zoho.eu/oauth/v2/token/addextrascope?client_id=C&response_type=update_scopes&redirect_uri=x&scope=a.b&enhance_token=E&logout=true", "", "", "")
	f.Add("GET", "https://www.zohoapis.eu/crm/v8/users", "", "Bearer A", "")
	f.Add("GET", "https://desk.zoho.eu/api/v1/organizations", "", "Zoho-oauthtoken", "")
	f.Add("GET", "https://accounts.zoho.eu/oauth/user/info?%zz", "", "Zoho-oauthtoken A", "")
	f.Fuzz(func(t *testing.T, method, address, contentType, authorization, body string) {
		zoho := zohotest.New()
		zoho.AddClient(zohotest.Client{ID: "C", Secret: "S"})
		zoho.AddClient(zohotest.Client{ID: "F", Secret: "S", Type: zohotest.SelfClient})
		zoho.AddClient(zohotest.Client{ID: "D", Secret: "S", Type: zohotest.Device})
		a := app{t, zoho, &http.Client{Transport: zoho.Transport()}, zoho.DefaultClient()}
		grant := a.connects("eu")
		// The corpus cannot know tokens, so letters stand for them.
		stand := strings.NewReplacer("refresh_token=R", "refresh_token="+grant.refreshToken(), "token=R", "token="+grant.refreshToken(),
			"token=A", "token="+grant.accessToken(), "code=O", "code="+a.consents("eu").Get("code"))
		req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(stand.Replace(body)))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", contentType)
		req.Header.Set("Authorization", strings.ReplaceAll(authorization, "A", grant.accessToken()))
		resp, err := zoho.Transport().RoundTrip(req)
		if err != nil {
			return // no such host
		}
		if resp.StatusCode >= 500 || resp.StatusCode < 200 {
			t.Errorf("%s %s answered %d", method, address, resp.StatusCode)
		}
	})
}
