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

func TestScopesOfEveryProductAreTakenAndNothingThatAShellReads(t *testing.T) {
	real := "AaaServer.profile.READ AaaServer.profile.Read Desk.basic.READ PhoneBridge.call.log Site24x7.Admin.Read WorkDrive.files.ALL " +
		"ZOHOPEOPLE.forms.ALL ZohoAnalytics.data.read ZohoAssist.sessionapi.ALL ZohoBooks.fullaccess.all ZohoCRM.settings.fields.READ " +
		"ZohoInventory.FullAccess.all aaaserver.profile.read zohobackstage.event.READ zohobookings.data.CREATE ZohoSheet.dataAPI.READ " +
		"ZohoCRM.modules.Custom_Module_1.ALL SDPOnDemand.requests.ALL openid email profile"
	scopes := zoho.ParseScopes(real)
	if err := zoho.CheckScopes(scopes); err != nil || len(scopes) != len(strings.Fields(real)) {
		t.Errorf("%d scopes, %v", len(scopes), err)
	}
	for _, r := range "`$&|<>()'\"\\*?[]{}!#~=%@+:/^\x00\x7f\u00e9\u202e\ufeff" {
		for _, scope := range []string{string(r), "a" + string(r), string(r) + "a", "ZohoCRM." + string(r) + ".ALL"} {
			if zoho.CheckScopes([]string{"openid", scope}) == nil {
				t.Errorf("%q is taken", scope)
			}
		}
	}
	for _, scope := range []string{"-", "-x", ".x", "_x", strings.Repeat("s", 129)} {
		if zoho.CheckScopes([]string{scope}) == nil {
			t.Errorf("%q is taken", scope)
		}
	}
	if many := strings.Fields(strings.Repeat("s ", 201)); zoho.CheckScopes(many) == nil || zoho.CheckScopes(many[:200]) != nil {
		t.Error("there is no bound of 200 scopes")
	}
}

func FuzzScopes(f *testing.F) {
	for _, text := range []string{"ZohoCRM.modules.ALL,ZohoCRM.org.READ", "a b\tc\nd;e,,f", "", ",", "a,a", "ZohoCRM.modules.ALL\u00a0x", "\xff,\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		scopes := zoho.ParseScopes(text)
		for i, scope := range scopes {
			if scope == "" || strings.ContainsAny(scope, ", ;\t\r\n\u00a0") || slices.Contains(scopes[:i], scope) || !strings.Contains(text, scope) {
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
