package zoho_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zoho"
)

func site(t *testing.T, name string, accountsURLs map[string]string) zoho.DataCenter {
	t.Helper()
	table, err := zoho.NewTable(accountsURLs)
	if err != nil {
		t.Fatal(err)
	}
	dc, found := table.ByName(name)
	if !found {
		t.Fatalf("no data centre %s", name)
	}
	return dc
}

func TestScopesOfOneServiceLeadToItsAPI(t *testing.T) {
	for scopes, want := range map[string]string{
		"ZohoCRM.modules.ALL ZohoCRM.org.READ":             "https://www.zohoapis.eu/crm/v8",
		"zohocrm.settings.all":                             "https://www.zohoapis.eu/crm/v8",
		"Desk.tickets.READ":                                "https://desk.zoho.eu/api/v1",
		"ZohoMail.messages.ALL AaaServer.profile.READ":     "https://mail.zoho.eu/api",
		"ZohoCRM.modules.ALL ZohoSearch.securesearch.READ": "https://www.zohoapis.eu/crm/v8",
		"ZohoBooks.fullaccess.all":                         "https://www.zohoapis.eu/books/v3",
		"ZohoCRM.modules.ALL Desk.tickets.READ":            "", // two
		"ZohoCRM.modules.ALL ZohoCalendar.event.ALL":       "", // one of which is not known
		"AaaServer.profile.READ":                           "",
		"openid email":                                     "",
		"":                                                 "",
	} {
		if got := site(t, "eu", nil).ServiceURL("https://www.zohoapis.eu/", strings.Fields(scopes)); got != want {
			t.Errorf("%q: %q; want %q", scopes, got, want)
		}
	}
}

func TestServiceHostsFollowTheDataCenterOrAreNotKnown(t *testing.T) {
	desk := []string{"Desk.tickets.READ"}
	for name, want := range map[string]string{
		"us": "https://desk.zoho.com/api/v1", "au": "https://desk.zoho.com.au/api/v1", "cn": "https://desk.zoho.com.cn/api/v1",
		"ca": "", // its hosts do not follow the pattern
	} {
		if got := site(t, name, nil).ServiceURL("https://www.zohoapis.example", desk); got != want {
			t.Errorf("%s: %q; want %q", name, got, want)
		}
	}
	if got := site(t, "ca", nil).ServiceURL("https://www.zohoapis.ca", []string{"ZohoCRM.modules.ALL"}); got != "https://www.zohoapis.ca/crm/v8" {
		t.Errorf("CRM in Canada: %q", got)
	}
	portal := map[string]string{"eu": "https://accounts.zohoportal.com/clientoauth/v2/1", "mars": "https://accounts.zoho.mars"}
	for _, name := range []string{"eu", "mars"} {
		if got := site(t, name, portal).ServiceURL("https://api.example", desk); got != "" {
			t.Errorf("%s with an accounts server of the operator's: %q", name, got)
		}
	}
	if same := map[string]string{"eu": "https://accounts.zoho.eu"}; site(t, "eu", same).ServiceURL("", desk) != "https://desk.zoho.eu/api/v1" {
		t.Error("an operator who names Zoho's own accounts server loses the services")
	}
}

func TestEveryKnownServiceHasAnAddressOfZohosAndASource(t *testing.T) {
	for _, dc := range zoho.DataCenters() {
		known := dc.Services()
		if want := 19; dc.Name != "ca" && len(known) != want || dc.Name == "ca" && len(known) != 8 {
			t.Errorf("%s: %d services", dc.Name, len(known))
		}
		for _, s := range known {
			u, err := url.Parse(s.URL)
			ending := strings.TrimPrefix(dc.AccountsURL, "https://accounts.zoho.")
			if err != nil || u.Scheme != "https" || !strings.HasSuffix(u.Host, ".zoho."+ending) && "https://"+u.Host != dc.APIDomain || s.Source == "" {
				t.Errorf("%s at %s: %s (%s)", s.Name, dc.Name, s.URL, s.Source)
			}
		}
		if !slices.IsSortedFunc(known, func(a, b zoho.Service) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("%s: not sorted", dc.Name)
		}
	}
}
