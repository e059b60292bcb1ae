// Are scopes read in every spelling and sent in one?

package zoho_test

import (
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zoho"
)

func TestScopesAreReadInEverySpelling(t *testing.T) {
	want := []string{"ZohoCRM.modules.ALL", "AaaServer.profile.Read"}
	for _, text := range []string{
		"ZohoCRM.modules.ALL,AaaServer.profile.Read", "ZohoCRM.modules.ALL AaaServer.profile.Read",
		" ZohoCRM.modules.ALL ,\n\tAaaServer.profile.Read; ", "ZohoCRM.modules.ALL,ZohoCRM.modules.ALL,,AaaServer.profile.Read",
	} {
		if got := zoho.ParseScopes(text); !slices.Equal(got, want) {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}

func TestOnlyScopesThatWereReallyNotGrantedAreMissing(t *testing.T) {
	granted := zoho.ParseScopes("ZohoCRM.modules.READ ZohoCRM.modules.CREATE zohocrm.ORG.read ZohoBooks.fullaccess.all")
	for want, missing := range map[string]bool{
		"ZohoCRM.modules.ALL": false, "ZohoCRM.modules.READ": false, "ZohoCRM.modules.DELETE": true, "ZohoCRM.org.READ": false,
		"ZohoCRM.org.ALL": false, "ZohoCRM.users.ALL": true, "ZohoCRM.module.ALL": true, "ZohoBooks.fullaccess.ALL": false,
	} {
		if got := len(zoho.MissingScopes([]string{want}, granted)) > 0; got != missing {
			t.Errorf("%s is missing: %v, want %v", want, got, missing)
		}
	}
}

func FuzzScopes(f *testing.F) {
	for _, text := range []string{"ZohoCRM.modules.ALL,ZohoCRM.org.READ", "a b\tc\nd;e,,f", "", ",", "a,a", "ZohoCRM.modules.ALL\u00a0x", "\xff,\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		scopes := zoho.ParseScopes(text)
		for i, scope := range scopes {
			if scope == "" || strings.ContainsAny(scope, ", ;\t\r\n") || slices.Contains(scopes[:i], scope) || !strings.Contains(text, scope) {
				t.Errorf("%q gave the scope %q", text, scope)
			}
		}
		if again := zoho.ParseScopes(zoho.FormatScopes(scopes)); !slices.Equal(again, scopes) {
			t.Errorf("%q: %q becomes %q on the way out and in", text, scopes, again)
		}
		if missing := zoho.MissingScopes(scopes, scopes); len(missing) > 0 {
			t.Errorf("%q: %q of itself is missing", text, missing)
		}
	})
}
