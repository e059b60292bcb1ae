// Tests of hosts: each service answers at its own host alone, in process and over sockets.

package zohotest_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zohotest"
)

// paths are those of each service that a GET finds.
var paths = map[zohotest.Service]string{
	zohotest.AccountsServer: "/oauth/user/info", zohotest.APIGateway: "/crm/v8/org", zohotest.DeskServer: "/api/v1/organizations",
}

// wantOwnHosts wants each path to answer at the host of its own service only, in every data
// center.
func (a app) wantOwnHosts() {
	a.Helper()
	seen := map[string]bool{}
	for _, dc := range a.zoho.DataCenters() {
		hosts := map[zohotest.Service]string{
			zohotest.AccountsServer: a.zoho.AccountsURL(dc), zohotest.APIGateway: a.zoho.APIURL(dc), zohotest.DeskServer: a.zoho.DeskURL(dc),
		}
		for at, host := range hosts {
			if seen[host] {
				a.Errorf("%s answers for two services", host)
			}
			seen[host] = true
			for of, path := range paths {
				a.zoho.Reset()
				want := 404
				if at == of {
					want = 401 // it asks for a token
				}
				if r := a.get(host+path, ""); r.status != want {
					a.Errorf("%s: %s at the host of %s answered %d, want %d", dc, path, at, r.status, want)
				}
				if at == of {
					a.wantNoViolations()
				} else {
					a.wantViolations(zohotest.WrongHost)
				}
			}
			if r := a.get(host+"/elsewhere", ""); r.status != 404 {
				a.Errorf("%s/elsewhere answered %d", host, r.status)
			}
		}
	}
}

func TestEachServiceAnswersAtItsOwnHostAlone(t *testing.T) {
	bubble(t, func(t *testing.T, a app) { a.wantOwnHosts() })
}

func TestEachServiceListensAtAPortOfItsOwn(t *testing.T) {
	listening(t).wantOwnHosts()
}

func TestFixedPortsAreOneRow(t *testing.T) {
	zoho := zohotest.New()
	var stop func()
	first, err := 0, error(nil)
	for try := 0; stop == nil; try++ { // until nobody has one of the ports
		first = 20000 + rand.IntN(10000)
		if stop, err = zoho.ListenAt("127.0.0.1", first); err != nil && try > 50 {
			t.Fatal(err)
		}
	}
	defer stop()
	dcs := zoho.DataCenters()
	addresses := []string{}
	for _, of := range []func(string) string{zoho.AccountsURL, zoho.APIURL, zoho.DeskURL} {
		for _, dc := range dcs {
			addresses = append(addresses, of(dc))
		}
	}
	for _, dc := range []string{"us", "in"} {
		host, _, _ := strings.Cut(zoho.PortalURL(dc, "1"), "/clientoauth")
		addresses = append(addresses, host)
	}
	for i, address := range addresses {
		if want := fmt.Sprint("http://127.0.0.1:", first+i); address != want {
			t.Errorf("address %d is %s, want %s", i, address, want)
		}
	}
	if len(addresses) != zoho.Ports() {
		t.Errorf("%d ports, and Ports is %d", len(addresses), zoho.Ports())
	}
	stop()
	if zoho.DeskURL("ca") != "https://desk.zohocloud.ca" {
		t.Error("Desk still names its listener")
	}
}

func TestUsersOfAnOrganizationAreListedAndOnesOwnWithTheTypeAlone(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		own := a.zoho.User("eu")
		colleague := a.zoho.AddUser(zohotest.User{DataCenter: "eu", OrgID: own.OrgID})
		a.zoho.AddUser(zohotest.User{DataCenter: "eu", Email: "stranger@example.com"})
		a.zoho.AddUser(zohotest.User{DataCenter: "us", Email: "abroad@example.com", OrgID: own.OrgID})
		token := a.connects("eu").accessToken()
		for query, want := range map[string][]string{"": {own.Email, colleague.Email}, "?type=AllUsers": {own.Email, colleague.Email}, "?type=CurrentUser": {own.Email}} {
			r := a.get(a.zoho.APIURL("eu")+"/crm/v8/users"+query, token)
			if n := strings.Count(r.body, `"zuid"`); r.status != 200 || n != len(want) {
				t.Errorf("%q: %d users in %d %s", query, n, r.status, r.body)
			}
			for _, email := range want {
				if !strings.Contains(r.body, email) {
					t.Errorf("%q: %s is missing in %s", query, email, r.body)
				}
			}
		}
	})
}
