package zohotest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

// A European user connects an app that is registered in the United States, and
// the app makes the mistake of sending its code twice.
func Example() {
	zoho := zohotest.New()
	app := zoho.DefaultClient()

	landed, err := zoho.Authorize(zoho.AccountsURL("us")+"/oauth/v2/auth?"+url.Values{
		"client_id": {app.ID}, "response_type": {"code"}, "redirect_uri": {app.RedirectURIs[0]},
		"scope": {"ZohoCRM.org.READ"}, "access_type": {"offline"}, "prompt": {"consent"},
	}.Encode(), zohotest.Consent{DataCenter: "eu"})
	if err != nil {
		fmt.Println(err)
		return
	}
	callback, err := url.Parse(landed)
	if err != nil {
		fmt.Println(err)
		return
	}
	accounts := callback.Query().Get("accounts-server")
	fmt.Println(accounts)

	client := &http.Client{Transport: zoho.Transport()}
	for range 2 {
		resp, err := client.PostForm(accounts+"/oauth/v2/token", url.Values{
			"grant_type": {"authorization_code"}, "client_id": {app.ID}, "client_secret": {app.Secret},
			"redirect_uri": {app.RedirectURIs[0]}, "code": {callback.Query().Get("code")},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		var token struct {
			AccessToken string `json:"access_token"`
			APIDomain   string `json:"api_domain"`
			Error       string `json:"error"`
		}
		err = json.NewDecoder(resp.Body).Decode(&token)
		resp.Body.Close()
		fmt.Println(resp.StatusCode, zoho.Alive(token.AccessToken), token.APIDomain, token.Error, err)
	}
	for _, v := range zoho.Violations() {
		fmt.Println(v.Kind)
	}
	// Output:
	// https://accounts.zoho.eu
	// 200 true https://www.zohoapis.eu  <nil>
	// 200 false  invalid_code <nil>
	// code tried twice
}

// A test of a client that is to survive Zoho's bad days: the next two calls of the token
// endpoint meet a gateway's page, and then all is well again.
func ExampleSimulator_Fault() {
	zoho := zohotest.New()
	zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "token", Times: 2})

	client := &http.Client{Transport: zoho.Transport()}
	for range 3 {
		resp, err := client.PostForm(zoho.AccountsURL("eu")+"/oauth/v2/token", url.Values{"grant_type": {"refresh_token"}})
		if err != nil {
			fmt.Println(err)
			return
		}
		resp.Body.Close()
		fmt.Println(resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	// Output:
	// 503 text/html;charset=UTF-8
	// 503 text/html;charset=UTF-8
	// 200 application/json;charset=UTF-8
}

// Another Zoho: access tokens live a minute, and three of one grant at once.
func ExampleSimulator_Knobs() {
	zoho := zohotest.New()
	zoho.Knobs(func(k *zohotest.Knobs) {
		k.AccessTokenLifetime = time.Minute
		k.LiveAccessTokens = 3
	})
	app := zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient, DataCenter: "in"})
	code, err := zoho.SelfClientCode(app.ID, "in", 0, "ZohoCRM.org.READ")
	if err != nil {
		fmt.Println(err)
		return
	}
	client := &http.Client{Transport: zoho.Transport()}
	resp, err := client.PostForm(zoho.AccountsURL("in")+"/oauth/v2/token", url.Values{
		"grant_type": {"authorization_code"}, "client_id": {app.ID}, "client_secret": {app.Secret}, "code": {code},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(zoho.Alive(token.AccessToken))
	zoho.Advance(time.Minute)
	fmt.Println(zoho.Alive(token.AccessToken))
	// Output:
	// true
	// false
}

// Over sockets any language can be tested. The control API steers the simulator, and is a
// page for people at /.
func ExampleSimulator_Listen() {
	zoho := zohotest.New()
	stop, err := zoho.Listen()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	control := httptest.NewServer(zoho.Control())
	defer control.Close()

	resp, err := http.Get(zoho.AccountsURL("jp") + "/oauth/v2/token?client_secret=in-a-query")
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	resp, err = http.Get(control.URL + "/violations")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	var violations []zohotest.Violation
	if err := json.NewDecoder(resp.Body).Decode(&violations); err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range violations {
		fmt.Println(v.Kind)
	}
	// Output:
	// secret in query string
	// wrong method
}
