// Tests of settings: what does not exist, or has no effect, is refused and named.

package zohotest_test

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

// wantPanic wants a setting to be refused with a text that names it.
func wantPanic(t *testing.T, text string, setting func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := fmt.Sprint(recover()); !strings.Contains(got, text) {
			t.Errorf("the panic is %q, want %q", got, text)
		}
	}()
	setting()
}

func TestAFaultThatNoCallCanMeetIsRefused(t *testing.T) {
	zoho := zohotest.New()
	for text, f := range map[string]zohotest.Fault{
		`unknown fault kind "rest"`: {Kind: "rest"},
		`unknown data center "ue"`:  {Kind: zohotest.Reset, DataCenter: "ue"},
		`endpoint "tokens"`:         {Kind: zohotest.Reset, Endpoint: "tokens"},
		`path "/cmr/"`:              {Kind: zohotest.Reset, Path: "/cmr/"},
		`grant type "refresh"`:      {Kind: zohotest.Reset, GrantType: "refresh"},
		`endpoint "revoke"`:         {Kind: zohotest.Reset, Endpoint: "revoke", GrantType: "refresh_token"},
		`endpoint "token"`:          {Kind: zohotest.Reset, Endpoint: "token", Path: "/crm/"},
		`-1 times`:                  {Kind: zohotest.Reset, Times: -1},
		`negative`:                  {Kind: zohotest.Slow, Delay: -time.Second},
		`status 99`:                 {Kind: zohotest.Status5xx, Status: 99},
		`"reset" has a field`:       {Kind: zohotest.Reset, Status: 500},
		`"refuse" has a field`:      {Kind: zohotest.Refuse, Delay: time.Second},
		`"hang" has a field`:        {Kind: zohotest.Hang, RetryAfter: time.Second},
		`"throttle" has a field`:    {Kind: zohotest.Throttle, Error: "access_denied"},
		`"slow" needs a delay`:      {Kind: zohotest.Slow},
	} {
		wantPanic(t, text, func() { zoho.Fault(f) })
	}
	if got := zoho.UnmetFaults(); len(got) != 0 {
		t.Errorf("a fault that was refused waits: %+v", got)
	}
}

func TestAFaultThatNoCallMetIsListed(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		met := zohotest.Fault{Kind: zohotest.Refuse, Endpoint: "token", Times: 2}
		cleared := zohotest.Fault{Kind: zohotest.HTML, Endpoint: "api", Path: "/crm/v2/"}
		waits := zohotest.Fault{Kind: zohotest.Reset, DataCenter: "jp", GrantType: "client_credentials"}
		a.zoho.Fault(met)
		a.refresh("eu", "x")
		a.zoho.Fault(cleared)
		a.zoho.ClearFaults()
		a.zoho.Fault(waits)
		a.refresh("eu", "x")
		if got := a.zoho.UnmetFaults(); len(got) != 2 || got[0] != cleared || got[1] != waits {
			t.Errorf("the faults that no call met are %+v", got)
		}
		s := script{t, a.zoho.Control()}
		if got := must[[]map[string]any](s, "GET", "/unmet-faults", ""); len(got) != 2 || got[1]["grant_type"] != "client_credentials" {
			t.Errorf("the control API lists %+v", got)
		}
		a.zoho.Reset()
		if got := a.zoho.UnmetFaults(); len(got) != 1 || got[0] != waits {
			t.Errorf("after a reset the faults that no call met are %+v", got)
		}
	})
}

func TestAKnobWithoutEffectIsRefused(t *testing.T) {
	zoho := zohotest.New()
	for text, change := range map[string]func(*zohotest.Knobs){
		`MintKey is "refresh"`:              func(k *zohotest.Knobs) { k.MintKey = "refresh" },
		`MintKey is "user"`:                 func(k *zohotest.Knobs) { k.MintKey = zohotest.PerUser },
		`CodeKey is "refresh_token"`:        func(k *zohotest.Knobs) { k.CodeKey = zohotest.PerRefreshToken },
		`LiveRefreshTokenKey is ""`:         func(k *zohotest.Knobs) { k.LiveRefreshTokenKey = "" },
		`ThrottleLanguage is "de"`:          func(k *zohotest.Knobs) { k.ThrottleLanguage = "de" },
		`MintWindow is 0s`:                  func(k *zohotest.Knobs) { k.MintWindow = 0 },
		`Lockout is -1s`:                    func(k *zohotest.Knobs) { k.Lockout = -time.Second },
		`status 42`:                         func(k *zohotest.Knobs) { k.ErrorStatus = 42 },
		`PKCEError is empty`:                func(k *zohotest.Knobs) { k.PKCEError = "" },
		`"nobody@example.com" is no user`:   func(k *zohotest.Knobs) { k.AutoConsentEmail = "nobody@example.com" },
		`has "ZohoCRM.modules"`:             func(k *zohotest.Knobs) { k.ExpandScopesServices = []string{"ZohoCRM.modules"} },
		`has "ZohoCRM"`:                     func(k *zohotest.Knobs) { k.UnknownScopes = []string{"ZohoCRM"} },
		`has "https://App.example.com/"`:    func(k *zohotest.Knobs) { k.CORSOrigins = []string{"https://App.example.com/"} },
		`unknown organization user "admin"`: func(k *zohotest.Knobs) { k.OrganizationUser = "admin" },
	} {
		wantPanic(t, text, func() { zoho.Knobs(change) })
	}
	zoho.Knobs(func(k *zohotest.Knobs) {
		if k.MintKey != zohotest.PerRefreshToken || k.MintWindow != 10*time.Minute {
			t.Error("a setting that was refused is in force")
		}
	})
}

func TestAClientThatZohosConsoleRefusesIsRefused(t *testing.T) {
	zoho := zohotest.New()
	for text, c := range map[string]zohotest.Client{
		`unknown client type "serverbased"`: {Type: "serverbased"},
		`unknown data center "uss"`:         {DataCenter: "uss"},
		`unknown data center "EU"`:          {Enabled: []string{"us", "EU"}},
		`unknown data center "xx"`:          {Secrets: map[string]string{"xx": "s"}},
		`has no owner`:                      {Owner: zoho.User("us").Email},
		`"nobody@example.com" is no user`:   {Type: zohotest.SelfClient, Owner: "nobody@example.com"},
		`refuses http://127.0.0.1`:          {RedirectURIs: []string{"http://127.0.0.1:8080/callback"}},
		`redirect URI is empty`:             {RedirectURIs: []string{""}},
		`has no scheme`:                     {RedirectURIs: []string{"app.example.com/callback"}},
		`"server" begin with http`:          {RedirectURIs: []string{"com.example.app://callback"}},
		`has no host`:                       {RedirectURIs: []string{"https:///callback"}},
		`"self" has no redirect URI`:        {Type: zohotest.SelfClient, RedirectURIs: []string{"https://app.example.com/callback"}},
	} {
		wantPanic(t, text, func() { zoho.AddClient(c) })
	}
	for _, uri := range []string{"", "http://127.0.0.1/", "//app.example.com/callback", "com.example.app://callback"} {
		wantPanic(t, "redirect URI", func() { zoho.AddRedirectURI(zoho.DefaultClient().ID, uri) })
	}
	zoho.AddClient(zohotest.Client{Type: zohotest.Mobile, RedirectURIs: []string{"com.example.app://callback", "http://localhost/"}})
	wantPanic(t, `unknown client nobody`, func() { zoho.RemoveClient("nobody") })
	wantPanic(t, `unknown user nobody`, func() { zoho.RemoveUser("nobody@example.com") })
	wantPanic(t, `unknown data center "xx"`, func() { zoho.RemoveDataCenter("xx") })
	wantPanic(t, `unknown service "mail"`, func() { zoho.Handler("us", "mail") })
}

// A change of settings that is refused changes nothing, not even an entry of a list.
func TestARefusedChangeLeavesEveryListAsItWas(t *testing.T) {
	zoho := zohotest.New()
	lists := 0
	for i := range reflect.TypeFor[zohotest.Knobs]().NumField() {
		field := reflect.TypeFor[zohotest.Knobs]().Field(i)
		if field.Type.Kind() != reflect.Slice {
			continue
		}
		lists++
		value := map[string]string{"UnknownScopes": "ZohoCRM.nothing.READ", "CORSOrigins": "*", "OrganizationClients": string(zohotest.Organization)}[field.Name]
		if value == "" {
			value = "ZohoCRM"
		}
		list := func(k *zohotest.Knobs) reflect.Value { return reflect.ValueOf(k).Elem().Field(i) }
		zoho.Knobs(func(k *zohotest.Knobs) {
			list(k).Set(reflect.MakeSlice(field.Type, 1, 1))
			list(k).Index(0).SetString(value)
		})
		wantPanic(t, "status 0", func() {
			zoho.Knobs(func(k *zohotest.Knobs) {
				list(k).Index(0).SetString("x")
				k.ErrorStatus = 0
			})
		})
		zoho.Knobs(func(k *zohotest.Knobs) {
			if got := list(k); got.Len() != 1 || got.Index(0).String() != value {
				t.Errorf("%s is %v, want %q", field.Name, got, value)
			}
		})
	}
	if lists != 8 {
		t.Errorf("%d lists were found", lists)
	}
}

func TestSettingsHaveTheirBounds(t *testing.T) {
	zoho := zohotest.New()
	for _, status := range []int{200, 599} {
		zoho.Knobs(func(k *zohotest.Knobs) {
			k.ThrottleStatus, k.PageErrorStatus, k.ErrorStatus, k.DeadTokenStatus, k.DeviceErrorStatus = status, status, status, status, status
		})
	}
	for _, status := range []int{199, 600} {
		for _, of := range []func(*zohotest.Knobs) *int{
			func(k *zohotest.Knobs) *int { return &k.ThrottleStatus }, func(k *zohotest.Knobs) *int { return &k.PageErrorStatus },
			func(k *zohotest.Knobs) *int { return &k.ErrorStatus }, func(k *zohotest.Knobs) *int { return &k.DeadTokenStatus },
			func(k *zohotest.Knobs) *int { return &k.DeviceErrorStatus },
		} {
			wantPanic(t, fmt.Sprint("status ", status), func() { zoho.Knobs(func(k *zohotest.Knobs) { *of(k) = status }) })
		}
	}
	zoho.Knobs(func(k *zohotest.Knobs) {
		k.RefreshTokenIdle, k.Lockout, k.ThrottleRetryAfter, k.CodeLockout, k.CodeLifetime = 0, 0, 0, 0, 1
		k.UnknownScopes = []string{"openid"}
	})
	wantPanic(t, `unknown data center "mars"`, func() { zoho.AddUser(zohotest.User{DataCenter: "mars"}) })
	wantPanic(t, `unknown data center "mars"`, func() { zoho.User("mars") })
	wantPanic(t, `unknown data center "mars"`, func() { zoho.RotateSecret(zoho.DefaultClient().ID, "mars") })
	wantPanic(t, `unknown client nobody`, func() { zoho.RotateSecret("nobody", "") })
	wantPanic(t, `unknown service "mail"`, func() { zoho.SetURL("us", "mail", "https://mail.example.com") })
	wantPanic(t, `unknown service "mail"`, func() { zoho.SetURL("us", "mail", "") })
	wantPanic(t, `no host of portals`, func() { zoho.PortalURL("eu", "1") })
	zoho.RemoveUser(zoho.User("eu").Email)
	wantPanic(t, "data centre eu has no user", func() { zoho.User("eu") })
}

func TestTheAccountOfAutoConsentIsCheckedWhenItIsChosen(t *testing.T) {
	zoho := zohotest.New()
	user := zoho.AddUser(zohotest.User{Email: "anna@example.com"})
	zoho.Knobs(func(k *zohotest.Knobs) { k.AutoConsentEmail = user.Email })
	zoho.RemoveUser(user.Email)
	zoho.Knobs(func(k *zohotest.Knobs) { k.Mints = 3 })
	zoho.Knobs(func(k *zohotest.Knobs) { k.AutoConsentEmail = "" })
}

func TestAClientOfAPortalIsOneThatZohoHas(t *testing.T) {
	zoho := zohotest.New()
	for name, c := range map[string]zohotest.Client{
		"of another type": {Portal: "1", Type: zohotest.Mobile}, "of an id with a slash": {Portal: "1/2"}, "where no portals are": {Portal: "1", DataCenter: "eu"},
	} {
		t.Log(name)
		wantPanic(t, "client of portal", func() { zoho.AddClient(c) })
	}
	zoho.AddClient(zohotest.Client{Portal: "1", DataCenter: "in"})
}

func TestWhatIsLeftOutOfAClientIsFilledIn(t *testing.T) {
	zoho := zohotest.New()
	for kind, want := range map[zohotest.ClientType]struct {
		id, name string
		uris     []string
	}{
		"":                    {"1000", "Example server client", []string{"http://localhost:8910/callback"}},
		zohotest.Mobile:       {"1000", "Example mobile client", []string{"http://localhost:8910/callback"}},
		zohotest.ClientBased:  {"1000", "Example client-based client", []string{"http://localhost:8910/callback"}},
		zohotest.Organization: {"1005", "Example organization client", []string{"http://localhost:8910/callback"}},
		zohotest.SelfClient:   {"1000", "Example self client", nil},
		zohotest.Device:       {"1000", "Example device client", nil},
	} {
		c := zoho.AddClient(zohotest.Client{Type: kind})
		if !regexp.MustCompile(`^`+want.id+`\.[A-Z0-9]{30}$`).MatchString(c.ID) || !regexp.MustCompile(`^[0-9a-f]{42}$`).MatchString(c.Secret) ||
			c.Name != want.name || c.DataCenter != "us" || !slices.Equal(c.RedirectURIs, want.uris) {
			t.Errorf("%q: the client is %+v", kind, c)
		}
	}
	own := zohotest.Client{ID: "id", Secret: "secret", Name: "name", Type: zohotest.Mobile, DataCenter: "eu", RedirectURIs: []string{}}
	if c := zoho.AddClient(own); !reflect.DeepEqual(c, own) {
		t.Errorf("what was given has changed: %+v", c)
	}
	user := zoho.AddUser(zohotest.User{})
	if user != (zohotest.User{Email: "user11@us.example.com", DataCenter: "us", ZUID: "600000011", Name: "User US", OrgID: "700000011"}) {
		t.Errorf("the user is %+v", user)
	}
	whole := zohotest.User{Email: "a@example.com", DataCenter: "eu", ZUID: "1", Name: "A", OrgID: "2"}
	if user := zoho.AddUser(whole); user != whole {
		t.Errorf("what was given has changed: %+v", user)
	}
}
