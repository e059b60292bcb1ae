// At which host is the API of a service? CRM and the finance suite are at the general
// gateway, Desk, Mail and others at hosts of their own. Known ones alone: what no page of
// Zoho's gives is left out, not guessed.

package zoho

import (
	"slices"
	"strings"
)

// Service is one of Zoho's products as its API is reached in a data centre.
type Service struct {
	// Name is the product's, in lower case.
	Name string
	// URL is the base of its API, with the version.
	URL string
	// Source is where that stands.
	Source string
}

// service is a product in every data centre.
type service struct {
	name, prefix string // prefix of its scopes
	base         string // below the API gateway, if it begins with /; else with the host's ending left out
	source       string
}

// services are those whose pages give an address. The prefix of billing is inferred.
var services = []service{
	{"analytics", "ZohoAnalytics", "https://analyticsapi.zoho.*/restapi/v2", "https://www.zoho.com/analytics/api/v2/api-specification.html"},
	{"bigin", "ZohoBigin", "/bigin/v2", "segevsh/w6w-apps, apps/bigin/README.md"},
	{"billing", "ZohoSubscriptions", "/billing/v1", "https://www.zoho.com/billing/api/v1/oauth/"},
	{"books", "ZohoBooks", "/books/v3", "https://www.zoho.com/books/api/v3/oauth/"},
	{"bugtracker", "ZohoBugTracker", "https://bugtracker.zoho.*", "https://www.zoho.com/projects/developers/zohoprojectsapi.html"},
	{"campaigns", "ZohoCampaigns", "https://campaigns.zoho.*/api/v1.1", "https://www.zoho.com/campaigns/help/developers/data-centers.html"},
	{"cliq", "ZohoCliq", "https://cliq.zoho.*/api/v2", "https://www.zoho.com/cliq/help/restapi/v2/"},
	{"creator", "ZohoCreator", "/creator/v2.1", "https://www.zoho.com/creator/help/api/v2.1/status-codes.html"},
	{"crm", "ZohoCRM", "/crm/v8", "https://www.zoho.com/crm/developer/docs/api/v8/scopes.html"},
	{"desk", "Desk", "https://desk.zoho.*/api/v1", "https://desk.zoho.com/DeskAPIDocument"},
	{"expense", "ZohoExpense", "/expense/v1", "https://www.zoho.com/expense/api/v1/authentication/"},
	{"inventory", "ZohoInventory", "/inventory/v1", "https://www.zoho.com/inventory/api/v1/oauth/"},
	{"invoice", "ZohoInvoice", "/invoice/v3", "https://www.zoho.com/invoice/api/v3/oauth/"},
	{"mail", "ZohoMail", "https://mail.zoho.*/api", "https://www.zoho.com/mail/help/api/using-oauth-2.html"},
	{"people", "ZOHOPEOPLE", "https://people.zoho.*/people/api", "https://www.zoho.com/people/api/scopes.html"},
	{"projects", "ZohoProjects", "https://projectsapi.zoho.*/api/v3", "https://projects.zoho.com/api-docs"},
	{"recruit", "ZohoRecruit", "https://recruit.zoho.*/recruit/v2", "https://www.zoho.com/recruit/developer-guide/apiv2/refresh.html"},
	{"sign", "ZohoSign", "https://sign.zoho.*/api/v1", "https://www.zoho.com/sign/api/api-endpoint.html"},
	{"workdrive", "WorkDrive", "https://workdrive.zoho.*/api/v1", "https://www.zoho.com/workdrive/developer/docs/api/v1/oauth-authentication-scopes.html"},
}

// companions are asked for beside a service's own scopes, and have no API to name: whose
// account it is, and the search in CRM.
var companions = []string{"AaaServer", "ZohoContacts", "ZohoProfile", "ZohoFiles", "ZohoSearch"}

// Services returns the services whose address in a data centre is known.
func (dc DataCenter) Services() []Service {
	var known []Service
	for _, s := range services {
		if at := s.at(dc, dc.APIDomain); at != "" {
			known = append(known, Service{s.name, at, s.source})
		}
	}
	return known
}

// ServiceURL is the base of the API that scopes are for, "" if they are for several, or if
// it is not known. apiDomain is what Zoho's answer named.
func (dc DataCenter) ServiceURL(apiDomain string, scopes []string) string {
	var found *service
	for _, scope := range scopes {
		prefix, _, _ := strings.Cut(scope, ".")
		if isCompanion(prefix) {
			continue
		}
		s := serviceOf(prefix)
		if s == nil || found != nil && found != s {
			return ""
		}
		found = s
	}
	if found == nil {
		return ""
	}
	return found.at(dc, apiDomain)
}

func (s *service) at(dc DataCenter, apiDomain string) string {
	switch {
	case strings.HasPrefix(s.base, "/") && apiDomain != "":
		return strings.TrimRight(apiDomain, "/") + s.base
	case strings.HasPrefix(s.base, "/") || dc.Ending == "":
		return ""
	}
	return strings.Replace(s.base, "*", dc.Ending, 1)
}

// serviceOf compares as Zoho does: scopes are in use in every case.
func serviceOf(prefix string) *service {
	for i := range services {
		if strings.EqualFold(services[i].prefix, prefix) {
			return &services[i]
		}
	}
	return nil
}

func isCompanion(prefix string) bool {
	return slices.ContainsFunc(companions, func(c string) bool { return strings.EqualFold(c, prefix) })
}
