// The life of a credential after it was connected: reconnecting, disabling,
// revoking, more scopes, and what status and metrics say of it.

package backend_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestDeadCredentialExplainsItself(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.zoho.RevokeRefreshToken(m.grant())
		m.refused(logical.ReadOperation, "creds/crm", nil, 400, "refresh token refused by accounts.zoho.com (invalid_code)", "connect again with authorize/crm")
		status := m.read("status/crm")
		if status["state"] != "needs_consent" || status["hold_reason"] != "refused" || status["hold_until"] == nil {
			t.Errorf("status does not explain: %v", status)
		}
		if remedy, _ := status["remedy"].(string); !strings.Contains(remedy, "authorize/crm") {
			t.Errorf("the remedy names no command: %q", remedy)
		}
		if next := status["next_command"]; next != "vault write zoho/authorize/crm scopes=ZohoCRM.modules.ALL,ZohoCRM.org.READ" {
			t.Errorf("the next command is %v", next)
		}
		m.restart()
		if status := m.read("status/crm"); status["state"] != "needs_consent" {
			t.Errorf("a restart made the status forget: %v", status)
		}
		m.connect("crm")
		if status := m.read("status/crm"); status["state"] != "ready" || status["last_error"] != nil {
			t.Errorf("reconnecting did not clear the status: %v", status)
		}
		m.token("crm")
	})
}

func TestCredentialRemembersItsFormerGrantsForADayAndNoLonger(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		remembered := func() int { return strings.Count(m.storage.contents(t)["creds/crm"], `"until"`) }
		for range 3 {
			passes(26 * time.Hour)
			m.tick()
			m.connect("crm")
			if n := remembered(); n != 1 {
				t.Fatalf("it remembers %d grants; one may still have a token that lives", n)
			}
		}
		all := m.zoho.RefreshTokens()
		m.write("creds/crm", data{"refresh_token": all[len(all)-1].Token})
		if n := remembered(); n != 1 {
			t.Errorf("it remembers %d grants; the one that it has is none of them", n)
		}
	})
}

func TestDisabledCredentialRefusesReadsAndKeepsEverything(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.token("crm")
		m.write("creds/crm", data{"disabled": true})
		m.refused(logical.ReadOperation, "creds/crm", nil, 400, "disabled=false")
		if s := m.read("status/crm"); s["state"] != "disabled" || s["next_command"] != "vault write zoho/creds/crm disabled=false" {
			t.Errorf("state is %v, next_command %v", s["state"], s["next_command"])
		}
		m.patch("creds/crm", data{"disabled": nil})
		m.token("crm")
	})
}

func TestRevokedAccessTokensDieAndTheNextReadMintsAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		leaked := m.token("crm")
		revoked := m.write("revoke/crm", nil).Data["revoked"]
		if m.zoho.Alive(leaked) || revoked != 1 {
			t.Fatalf("the leaked token lives on; %v revoked", revoked)
		}
		if fresh := m.token("crm"); fresh == leaked {
			t.Error("the leaked token is handed out again")
		}
	})
}

// secondRevocationFails makes Zoho revoke one token, or grant, and fail at the next.
func (m *mount) secondRevocationFails() {
	revocations := 0
	m.tap(func(r *http.Request, _ string) (int, string) {
		if strings.Contains(r.URL.Path, "revoke") {
			if revocations++; revocations == 2 {
				return 400, `{"error":"server_error"}`
			}
		}
		return 0, ""
	})
}

func TestRevokingSaysThatWhatZohoKeepsAliveIsHandedOutNoMore(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.token("crm") // besides the one that came with the grant
		m.secondRevocationFails()
		resp := m.write("revoke/crm", nil)
		if resp.Data["revoked"] != 1 || len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "they are handed out no more. Write again") {
			t.Errorf("one of two was revoked, and the answer is %v %q", resp.Data, resp.Warnings)
		}
	})
}

func TestRevokingReachesWhatADeleteOfTheSameNameLeft(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		unrevoked(m)
		m.connect("crm")
		m.secondRevocationFails() // the first is of the present grant's token
		if resp := m.write("revoke/crm", nil); resp.Data["revoked"] != 1 || len(resp.Warnings) != 1 {
			t.Errorf("with the deleted one's alive: %v %q", resp.Data, resp.Warnings)
		}
		m.token("crm")
		if resp := m.write("revoke/crm", nil); resp.Data["revoked"] != 2 || len(resp.Warnings) != 0 {
			t.Errorf("then %v %q", resp.Data, resp.Warnings)
		}
	})
}

func TestRevokedTokenIsHandedOutNoMoreEvenIfZohoIsDown(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		leaked := m.token("crm")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke"})
		m.refused(logical.UpdateOperation, "revoke/crm", nil, 503)
		m.zoho.ClearFaults()
		m.restart()
		if fresh := m.token("crm"); fresh == leaked {
			t.Error("the leaked token is handed out again")
		}
		m.write("revoke/crm", nil)
		if m.zoho.Alive(leaked) {
			t.Error("a second revocation did not reach the leaked token")
		}
	})
}

func TestRevokedTokenIsHandedOutByNoProcessOnceRevokingHasSucceeded(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		m.token("crm")
		m.storage.failing("put", "token/")
		if resp, err := m.try(logical.UpdateOperation, "revoke/crm", nil); err == nil && len(resp.Warnings) == 0 {
			t.Error("nothing is said of what storage did not take")
		}
		if resp, err := m.try(logical.UpdateOperation, "revoke/crm", nil); err == nil && len(resp.Warnings) == 0 {
			t.Error("nothing is said the second time")
		}
		m.storage.working()
		if resp := m.write("revoke/crm", nil); len(resp.Warnings) > 0 {
			t.Errorf("revoking warns: %v", resp.Warnings)
		}
		m.restart()
		m.token("crm")
	})
}

func TestBreakGlassRevokesEveryCredentialAndSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		var leaked []string
		for i := range 5 {
			name := fmt.Sprintf("app%d", i)
			m.connect(name)
			leaked = append(leaked, m.token(name))
		}
		m.connect("gone")
		leaked = append(leaked, m.token("gone"))
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke", Times: 1})
		m.delete("creds/gone")
		answer := m.write("revoke", nil).Data
		if answer["revoked"] != 12 || answer["failed"] != 0 || len(answer["results"].(map[string]any)) != 6 {
			t.Errorf("break glass answers %v", answer)
		}
		for _, token := range leaked {
			if m.zoho.Alive(token) {
				t.Error("a token lives on")
			}
		}
		again := m.write("revoke", nil).Data
		if again["revoked"] != 0 || again["unreached"] != 0 || len(again["results"].(map[string]any)) != 0 {
			t.Errorf("with nothing left it answers %v", again)
		}
		m.token("app3")
	})
}

// Vault gives up on a plugin that answers later than it allows, and then nobody hears
// what was revoked.
func TestBreakGlassAnswersInTimeAndGoesOnWhenWrittenAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"request_timeout": "40s"})
		const all = 150
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.Codes, k.LiveRefreshTokens = -1, -1 })
		for i := range all {
			m.connect(fmt.Sprintf("app%d", i))
		}
		m.connect("gone")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke", Times: 1})
		m.delete("creds/gone") // its grant is still to be revoked
		// Zoho takes longer and longer: what is begun after 52 seconds is not answered in 90.
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "revoke", Delay: 26 * time.Second, Times: 128})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Slow, Endpoint: "revoke", Delay: 39 * time.Second})
		requests := 0
		for left := all + 1; left > 0; requests++ {
			// Vault names no deadline to a plugin: it cancels.
			ctx, cancel := context.WithCancel(context.Background())
			defer time.AfterFunc(90*time.Second, cancel).Stop()
			resp, err := m.request(ctx, logical.UpdateOperation, "revoke", nil)
			if err != nil || ctx.Err() != nil {
				t.Fatalf("after %d requests: %v, %v", requests, err, ctx.Err())
			}
			late, results := resp.Data["unreached"].(int), resp.Data["results"].(map[string]any)
			if requests == 0 && (late == 0 || late != resp.Data["failed"] || late+len(results) != all+1) { // with the one that is deleted
				t.Errorf("%d of %d were not reached, and the answer has %v failed and %d results", late, all, resp.Data["failed"], len(results))
			}
			if says := strings.Join(resp.Warnings, "\n"); requests == 0 && !strings.Contains(says, "grants of credentials that were deleted or replaced are not all revoked yet") {
				t.Errorf("of the deleted credential's grant it says %q", says)
			}
			if now := resp.Data["failed"].(int); now >= left {
				t.Fatalf("%d of %d are left after one more request", now, left)
			} else {
				left = now
			}
		}
		if requests < 2 {
			t.Error("one request was enough, which proves nothing")
		}
		for _, grant := range m.zoho.RefreshTokens() {
			if len(m.zoho.AccessTokens(grant.Token)) > 0 {
				t.Fatal("a token lives on")
			}
		}
	})
}

func TestBreakGlassRevokesHoweverShortTheRequestIs(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		resp, err := m.request(ctx, logical.UpdateOperation, "revoke", nil)
		if err != nil || resp.Data["revoked"] != 1 || resp.Data["failed"] != 0 {
			t.Errorf("got %v, %v", resp, err)
		}
	})
}

func TestClientCredentialsOfOneClientShareItsBudget(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient, DataCenter: "us"})
		m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
		m.write("creds/leads", data{"grant_type": "client_credentials", "scopes": "ZohoCRM.modules.READ", "soid": "ZohoCRM." + m.zoho.User("us").OrgID})
		m.write("creds/org", data{"grant_type": "client_credentials", "scopes": "ZohoCRM.org.READ", "soid": "ZohoCRM." + m.zoho.User("us").OrgID})
		for range 30 {
			if leads, org := m.token("leads"), m.token("org"); leads == org {
				t.Fatal("different scopes got the same token")
			}
			passes(time.Minute)
		}
		m.refused(logical.UpdateOperation, "creds/none", data{"grant_type": "client_credentials"}, 400, "scopes are missing")
		m.refused(logical.UpdateOperation, "creds/none", data{"grant_type": "client_credentials", "scopes": "ZohoCRM.org.READ"}, 400, "missing_org_info", "soid")
		leads, org := m.token("leads"), m.token("org") // a sibling's mistake does not stop it
		m.delete("creds/leads")
		if m.zoho.Alive(leads) || !m.zoho.Alive(org) {
			t.Error("deleting one of two ends its tokens, and no others")
		}
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Endpoint: "revoke"})
		resp := m.delete("creds/org")
		if resp == nil || len(resp.Warnings) != 1 || !strings.Contains(resp.Warnings[0], "within 1h") {
			t.Errorf("tokens live on, and the delete says %v", resp)
		}
	})
}

func TestAddedScopesShowInStatusAndKeepTheGrant(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		before := m.grant()
		landed := m.consent("crm", data{"add_scopes": "ZohoCRM.users.READ"}, zohotest.Consent{})
		m.write("creds/crm", data{"callback_url": landed})
		granted := fmt.Sprint(m.read("status/crm")["granted_scopes"])
		if !strings.Contains(granted, "ZohoCRM.users.READ") || !strings.Contains(granted, "ZohoCRM.org.READ") {
			t.Errorf("granted scopes are %s", granted)
		}
		if asked := fmt.Sprint(m.read("status/crm")["requested_scopes"]); asked != "[ZohoCRM.modules.ALL ZohoCRM.org.READ ZohoCRM.users.READ]" {
			t.Errorf("requested scopes are %s", asked)
		}
		if after := m.zoho.RefreshTokens(); len(after) != 1 || after[0].Token != before {
			t.Error("the grant was replaced")
		}
		m.token("crm")
		landed = m.consent("crm", data{"add_scopes": "ZohoCRM.settings.READ"}, zohotest.Consent{})
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": altered(t, landed, map[string]string{"error": "access_denied"})}, 400, "the scopes were not added")
		// Zoho promises no state here.
		landed = m.consent("crm", data{"add_scopes": "ZohoCRM.coql.READ"}, zohotest.Consent{})
		m.write("creds/crm", data{"callback_url": altered(t, landed, map[string]string{"state": ""})})
		if granted := fmt.Sprint(m.read("status/crm")["granted_scopes"]); !strings.Contains(granted, "ZohoCRM.coql.READ") {
			t.Errorf("granted scopes are %s", granted)
		}
		landed = m.consent("crm", data{"add_scopes": "ZohoCRM.files.READ"}, zohotest.Consent{Reject: true})
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "works as before")
		m.token("crm")
	})
}

func TestAddedProfileScopeTellsWhoseAccountItIs(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		if user := m.read("status/crm")["zoho_user"]; user != nil {
			t.Fatalf("without the scope the user is %v", user)
		}
		m.write("creds/crm", data{"callback_url": m.consent("crm", data{"add_scopes": "AaaServer.profile.READ"}, zohotest.Consent{})})
		if user := m.read("status/crm")["zoho_user"]; user != m.zoho.User("us").ZUID {
			t.Errorf("with the scope the user is %v", user)
		}
	})
}

func TestLeasedReadCarriesALeaseOfTheTokensLife(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.write("creds/crm", data{"leased": true})
		resp := m.do(logical.ReadOperation, "creds/crm", nil)
		if resp.Secret == nil || resp.Secret.Renewable || resp.Secret.TTL > time.Hour || resp.Secret.TTL < 59*time.Minute {
			t.Fatalf("lease is %+v", resp.Secret)
		}
		_, err := m.backend.HandleRequest(t.Context(), &logical.Request{Operation: logical.RevokeOperation, Storage: m.storage, Secret: resp.Secret, Data: resp.Data})
		if err != nil || !m.zoho.Alive(resp.Data["access_token"].(string)) {
			t.Errorf("revoking a lease: %v; others hold the same token", err)
		}
	})
}

func TestProbeTellsWhoseAccountItIsWithoutMinting(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"scopes": "AaaServer.profile.READ ZohoCRM.org.READ"})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "api", Times: 1}) // so that it is not known before
		m.connect("crm")
		m.token("crm")
		user := m.zoho.User("us")
		mints := m.zoho.Counts().Minted
		answer := m.write("status/crm", data{"probe": true}).Data
		if answer["zoho_user"] != user.ZUID || answer["organization_id"] != user.OrgID || answer["organization_name"] != "Organization of "+user.Name || answer["token_accepted"] != true {
			t.Errorf("probe answers %v", answer)
		}
		if m.zoho.Counts().Minted != mints {
			t.Error("a probe minted")
		}
		if m.read("status/crm")["zoho_user"] != user.ZUID {
			t.Error("status does not name the user")
		}
	})
}

func TestProbeThatZohoAnswersWithAnErrorForgetsNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"scopes": "ZohoCRM.modules.ALL AaaServer.profile.READ"})
		m.connect("crm")
		user := m.read("status/crm")["zoho_user"]
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Refuse, Endpoint: "api", Times: 1})
		resp := m.write("status/crm", data{"probe": true})
		if _, told := resp.Data["zoho_user"]; told || !strings.Contains(strings.Join(resp.Warnings, " "), "no user in the answer") {
			t.Errorf("the probe answers %v and warns %q", resp.Data, resp.Warnings)
		}
		if now := m.read("status/crm")["zoho_user"]; now != user {
			t.Errorf("after an error of Zoho the account is told to be %v's; it is %v's", now, user)
		}
		m.delete("creds/crm")
		m.nothingLeft("probed")
	})
}

func TestTroubleDuringAProbeIsNoMissingScopeAndForgetsNothing(t *testing.T) {
	faults := badAnswers("api")
	faults["throttle"] = zohotest.Fault{Kind: zohotest.Throttle, Endpoint: "api"}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(data{"scopes": "AaaServer.profile.READ ZohoCRM.org.READ", "max_age": "30m"})
				m.connect("crm")
				held := m.token("crm")
				fault.Times = 0
				m.zoho.Fault(fault)
				resp, err := m.try(logical.UpdateOperation, "status/crm", data{"probe": true})
				if name == "html 403" { // no outage: it is told in warnings
					if _, said := resp.Data["token_accepted"]; err != nil || said || strings.Contains(strings.Join(resp.Warnings, " "), "scope") {
						t.Errorf("the probe answers %v, %v", resp, err)
					}
				} else if r, ok := err.(*refusal); !ok || strings.Contains(r.text, "scope") || r.status == 500 {
					t.Errorf("the probe answers %v, %v", resp, err)
				}
				m.zoho.ClearFaults()
				if m.token("crm") != held {
					t.Error("a token that lives is handed out no more")
				}
				if known := m.read("status/crm")["zoho_user"]; known != m.zoho.User("us").ZUID {
					t.Errorf("the user is %v now", known)
				}
			})
		})
	}
}

func TestMetricsCountWhatHappened(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		for range 10 {
			m.token("crm")
		}
		metrics := m.read("metrics")
		if metrics["reads"] != int64(10) || metrics["warm_hits"] != int64(10) || metrics["connected"] != int64(1) {
			t.Errorf("metrics are %v", metrics)
		}
		text := m.scraped()
		if !strings.Contains(text, "\nvault_zoho_reads_total{mount_point=\"zoho/\"} 10\n") {
			t.Errorf("prometheus text is %q", text)
		}
		m.delete("creds/crm")
		if n := m.read("metrics")["deleted"]; n != int64(1) {
			t.Errorf("%v credentials were deleted", n)
		}
	})
}

func TestMetadataIsPatchedNameByName(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.write("creds/crm", data{"custom_metadata": map[string]any{"team": "sales", "ticket": "4711"}})
		m.patch("creds/crm", data{"custom_metadata": map[string]any{"ticket": nil, "owner": "kim"}})
		got := fmt.Sprint(m.read("status/crm")["custom_metadata"])
		if got != "map[owner:kim team:sales]" {
			t.Errorf("metadata is %s", got)
		}
		info := m.list("creds")["key_info"].(map[string]any)["crm"].(map[string]any)
		if fmt.Sprint(info["custom_metadata"]) != got {
			t.Errorf("the list shows %v", info["custom_metadata"])
		}
		m.patch("creds/crm", data{"max_age": "5m"})
		m.patch("creds/crm", data{"max_age": nil})
		if ttl := m.write("creds/crm", data{"leased": false}).Data["max_age"]; ttl != 0 {
			t.Errorf("null did not put the default back: %v", ttl)
		}
	})
}

func TestLeakedTokenCanBeRevokedThoughConfigNamesAnotherClient(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		leaked := m.token("crm")
		m.write("config", data{"client_id": "1000.ANOTHER", "client_secret": "another-secret", "verify": false})
		m.refused(logical.ReadOperation, "creds/crm", nil, 400, "another client")
		m.write("revoke/crm", nil)
		if m.zoho.Alive(leaked) {
			t.Error("the leaked token lives on")
		}
	})
}

func TestListTellsTheStateOfEach(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		for _, name := range []string{"good", "dead", "off"} {
			m.connect(name)
		}
		m.write("creds/off", data{"disabled": true})
		tokens := m.zoho.RefreshTokens()
		m.zoho.RevokeRefreshToken(tokens[1].Token)
		for _, name := range []string{"good", "dead"} {
			_, _ = m.try(logical.ReadOperation, "creds/"+name, nil)
		}
		states := map[string]int{}
		for _, info := range m.list("creds")["key_info"].(map[string]any) {
			states[info.(map[string]any)["state"].(string)]++
		}
		if states["ready"] != 1 || states["needs_consent"] != 1 || states["disabled"] != 1 {
			t.Errorf("states are %v", states)
		}
		if err := m.storage.Put(t.Context(), &logical.StorageEntry{Key: "creds/good", Value: []byte("{")}); err != nil {
			t.Fatal(err)
		}
		if info := m.list("creds")["key_info"].(map[string]any)["good"]; !strings.Contains(fmt.Sprint(info), "not readable; see Vault's log") {
			t.Errorf("of one that cannot be read it says %v", info)
		}
	})
}

func TestUsedUpBudgetIsNoTroubleWhileATokenLives(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		for range 15 {
			m.token("crm")
			passes(time.Second) // what runs ahead comes first
		}
		for range 2 { // places that only a mint that must be takes
			m.write("revoke/crm", nil)
			m.token("crm")
		}
		expires := m.read("creds/crm")["expire_time"]
		if status := m.read("status/crm"); status["mints_left"] != 0 || status["state"] != "ready" || status["expire_time"] != expires {
			t.Errorf("status is %v", status)
		}
		m.write("revoke/crm", nil)
		if status := m.read("status/crm"); status["mints_left"] != 0 || status["state"] != "throttled" || status["expire_time"] != nil {
			t.Errorf("without a token status is %v", status)
		}
	})
}
