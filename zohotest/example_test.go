package zohotest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

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
