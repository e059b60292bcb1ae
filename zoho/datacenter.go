// Which data centres are there, and where do they live? A table, never string
// arithmetic: Canada's hosts do not follow the pattern of the others.

package zoho

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// DataCenter is one of Zoho's data centres. An account, its codes and its tokens
// belong to exactly one.
type DataCenter struct {
	// Name is the short code that Zoho calls "location": us, eu, in and so on.
	Name string
	// Title is the country or region.
	Title string
	// AccountsURL is the accounts server, without a path.
	AccountsURL string
	// APIDomain is the general API gateway; products like Desk, Mail or People
	// have hosts of their own.
	APIDomain string
	// ConsoleURL is where an OAuth client is registered.
	ConsoleURL string
	// Ending is that of the services with hosts of their own, such as eu in
	// desk.zoho.eu; empty where these are not known to follow the pattern.
	Ending string
}

// DataCenters is the built-in table. Sources: Zoho, "multi-dc" and the SDKs'
// DataCenter classes; uk and ae consoles, and ae's API domain, are inferred.
func DataCenters() []DataCenter {
	return []DataCenter{
		{"us", "United States", "https://accounts.zoho.com", "https://www.zohoapis.com", "https://api-console.zoho.com", "com"},
		{"eu", "Europe", "https://accounts.zoho.eu", "https://www.zohoapis.eu", "https://api-console.zoho.eu", "eu"},
		{"in", "India", "https://accounts.zoho.in", "https://www.zohoapis.in", "https://api-console.zoho.in", "in"},
		{"au", "Australia", "https://accounts.zoho.com.au", "https://www.zohoapis.com.au", "https://api-console.zoho.com.au", "com.au"},
		{"jp", "Japan", "https://accounts.zoho.jp", "https://www.zohoapis.jp", "https://api-console.zoho.jp", "jp"},
		// The accounts server and the API gateway have different domains here.
		{"ca", "Canada", "https://accounts.zohocloud.ca", "https://www.zohoapis.ca", "https://api-console.zohocloud.ca", ""},
		{"sa", "Saudi Arabia", "https://accounts.zoho.sa", "https://www.zohoapis.sa", "https://api-console.zoho.sa", "sa"},
		{"uk", "United Kingdom", "https://accounts.zoho.uk", "https://www.zohoapis.uk", "https://api-console.zoho.uk", "uk"},
		// Not part of multi-DC: a client must be registered there, and a consent
		// must start there.
		{"cn", "China", "https://accounts.zoho.com.cn", "https://www.zohoapis.com.cn", "https://api-console.zoho.com.cn", "com.cn"},
		{"ae", "United Arab Emirates", "https://accounts.zoho.ae", "https://www.zohoapis.ae", "https://api-console.zoho.ae", "ae"},
	}
}

// Table is the data centres in force: the built-in ones, with accounts servers
// overridden or added by the operator. The zero value is not useful; see NewTable.
type Table struct{ centers []DataCenter }

// NewTable returns the built-in table with accounts servers replaced or added:
// accountsURLs maps a data centre's name to its accounts server. An address must
// be https, or http on loopback; it may carry a path (a portal's base path).
func NewTable(accountsURLs map[string]string) (Table, error) {
	table := Table{DataCenters()}
	names := make([]string, 0, len(accountsURLs))
	for name := range accountsURLs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		address, err := CleanAccountsURL(accountsURLs[name])
		if err != nil {
			return Table{}, fmt.Errorf("accounts server of data center %q: %w", name, err)
		}
		if !validName(name) {
			return Table{}, fmt.Errorf("data center %q is not a name; use Zoho's short code in lower case, such as us or eu", name)
		}
		i := slices.IndexFunc(table.centers, func(dc DataCenter) bool { return dc.Name == name })
		if i < 0 {
			table.centers = append(table.centers, DataCenter{Name: name, AccountsURL: address})
			continue
		}
		if table.centers[i].AccountsURL != address {
			// A portal, or a simulator: Zoho's own services know nothing of its tokens.
			table.centers[i].AccountsURL, table.centers[i].Ending = address, ""
		}
	}
	return table, nil
}

func validName(name string) bool {
	return name != "" && len(name) <= 16 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// CleanAccountsURL checks an accounts server's address and returns it without a
// trailing slash.
func CleanAccountsURL(address string) (string, error) {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Hostname() == "" {
		return "", fmt.Errorf("not an address; write it as https://accounts.zoho.eu")
	}
	switch {
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("must not carry a user, a query or a fragment; write it as https://accounts.zoho.eu")
	case u.Scheme == "https":
	case u.Scheme == "http" && loopback(u.Hostname()):
	default:
		return "", fmt.Errorf("must use https (plain http is accepted for loopback addresses only); write it as https://%s", u.Host)
	}
	u.Host = strings.ToLower(u.Host)
	return strings.TrimRight(u.String(), "/"), nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// All returns the data centres in force.
func (t Table) All() []DataCenter { return slices.Clone(t.centers) }

// Names returns the names in force, comma separated, for error texts.
func (t Table) Names() string {
	names := make([]string, len(t.centers))
	for i, dc := range t.centers {
		names[i] = dc.Name
	}
	return strings.Join(names, ", ")
}

// Servers returns the hosts of the accounts servers in force, for error texts.
func (t Table) Servers() string {
	hosts := make([]string, len(t.centers))
	for i, dc := range t.centers {
		_, hosts[i], _ = strings.Cut(dc.AccountsURL, "://")
	}
	return strings.Join(hosts, ", ")
}

// ByName finds a data centre by its name, in any case.
func (t Table) ByName(name string) (DataCenter, bool) {
	return t.find(func(dc DataCenter) bool { return strings.EqualFold(dc.Name, strings.TrimSpace(name)) })
}

// ByAccountsURL finds the data centre that an accounts-server parameter names.
func (t Table) ByAccountsURL(address string) (DataCenter, bool) {
	clean, err := CleanAccountsURL(address)
	if err != nil {
		return DataCenter{}, false
	}
	return t.find(func(dc DataCenter) bool { return dc.AccountsURL == clean })
}

func (t Table) find(match func(DataCenter) bool) (DataCenter, bool) {
	i := slices.IndexFunc(t.centers, match)
	if i < 0 {
		return DataCenter{}, false
	}
	return t.centers[i], true
}
