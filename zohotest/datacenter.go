// Data centers: the table of their accounts servers, API gateways and Desk hosts, and the
// addresses that they have right now.

package zohotest

import (
	"net/url"
	"slices"
	"strings"
)

// A DataCenter is one of Zoho's separate worlds: users, codes, tokens and (by
// default) client secrets of one mean nothing in another.
type DataCenter struct {
	Name     string // lower case, as in the redirect's location parameter
	Accounts string // host of the accounts server
	API      string // host of the API domain
	Desk     string // host of Zoho Desk, which does not live at the API domain
	Isolated bool   // takes no part in the multi-data-center flow (China)
	Portal   string // host of the portals' accounts; empty if none is known
}

// zohoDataCenters are Zoho's own (Zoho, multi-dc). Canada is why there is a
// table: its accounts server and API domain have different suffixes.
func zohoDataCenters() []*site {
	return []*site{
		newSite(DataCenter{"us", "accounts.zoho.com", "www.zohoapis.com", "desk.zoho.com", false, "accounts.zohoportal.com"}),
		newSite(DataCenter{"eu", "accounts.zoho.eu", "www.zohoapis.eu", "desk.zoho.eu", false, ""}),
		newSite(DataCenter{"in", "accounts.zoho.in", "www.zohoapis.in", "desk.zoho.in", false, "accounts.zohoportal.in"}),
		newSite(DataCenter{"au", "accounts.zoho.com.au", "www.zohoapis.com.au", "desk.zoho.com.au", false, ""}),
		newSite(DataCenter{"jp", "accounts.zoho.jp", "www.zohoapis.jp", "desk.zoho.jp", false, ""}),
		newSite(DataCenter{"ca", "accounts.zohocloud.ca", "www.zohoapis.ca", "desk.zohocloud.ca", false, ""}),
		newSite(DataCenter{"sa", "accounts.zoho.sa", "www.zohoapis.sa", "desk.zoho.sa", false, ""}),
		newSite(DataCenter{"uk", "accounts.zoho.uk", "www.zohoapis.uk", "desk.zoho.uk", false, ""}),
		newSite(DataCenter{"cn", "accounts.zoho.com.cn", "www.zohoapis.com.cn", "desk.zoho.com.cn", true, ""}),
		newSite(DataCenter{"ae", "accounts.zoho.ae", "www.zohoapis.ae", "desk.zoho.ae", false, ""}),
	}
}

// A Service is what one host of a data center serves. Zoho's services live at hosts of their
// own, and answer 404 to the paths of the others.
type Service string

const (
	AccountsServer Service = "accounts" // accounts.zoho.*: OAuth and who the user is
	APIGateway     Service = "gateway"  // www.zohoapis.*, the api_domain of answers: CRM
	DeskServer     Service = "desk"     // desk.zoho.*
	PortalServer   Service = "portal"   // accounts.zohoportal.*: OAuth of portals' customers
)

// services is in the order of the ports that [Simulator.ListenWith] takes.
var services = []Service{AccountsServer, APIGateway, DeskServer, PortalServer}

// A site is a data center and the addresses it listens at, if it does.
type site struct {
	DataCenter
	bases map[Service]string // http://127.0.0.1:port of those that listen
}

func newSite(dc DataCenter) *site { return &site{DataCenter: dc, bases: map[Service]string{}} }

// url is the address of a service, where it listens or else at Zoho.
func (s *site) url(service Service) string {
	if base := s.bases[service]; base != "" {
		return base
	}
	return "https://" + s.hostOf(service)
}

func (s *site) hostOf(service Service) string {
	switch service {
	case AccountsServer:
		return s.Accounts
	case DeskServer:
		return s.Desk
	case PortalServer:
		return s.Portal
	}
	return s.API
}

// services are those that a data center has a host for.
func (s *site) services() []Service {
	return slices.DeleteFunc(slices.Clone(services), func(service Service) bool { return s.hostOf(service) == "" })
}

func (s *site) accountsURL() string { return s.url(AccountsServer) }

// accountsPageAPI is the gateway as the accounts pages print it (https://api.zoho.eu),
// against what products and captured answers show.
func (s *site) accountsPageAPI() string {
	return "api." + strings.TrimPrefix(s.Accounts, "accounts.")
}

// host finds the data center and the service that answer at a host (with port, if the
// address has one). The lock must be held.
func (s *Simulator) host(scheme, host string) (*site, Service, bool) {
	host = strings.ToLower(host)
	for _, dc := range s.sites {
		for service, listens := range dc.bases {
			if base, err := url.Parse(listens); err == nil && strings.EqualFold(base.Host, host) && base.Scheme == scheme {
				return dc, service, true
			}
		}
	}
	if scheme != "https" {
		return nil, "", false
	}
	host = strings.TrimSuffix(host, ":443")
	for _, dc := range s.sites {
		for _, service := range services {
			if host != "" && host == dc.hostOf(service) {
				return dc, service, true
			}
		}
		if host == dc.accountsPageAPI() {
			return dc, APIGateway, true
		}
	}
	return nil, "", false
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
		panic("zohotest: " + s.unknownDataCenter(name).Error())
	}
	return dc
}
