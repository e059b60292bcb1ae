// Where is each data centre? The table of accounts servers, API domains and
// Desk hosts, and the address a data centre has right now.

package zohotest

import (
	"net/url"
	"strings"
)

// A DataCenter is one of Zoho's separate worlds: users, codes, tokens and (by
// default) client secrets of one mean nothing in another.
type DataCenter struct {
	Name     string // lower case, as in the redirect's location parameter
	Accounts string // host of the accounts server
	API      string // host of the API domain
	Desk     string // host of Zoho Desk, which does not live at the API domain
	Isolated bool   // takes no part in the multi-data-centre flow (China)
}

// zohoDataCenters are Zoho's own (Zoho, multi-dc). Canada is why there is a
// table: its accounts server and API domain have different suffixes.
func zohoDataCenters() []*site {
	return []*site{
		newSite(DataCenter{"us", "accounts.zoho.com", "www.zohoapis.com", "desk.zoho.com", false}),
		newSite(DataCenter{"eu", "accounts.zoho.eu", "www.zohoapis.eu", "desk.zoho.eu", false}),
		newSite(DataCenter{"in", "accounts.zoho.in", "www.zohoapis.in", "desk.zoho.in", false}),
		newSite(DataCenter{"au", "accounts.zoho.com.au", "www.zohoapis.com.au", "desk.zoho.com.au", false}),
		newSite(DataCenter{"jp", "accounts.zoho.jp", "www.zohoapis.jp", "desk.zoho.jp", false}),
		newSite(DataCenter{"ca", "accounts.zohocloud.ca", "www.zohoapis.ca", "desk.zohocloud.ca", false}),
		newSite(DataCenter{"sa", "accounts.zoho.sa", "www.zohoapis.sa", "desk.zoho.sa", false}),
		newSite(DataCenter{"uk", "accounts.zoho.uk", "www.zohoapis.uk", "desk.zoho.uk", false}),
		newSite(DataCenter{"cn", "accounts.zoho.com.cn", "www.zohoapis.com.cn", "desk.zoho.com.cn", true}),
		newSite(DataCenter{"ae", "accounts.zoho.ae", "www.zohoapis.ae", "desk.zoho.ae", false}),
	}
}

// A site is a data centre and the address it listens at, if it does.
type site struct {
	DataCenter
	base string // http://127.0.0.1:port once it listens, else empty
}

func newSite(dc DataCenter) *site { return &site{DataCenter: dc} }

func (s *site) accountsURL() string {
	if s.base != "" {
		return s.base
	}
	return "https://" + s.Accounts
}

func (s *site) apiURL() string {
	if s.base != "" {
		return s.base
	}
	return "https://" + s.API
}

// accountsPageAPI is the API domain as the accounts pages print it
// (https://api.zoho.eu), against what products and captured answers show.
func (s *site) accountsPageAPI() string {
	return "api." + strings.TrimPrefix(s.Accounts, "accounts.")
}

// side says which half of a data centre a host serves.
type side int

const (
	bothSides    side = iota // a loopback listener serves everything
	accountsSide             // accounts.zoho.*
	apiSide                  // www.zohoapis.* and Desk
)

// host finds the data centre and side that answer at a host (with port, if the
// address has one). The lock must be held.
func (s *Simulator) host(scheme, host string) (*site, side, bool) {
	host = strings.ToLower(host)
	for _, dc := range s.sites {
		if base, err := url.Parse(dc.base); dc.base != "" && err == nil && base.Host == host && base.Scheme == scheme {
			return dc, bothSides, true
		}
	}
	if scheme != "https" {
		return nil, 0, false
	}
	host = strings.TrimSuffix(host, ":443")
	for _, dc := range s.sites {
		switch host {
		case dc.Accounts:
			return dc, accountsSide, true
		case dc.API, dc.Desk, dc.accountsPageAPI():
			return dc, apiSide, true
		}
	}
	return nil, 0, false
}

// site finds a data centre by name, or nil. The lock must be held.
func (s *Simulator) site(name string) *site {
	for _, dc := range s.sites {
		if dc.Name == name {
			return dc
		}
	}
	return nil
}

// mustSite is site for the names that test code writes down itself.
func (s *Simulator) mustSite(name string) *site {
	dc := s.site(name)
	if dc == nil {
		panic("zohotest: unknown data centre " + name + "; see AddDataCenter")
	}
	return dc
}
