// Is the address that a browser landed on read as a person pastes it, and never
// trusted?

package zoho_test

import (
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zoho"
)

const landed = "https://app.example.com/callback?state=s1&code=1000.aa.bb&location=eu&accounts-server=https%3A%2F%2Faccounts.zoho.eu&"

func TestACallbackIsReadHoweverItIsPasted(t *testing.T) {
	for _, address := range []string{
		landed, " " + landed + "\n", strings.TrimSuffix(landed, "&"), landed + "#fragment",
		strings.SplitN(landed, "?", 2)[1], "?" + strings.SplitN(landed, "?", 2)[1], "http://localhost:8910/?" + strings.SplitN(landed, "?", 2)[1],
		" " + strings.SplitN(landed, "?", 2)[1], "?state=s1&location=eu&code=1000.aa.bb\n",
	} {
		c, err := zoho.ParseCallback(address)
		if err != nil || c.Code != "1000.aa.bb" || c.State != "s1" {
			t.Errorf("%q: %+v, %v", address, c, err)
			continue
		}
		if dc, named, err := c.DataCenter(table(t, nil)); err != nil || !named || dc.Name != "eu" {
			t.Errorf("%q: %+v %v %v", address, dc, named, err)
		}
	}
}

func TestACallbackMayBeAsLongAsABrowserMakesIt(t *testing.T) {
	for length, read := range map[int]bool{4096: true, 4097: false} {
		address := landed + "x=" + strings.Repeat("x", length-len(landed)-2)
		if _, err := zoho.ParseCallback(address); (err == nil) != read {
			t.Errorf("%d bytes: %v", len(address), err)
		}
	}
}

func TestACallbackThatCannotBeUsedSaysWhatToPaste(t *testing.T) {
	for _, address := range []string{
		"", "https://app.example.com/callback", "https://app.example.com/callback?state=s1", "?code=%zz",
		"?state=s1&scope_enhanced=true&status=failure", "?state=s1&scope_enhanced=false&status=success",
		landed + "code=another", "code=", "?" + strings.Repeat("x", 9000),
	} {
		c, err := zoho.ParseCallback(address)
		if err == nil {
			t.Errorf("%q was read as %+v", address, c)
		} else if strings.Contains(err.Error(), "1000.aa") || !strings.Contains(err.Error(), "paste") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestARejectedConsentIsReadAsSuch(t *testing.T) {
	c, err := zoho.ParseCallback("https://app.example.com/callback?state=s1&error=access_denied&")
	if err != nil || c.Err != "access_denied" || c.Code != "" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestACallbackNeverNamesAnAccountsServerThatTheOperatorDidNot(t *testing.T) {
	for _, c := range []zoho.Callback{
		{AccountsServer: "https://accounts.zoho.evil.example"}, {AccountsServer: "http://accounts.zoho.eu"},
		{AccountsServer: "https://accounts.zoho.eu@evil.example"}, {AccountsServer: "https://accounts.zoho.eu/evil"},
		{AccountsServer: "https://accounts.zoho.eu:444"}, {AccountsServer: "https://accounts.zoho.eu?x"},
		{Location: "atlantis"}, {Location: "us", AccountsServer: "https://accounts.zoho.eu"},
	} {
		if dc, named, err := c.DataCenter(table(t, nil)); err == nil || named {
			t.Errorf("%+v selected %+v (%v), %v", c, dc, named, err)
		} else if strings.Contains(err.Error(), "evil") {
			t.Errorf("%+v: the error repeats it: %v", c, err)
		}
	}
	if dc, named, err := (zoho.Callback{Location: "eu"}).DataCenter(table(t, nil)); err != nil || !named || dc.Name != "eu" {
		t.Errorf("a callback with nothing but a location: %+v %v %v", dc, named, err)
	}
	if _, named, err := (zoho.Callback{Code: "c"}).DataCenter(table(t, nil)); named || err != nil {
		t.Errorf("a callback that names nothing: %v, %v", named, err)
	}
}

func table(t testing.TB, urls map[string]string) zoho.Table {
	t.Helper()
	made, err := zoho.NewTable(urls)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func FuzzCallback(f *testing.F) {
	for _, address := range []string{
		landed, "?code=c&location=us", "code=c&accounts-server=https://accounts.zoho.com.cn/", "error=access_denied",
		"?code=c&accounts-server=HTTPS://ACCOUNTS.ZOHO.EU", "?code=c&accounts-server=https://127.0.0.1:1", "?code=c&location=CA&&",
		"?code=c&accounts-server=http://localhost:8080/portal/", "?code=c&accounts-server=https%3A%2F%2Faccounts.zoho.eu%40evil.example",
	} {
		f.Add(address)
	}
	rows := table(f, map[string]string{"xx": "http://localhost:8080/portal"})
	f.Fuzz(func(t *testing.T, address string) {
		c, err := zoho.ParseCallback(address)
		if err != nil {
			if len(err.Error()) > 300 {
				t.Errorf("a long error: %v", err)
			}
			return
		}
		if c.Code == "" && c.Err == "" {
			t.Errorf("%q: neither a code nor an error", address)
		}
		dc, named, err := c.DataCenter(rows)
		if known := slices.Contains(rows.All(), dc); named && !known || err == nil && !named && c.AccountsServer+c.Location != "" {
			t.Errorf("%q selected %+v (%v, %v)", address, dc, named, err)
		}
	})
}
