// go: github.com/cli/oauth@v1.2.2

//go:build ignore

package main

import (
	"net/http"

	"github.com/cli/oauth/device"
	"github.com/cli/oauth/webapp"
)

func main() {
	var landed string
	flow, err := webapp.InitFlow()
	if err != nil {
		panic(err)
	}
	step("code at a port of its own", func() error {
		url, err := flow.BrowserURL(auth, webapp.BrowserParams{ClientID: id, RedirectURI: "http://localhost/callback", Scopes: []string{"ZohoCRM.users.READ"}})
		if err != nil {
			return err
		}
		landed, err = browse(url)
		return err
	})
	_ = landed
	step("device flow of RFC 8628", func() error {
		_, err := device.RequestCode(http.DefaultClient, accounts+"/oauth/v3/device/code", deviceID, []string{"ZohoCRM.users.READ"})
		return err
	})
}
