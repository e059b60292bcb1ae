// Where does the browser land after a consent, and where does it go on to? Vault's own
// callback of this mount, or an address elsewhere that a person copies.

package backend

import (
	"net/url"
	"slices"
	"strings"
	"unicode"

	"vault-plugin-secrets-zoho/backend/internal/consent"
	"vault-plugin-secrets-zoho/zoho"
)

// How a consent is completed.
const (
	byCallback = "callback" // the browser brings the code to Vault
	byPaste    = "paste"    // a person, or a program, writes it to creds/<name>
)

const callbackPath = "callback"

// redirect reads what the redirect URI is, or follows from: one of the two.
func (f *fields) redirect(address, vaultAddr *string) {
	f.text("redirect_uri", address)
	f.text("vault_addr", vaultAddr)
	switch {
	case f.sent("redirect_uri") && f.sent("vault_addr") && *address != "" && *vaultAddr != "":
		f.fail(refuse("redirect_uri follows from vault_addr; give vault_addr if the browser can reach Vault, else redirect_uri"))
	case f.sent("redirect_uri") && *address != "":
		*vaultAddr = ""
	case f.sent("vault_addr") && *vaultAddr != "":
		*address = ""
		*vaultAddr = strings.TrimRight(*vaultAddr, "/")
	}
}

// redirectURI is the mount's own, at its place in Vault.
func (c *config) redirectURI(mountPoint string) string {
	if c.VaultAddr != "" {
		return c.VaultAddr + "/v1/" + mountPoint + callbackPath
	}
	return c.RedirectURI
}

// completedBy tells how a consent with this redirect URI comes to its end. A warning says
// that the address looks like Vault's and is not this mount's.
func completedBy(address, mountPoint string) (how, warning string) {
	u, err := url.Parse(address)
	if err != nil {
		return byPaste, ""
	}
	_, path, found := strings.Cut(u.Path, "/v1/")
	switch {
	case found && path == mountPoint+callbackPath:
		return byCallback, ""
	case found && strings.HasSuffix(path, "/"+callbackPath):
		return byPaste, "redirect_uri looks like Vault's, but it names the mount " + strings.TrimSuffix(path, callbackPath) +
			" and this one is " + mountPoint + ": Vault will not complete the consent here. Register an address that ends in /v1/" + mountPoint + callbackPath
	}
	return byPaste, ""
}

// checkRedirect refuses what Zoho would; the text is sent byte for byte.
func checkRedirect(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" || u.Host == "" && u.Opaque == "" && u.Path == "" || u.Fragment != "" {
		return refuse("redirect_uri is not an address; write it exactly as registered in Zoho's API console, such as https://app.example.com/callback")
	}
	return nil
}

// checkVaultAddr refuses an address that no browser should bring a code to.
func checkVaultAddr(address string) error {
	if address == "" {
		return nil
	}
	if _, err := zoho.CleanAccountsURL(address); err != nil || strings.ContainsAny(address, "?#") {
		return refuse("vault_addr is not usable: give the address at which a browser reaches Vault, https://vault.example.com:8200 (http for localhost alone), without /v1")
	}
	if u, err := url.Parse(address); err != nil || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1" {
		return refuse("vault_addr names a loopback address; Zoho takes localhost alone, so write http://localhost:<port>")
	}
	if before, _, found := strings.Cut(address+"/", "/v1/"); found {
		return refuse("vault_addr must not contain /v1, because the engine adds /v1 and the path of this mount's callback; write vault_addr=%s", before)
	}
	return nil
}

// returnAddress reads an address that a browser may go on to.
func returnAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	local := err == nil && u.Scheme == "http" && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1")
	if err != nil || u.Scheme != "https" && !local || u.Hostname() == "" || !ascii(u.Host) || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return nil, refuse("%q is not an address to return to; write it as https://app.example.com/connected (http for loopback alone, no user and no fragment, an international host as xn--...)", shorten(address))
	}
	return u, nil
}

// ascii reports whether a host is spelt as it is asked for: browsers read several
// letters as one.
func ascii(host string) bool {
	return !strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII })
}

// returnEntry reads an entry of return_urls.
func returnEntry(entry string) (*url.URL, error) {
	if strings.Contains(entry, "?") {
		return nil, refuse("%q has a query, and is not an address to return to: scheme, host, port and path of an entry count, any query goes with them; leave it out", shorten(entry))
	}
	return returnAddress(entry)
}

// checkReturn refuses to send a browser to where the mount's return_urls do not lead.
func (c *config) checkReturn(address string) error {
	u, err := returnAddress(address)
	if err != nil {
		return err
	}
	if strings.Trim(u.RawQuery, queryCharacters) != "" {
		return refuse("return_url has characters in its query that an address cannot have; percent-encode them, as encodeURIComponent does")
	}
	for _, name := range []string{"credential", "result", "return_state", "error"} {
		if hasParameter(u.RawQuery, name) {
			return refuse("return_url has a parameter %q, which is added to it; leave it out, and give a value of your own as return_state", name)
		}
	}
	allowed := slices.ContainsFunc(c.ReturnURLs, func(entry string) bool {
		a, err := returnEntry(entry)
		return err == nil && a.Scheme == u.Scheme && strings.EqualFold(a.Hostname(), u.Hostname()) && port(a) == port(u) && a.EscapedPath() == u.EscapedPath()
	})
	if !allowed {
		return refuse("return_url is not one that this mount allows; add it to return_urls in config, with the same scheme, host, port and path")
	}
	return nil
}

// queryCharacters are the characters of a query by RFC 3986. The query of return_url is
// returned byte for byte.
const queryCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/?%"

// hasParameter reports whether any server would find a parameter in a query: some
// separate parameters by a semicolon, too.
func hasParameter(query, name string) bool {
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return r == '&' || r == ';' }) {
		key, _, _ := strings.Cut(pair, "=")
		if unescaped, err := url.QueryUnescape(key); err == nil {
			key = unescaped
		}
		if strings.TrimSpace(key) == name {
			return true
		}
	}
	return false
}

func port(u *url.URL) string {
	if u.Port() != "" {
		return u.Port()
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// returnTo is where the browser goes with the result of a consent; "" if it stays, or if
// the mount no longer lets it go there.
func (c *config) returnTo(address, name string, o consent.Outcome, state string) string {
	if address == "" || c.checkReturn(address) != nil {
		return ""
	}
	u, _ := url.Parse(address)
	added := url.Values{"credential": {name}, "result": {returned(o.Result)}}
	if o.Word != "" {
		added.Set("error", o.Word)
	}
	if state != "" {
		added.Set("return_state", state)
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += added.Encode() // the query of return_url stays as it was written
	return u.String()
}

// returned is the result that an application is sent: connected, declined or failed.
func returned(r consent.Result) string {
	if r == consent.WrongAccount || r == consent.Superseded {
		r = consent.Failed
	}
	return string(r)
}
