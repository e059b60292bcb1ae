// Tests of hosts: each service answers at its own host alone, in process and over sockets.

package zohotest_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
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

func TestAHostIsFoundHoweverItIsSpeltAndNoOtherIs(t *testing.T) {
	for name, a := range map[string]app{"nothing listens": inProcess(t), "all listen": listening(t)} {
		wire := &http.Client{Transport: a.zoho.Transport()}
		for address, want := range map[string]bool{
			"https://accounts.zoho.eu": true, "https://ACCOUNTS.Zoho.EU": true, "https://accounts.zoho.eu:443": true, "https://api.zoho.eu": true,
			"https://accounts.zoho.eu:444": false, "http://accounts.zoho.eu": false, "https://accounts.zoho.ca": false, "https://:443": false,
			"http://127.0.0.1:1": false, "https://api.zoho.ca": false,
			a.zoho.AccountsURL("eu"): true, strings.Replace(a.zoho.AccountsURL("eu"), "http:", "ftp:", 1): name == "nothing listens",
		} {
			req, err := http.NewRequestWithContext(t.Context(), "GET", address+"/oauth/serverinfo", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := wire.Transport.RoundTrip(req)
			if (err == nil) != want {
				t.Errorf("%s: %s was answered %v, %v", name, address, resp, err)
			}
			var dns *net.DNSError
			if err != nil && (!errors.As(err, &dns) || !dns.IsNotFound) {
				t.Errorf("%s: %s failed with %v, not as a name that does not resolve", name, address, err)
			}
		}
	}
}

func TestPagesOfTheSimulatorsOwnAreAtAccountsAndPortalsAlone(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		portal, _, _ := strings.Cut(a.zoho.PortalURL("us", "1"), "/clientoauth")
		for host, want := range map[string]int{a.zoho.AccountsURL("us"): 200, portal: 200, a.zoho.APIURL("us"): 404, a.zoho.DeskURL("us"): 404} {
			if r := a.get(host+"/signin", ""); r.status != want {
				t.Errorf("%s/signin answered %d, want %d", host, r.status, want)
			}
		}
		if r := a.get(portal+"/oauth/serverinfo", ""); r.status != 404 {
			t.Errorf("the portal answered %d to a path of the accounts server", r.status)
		}
		a.wantViolation(zohotest.WrongHost, 3)
	})
}

func TestAddressesOfADataCenterThatIsReplacedAreItsNewOnes(t *testing.T) {
	zoho := zohotest.New()
	number, user := len(zoho.DataCenters()), zoho.User("eu")
	zoho.AddDataCenter(zohotest.DataCenter{Name: "eu", Accounts: "accounts.example.eu", API: "api.example.eu"})
	if got := zoho.AccountsURL("eu"); got != "https://accounts.example.eu" || len(zoho.DataCenters()) != number || zoho.User("eu") != user {
		t.Errorf("the accounts server is %s, data centers are %q, its user is %+v", got, zoho.DataCenters(), zoho.User("eu"))
	}
}
