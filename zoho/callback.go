// What did the browser land on? The whole address is pasted by a person, with
// whatever Zoho and the address bar did to it.

package zoho

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Callback is what Zoho put into the address that the browser landed on after a
// consent. Nothing in it is to be trusted: AccountsServer and Location only
// select a row of the Table.
type Callback struct {
	Code           Secret
	State          string
	Location       string
	AccountsServer string
	// Enhanced tells that scopes were added to a grant; no code comes with that.
	Enhanced bool
	// Err is Zoho's word for a consent that failed, access_denied for a reject. See
	// CleanRedirectWord and ConsentErrorText.
	Err string
}

// maxCallback bounds what is parsed; real addresses are below 400 bytes.
const maxCallback = 4 << 10

// ParseCallback reads a callback address: a whole URL, or only its query. Errors
// never repeat the address, since it carries the code.
func ParseCallback(address string) (Callback, error) {
	address = TrimPasted(address)
	if len(address) > maxCallback {
		return Callback{}, fmt.Errorf("the callback address is longer than %d bytes; paste only what the address bar shows after the consent", maxCallback)
	}
	query := address
	if before, after, found := strings.Cut(address, "?"); found {
		query = after
	} else if strings.Contains(before, "://") && !strings.Contains(before, "#") {
		return Callback{}, errors.New("the callback address has no query; paste the whole address that the browser landed on, with everything after the question mark")
	}
	query, fragment, _ := strings.Cut(query, "#")
	if strings.Contains(fragment, "access_token=") {
		return Callback{}, errors.New("the address carries an access token, not a code: this is a client-based (JavaScript) client, which never gets a refresh token and so can't be kept by Vault; register a server-based client in Zoho's API console instead")
	}
	values, err := url.ParseQuery(strings.Trim(query, "&"))
	if err != nil {
		// The library's error repeats the input.
		return Callback{}, errors.New("the callback address is not well formed; paste the whole address that the browser landed on, unchanged")
	}
	for _, name := range []string{"code", "state", "location", "accounts-server", "error"} {
		if len(values[name]) > 1 {
			return Callback{}, fmt.Errorf("the callback address carries %q twice; paste the address of one consent only", name)
		}
	}
	c := Callback{
		Code:           Secret(values.Get("code")),
		State:          values.Get("state"),
		Location:       values.Get("location"),
		AccountsServer: values.Get("accounts-server"),
		Err:            CleanRedirectWord(values.Get("error")),
	}
	c.Enhanced = values.Get("scope_enhanced") == "true" && values.Get("status") == "success"
	if c.Code == "" && c.Err == "" && !c.Enhanced {
		return Callback{}, errors.New("the callback address carries no code; paste the whole address that the browser landed on after the consent. A shell cuts it at the first & that is not in single quotes: write callback_url=- instead, and paste it when the command waits")
	}
	return c, nil
}

// DataCenter selects the row of the table that the callback names; false when it
// names none at all. An accounts server that is not in the table is an error, and
// so is one that contradicts the location: the code would be sent to a host that
// the operator never named.
func (c Callback) DataCenter(table Table) (DataCenter, bool, error) {
	var dc DataCenter
	var named bool
	if c.AccountsServer != "" {
		if dc, named = table.ByAccountsURL(c.AccountsServer); !named {
			return DataCenter{}, false, fmt.Errorf("the accounts server in the callback address is not one this mount knows (%s); if it is a genuine new Zoho data center, add it to accounts_urls in config first", table.Servers())
		}
	}
	if c.Location != "" {
		byLocation, found := table.ByName(c.Location)
		switch {
		case !found && !named:
			return DataCenter{}, false, fmt.Errorf("the location in the callback address is not a data center this mount knows (%s); if it is a genuine new Zoho data center, add it to accounts_urls in config first", table.Names())
		case found && named && byLocation.AccountsURL != dc.AccountsURL:
			return DataCenter{}, false, fmt.Errorf("the callback address contradicts itself: its location is %s, its accounts server belongs to %s; start again with authorize", byLocation.Name, dc.Name)
		case found:
			dc, named = byLocation, true
		}
	}
	return dc, named, nil
}
