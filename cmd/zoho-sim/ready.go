// Ready file and first lines: the addresses and clients, for scripts and for people.

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"vault-plugin-secrets-zoho/zohotest"
)

// ready is the ready file. Its client secrets are worth nothing outside this
// process.
type ready struct {
	Control                  string            `json:"control"`
	CAFile                   string            `json:"ca_file,omitempty"` // PEM certificate of the authority to trust
	ClientID                 string            `json:"client_id"`
	ClientSecret             string            `json:"client_secret"`
	RedirectURI              string            `json:"redirect_uri"`
	SelfClientID             string            `json:"self_client_id"`
	SelfClientSecret         string            `json:"self_client_secret"`
	DeviceClientID           string            `json:"device_client_id"`
	DeviceClientSecret       string            `json:"device_client_secret"`
	MobileClientID           string            `json:"mobile_client_id"`
	MobileClientSecret       string            `json:"mobile_client_secret"`
	MobileRedirectURI        string            `json:"mobile_redirect_uri"`
	OrganizationClientID     string            `json:"organization_client_id"`
	OrganizationClientSecret string            `json:"organization_client_secret"`
	PortalURL                string            `json:"portal_url"` // where the paths of the portal's client begin
	PortalClientID           string            `json:"portal_client_id"`
	PortalClientSecret       string            `json:"portal_client_secret"`
	AccountsURLs             map[string]string `json:"accounts_urls"`
	APIURLs                  map[string]string `json:"api_urls"`
	DeskURLs                 map[string]string `json:"desk_urls"`
}

// describe adds one client of each other kind and collects the addresses.
func describe(zoho *zohotest.Simulator, o options, control string) ready {
	self := zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
	device := zoho.AddClient(zohotest.Client{Type: zohotest.Device})
	mobile := zoho.AddClient(zohotest.Client{Type: zohotest.Mobile, RedirectURIs: []string{"com.example.app://callback"}})
	portal := zoho.AddClient(zohotest.Client{Portal: "10000001", RedirectURIs: o.client.RedirectURIs})
	organization := zoho.AddClient(zohotest.Client{Type: zohotest.Organization, RedirectURIs: o.client.RedirectURIs})
	r := ready{
		Control: control, CAFile: o.caFile, ClientID: o.client.ID, ClientSecret: o.client.Secret, RedirectURI: o.client.RedirectURIs[0],
		SelfClientID: self.ID, SelfClientSecret: self.Secret, DeviceClientID: device.ID, DeviceClientSecret: device.Secret,
		MobileClientID: mobile.ID, MobileClientSecret: mobile.Secret, MobileRedirectURI: mobile.RedirectURIs[0],
		OrganizationClientID: organization.ID, OrganizationClientSecret: organization.Secret,
		PortalURL: zoho.PortalURL("us", portal.Portal), PortalClientID: portal.ID, PortalClientSecret: portal.Secret,
		AccountsURLs: map[string]string{}, APIURLs: map[string]string{}, DeskURLs: map[string]string{},
	}
	for _, dc := range zoho.DataCenters() {
		r.AccountsURLs[dc] = zoho.AccountsURL(dc)
		r.APIURLs[dc] = zoho.APIURL(dc)
		r.DeskURLs[dc] = zoho.DeskURL(dc)
	}
	return r
}

// print is for people.
func (r ready) print(out io.Writer, zoho *zohotest.Simulator) {
	var pairs []string
	for _, dc := range zoho.DataCenters() {
		pairs = append(pairs, dc+"="+r.AccountsURLs[dc])
	}
	fmt.Fprintf(out, "Point the secrets engine here:\n\n  vault write zoho/config client_id=%s client_secret=%s redirect_uri=%q accounts_urls=%q",
		r.ClientID, r.ClientSecret, r.RedirectURI, strings.Join(pairs, ","))
	curl := "curl"
	if r.CAFile != "" {
		fmt.Fprintf(out, " ca_pem=%q", "@"+r.CAFile)
		curl += fmt.Sprintf(" --cacert %q", r.CAFile)
	}
	fmt.Fprintln(out)
	fmt.Fprintf(out, "\nConsent pages, CRM and Desk:\n\n")
	for _, dc := range zoho.DataCenters() {
		fmt.Fprintf(out, "  %-4s %s/oauth/v2/auth   %s/crm/v8/org   %s/api/v1/organizations\n", dc, r.AccountsURLs[dc], r.APIURLs[dc], r.DeskURLs[dc])
	}
	fmt.Fprintf(out, "\nOther clients, all registered in us:\n\n")
	fmt.Fprintf(out, "  self    %s %s\n", r.SelfClientID, r.SelfClientSecret)
	fmt.Fprintf(out, "  device  %s %s\n", r.DeviceClientID, r.DeviceClientSecret)
	fmt.Fprintf(out, "  mobile  %s %s\n", r.MobileClientID, r.MobileClientSecret)
	fmt.Fprintf(out, "  org     %s %s\n", r.OrganizationClientID, r.OrganizationClientSecret)
	fmt.Fprintf(out, "  portal  %s %s, at %s\n", r.PortalClientID, r.PortalClientSecret, r.PortalURL)
	fmt.Fprintf(out, "\nStatus page for a browser, and control API for scripts: %s/\n", r.Control)
	fmt.Fprintf(out, "  get a code for the self client:  %s -d '{\"client_id\":%q,\"scopes\":[\"ZohoCRM.org.READ\"]}' %s/self-client-code\n", curl, r.SelfClientID, r.Control)
	fmt.Fprintf(out, "  sign a browser in:               open %s/signin, or %s -d '{\"emails\":[%q]}' %s/sign-in\n", r.AccountsURLs["us"], curl, zoho.User("us").Email, r.Control)
	fmt.Fprintf(out, "  list what a client did wrong:    %s %s/violations\n", curl, r.Control)
	fmt.Fprintf(out, "  list faults that no call met:    %s %s/unmet-faults\n", curl, r.Control)
}

// prepareFiles removes the ready file of an earlier run, which a script must not take for
// this one's, and writes -ca-file. authority is nil if there is nothing to write.
func (o options) prepareFiles(authority []byte) error {
	if o.readyFile != "" {
		if err := os.Remove(o.readyFile); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing a stale -ready-file: %w", err)
		}
	}
	if authority == nil {
		return nil
	}
	if err := writeWhole(o.caFile, authority, 0o644); err != nil {
		return fmt.Errorf("writing -ca-file: %w", err)
	}
	return nil
}

func (r ready) write(path string) error {
	encoded, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(path, append(encoded, '\n'), 0o600)
}

// writeWhole makes a file appear whole or not at all.
func writeWhole(path string, content []byte, mode os.FileMode) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // gone already if all went well
	_, err = temporary.Write(content)
	if err := errors.Join(err, temporary.Chmod(mode), temporary.Close()); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}
