// Which tokens die when there are too many, and is the client blamed?

package zohotest_test

import (
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

func TestTheEleventhLiveAccessTokenKillsTheOldest(t *testing.T) {
	for name, limit := range map[string]int{"ten": 10, "fifteen": 15, "thirty": 30} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, a app) {
				a.zoho.Knobs(func(k *zohotest.Knobs) { k.LiveAccessTokens, k.Mints = limit, -1 })
				first := a.connects("eu")
				tokens := []string{first.accessToken()}
				for len(tokens) < limit {
					passes(time.Second)
					tokens = append(tokens, a.refresh("eu", first.refreshToken()).accessToken())
				}
				a.wantNoViolations()
				a.mints(1, first.refreshToken())
				if a.zoho.Alive(tokens[0]) {
					t.Error("the oldest token lives")
				}
				for i, token := range tokens[1:] {
					if !a.zoho.Alive(token) {
						t.Errorf("token %d is dead", i+1)
					}
				}
				if r := a.get(a.zoho.APIURL("eu")+"/crm/v8/users?type=CurrentUser", tokens[0]); r.status != 401 || r.text("code") != "INVALID_TOKEN" {
					t.Errorf("the evicted token got %d %s", r.status, r.body)
				}
				a.wantViolation(zohotest.AccessTokenEvicted, 1)
				if got := len(a.zoho.AccessTokens(first.refreshToken())); got != limit {
					t.Errorf("%d access tokens live", got)
				}
			})
		})
	}
}

func TestExpiredTokensMakeRoom(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		first := a.connects("eu")
		a.mints(9, first.refreshToken())
		passes(time.Hour)
		if a.zoho.Alive(first.accessToken()) {
			t.Error("a token outlived its hour")
		}
		a.mints(10, first.refreshToken())
		a.wantNoViolations()
	})
}

func TestNobodyIsBlamedForATokenThatNeverArrived(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.Mints, k.LiveAccessTokens, k.ExchangeIsMint = -1, 2, false })
		token := a.connects("eu").refreshToken()
		for _, kind := range []zohotest.FaultKind{zohotest.LostAnswer, zohotest.Truncated, zohotest.Garbage} {
			passes(2 * time.Hour)
			a.zoho.Fault(zohotest.Fault{Kind: kind, Times: 1})
			if r := a.refresh("eu", token); r.accessToken() != "" {
				t.Fatalf("%s: a token arrived: %s", kind, r.body)
			}
			a.mints(2, token)
			a.wantNoViolations()
		}
		if got := a.zoho.Counts(); got.Undelivered != 3 || got.EvictedAccess != 3 {
			t.Errorf("counts are %+v", got)
		}
		a.mints(1, token)
		a.wantViolation(zohotest.AccessTokenEvicted, 1)
	})
}

func TestTheTwentyFirstConsentKillsTheOldestRefreshTokenAndItsAccessTokens(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		var grants []reply
		for range 20 {
			passes(2 * time.Minute) // ten codes per ten minutes
			grants = append(grants, a.connects("eu"))
		}
		other := a.connects("us") // another user
		a.wantNoViolations()
		passes(2 * time.Minute)
		a.connects("eu")
		a.wantViolation(zohotest.RefreshTokenEvicted, 1)
		a.wantViolation(zohotest.AccessTokenEvicted, 1)
		if a.zoho.Alive(grants[0].accessToken()) || !a.zoho.Alive(grants[1].accessToken()) {
			t.Error("not the access token of the oldest grant died")
		}
		if r := a.refresh("eu", grants[0].refreshToken()); r.status != 200 || r.error() != "invalid_code" {
			t.Errorf("the evicted refresh token got %d %s", r.status, r.body)
		}
		for _, alive := range []reply{grants[1], grants[19]} {
			a.mints(1, alive.refreshToken())
		}
		if r := a.refresh("us", other.refreshToken()); r.accessToken() == "" {
			t.Errorf("another user's token got %s", r.body)
		}
	})
}

func TestRefreshTokensCountPerWhateverTheKnobSays(t *testing.T) {
	for key, wantDead := range map[zohotest.Key]map[string]bool{
		zohotest.PerUserAndClient: {},
		zohotest.PerUser:          {"same user": true},
		zohotest.PerClient:        {"same client": true},
	} {
		t.Run(string(key), func(t *testing.T) {
			bubble(t, func(t *testing.T, a app) {
				a.zoho.Knobs(func(k *zohotest.Knobs) { k.LiveRefreshTokens, k.LiveRefreshTokenKey = 2, key })
				colleague := a.zoho.AddUser(zohotest.User{DataCenter: "us"})
				otherApp := a.as(a.zoho.AddClient(zohotest.Client{}))
				elsewhere := a.connects("eu")
				landed, err := a.zoho.Authorize(a.consentURL("us"), zohotest.Consent{Email: colleague.Email})
				if err != nil {
					t.Fatal(err)
				}
				grants := map[string]reply{
					"same client": a.exchange("us", codeOf(t, landed)),
					"same user":   otherApp.connects("us"),
				}
				a.connects("us")
				a.connects("us")
				if !a.zoho.Alive(elsewhere.accessToken()) {
					t.Error("a grant of another data centre died")
				}
				for name, grant := range grants {
					if got := !a.zoho.Alive(grant.accessToken()); got != wantDead[name] {
						t.Errorf("the grant of the %s: dead is %v", name, got)
					}
				}
			})
		})
	}
}

func TestARefusedTwentyFirstRefreshTokenLeavesTheOldestAlone(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.LiveRefreshTokens, k.RefuseMoreRefreshTokens = 1, true })
		first := a.connects("eu")
		if r := a.exchange("eu", a.consents("eu").Get("code")); r.error() != "Access Denied" {
			t.Errorf("the second exchange got %s", r.body)
		}
		a.mints(1, first.refreshToken())
		a.wantNoViolations()
	})
}

func TestNewRefreshTokensCanBeThrottled(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.RefreshTokens, k.RefreshTokenWindow = 2, time.Minute })
		a.connects("eu")
		a.connects("eu")
		if r := a.exchange("eu", a.consents("eu").Get("code")); r.error() != "Access Denied" {
			t.Errorf("the third exchange got %s", r.body)
		}
		passes(time.Minute)
		a.connects("eu")
	})
}

func TestAnIdleRefreshTokenDiesOnlyIfTheKnobSaysSo(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		token := a.connects("eu").refreshToken()
		passes(10 * 365 * 24 * time.Hour)
		a.mints(1, token)
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.RefreshTokenIdle = 24 * time.Hour })
		passes(24*time.Hour - 1)
		a.mints(1, token)
		passes(24 * time.Hour)
		if r := a.refresh("eu", token); r.error() != "invalid_code" {
			t.Errorf("the idle token got %s", r.body)
		}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.RefreshTokenIdle = 0 })
		if r := a.refresh("eu", token); r.error() != "invalid_code" {
			t.Errorf("the dead token got %s", r.body)
		}
	})
}

func TestALimitOfZeroLeavesNothingAlive(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.LiveAccessTokens = 0 })
		if grant := a.connects("eu"); a.zoho.Alive(grant.accessToken()) || len(a.zoho.RefreshTokens()) != 1 {
			t.Error("an access token lives")
		}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.LiveRefreshTokens = 0 })
		if a.connects("eu"); len(a.zoho.RefreshTokens()) != 0 {
			t.Error("a refresh token lives")
		}
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.RefuseMoreRefreshTokens = true })
		a.wantThrottled(a.exchange("eu", a.consents("eu").Get("code")))
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.LiveRefreshTokens = -1 })
		if a.connects("eu"); len(a.zoho.RefreshTokens()) != 1 {
			t.Error("without a limit no refresh token lives")
		}
	})
}

func TestUsersEvictEachOthersGrantsOfNoOrganization(t *testing.T) {
	for _, counts := range []bool{true, false} {
		bubble(t, func(t *testing.T, a app) {
			a.zoho.Knobs(func(k *zohotest.Knobs) {
				k.LiveRefreshTokens, k.LiveRefreshTokenKey, k.OrganizationCounts = 1, zohotest.PerUser, counts
			})
			user := a.connects("eu")
			org := a.connectsOrganization("eu")
			if alive := a.zoho.Alive(user.accessToken()); alive == counts {
				t.Errorf("counts is %t: after the organization's consent the user's grant lives: %t", counts, alive)
			}
			a.connects("eu")
			a.connects("eu")
			if alive := a.zoho.Alive(org.accessToken()); alive == counts {
				t.Errorf("counts is %t: after the user's consents the organization's grant lives: %t", counts, alive)
			}
			if got, want := a.zoho.Counts().EvictedRefresh, map[bool]int{true: 3, false: 2}[counts]; got != want {
				t.Errorf("counts is %t: %d were evicted, want %d", counts, got, want)
			}
		})
	}
}

// Another program's token excuses evictions while it is alive.
func TestAnExpiredTokenOfAnotherProgramExcusesNothing(t *testing.T) {
	for wait, violations := range map[time.Duration]int{time.Hour - 1: 0, time.Hour: 1} {
		bubble(t, func(t *testing.T, a app) {
			token := a.connects("eu").refreshToken()
			a.zoho.MintElsewhere(token)
			passes(wait)
			a.mints(2, token)
			a.zoho.Knobs(func(k *zohotest.Knobs) { k.LiveAccessTokens = 2 })
			a.mints(1, token)
			a.wantViolation(zohotest.AccessTokenEvicted, violations)
		})
	}
}

func TestWhatAnotherProgramMintsIsAsTheClientsOwn(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.RefuseClientScopes, k.MintKey = true, zohotest.PerClient })
		one, two := a.connects("eu"), a.connects("eu")
		for range 8 {
			token, _ := a.zoho.MintElsewhere(one.refreshToken())
			if r := a.get(a.zoho.APIURL("eu")+"/crm/v8/org", token); r.status != 200 {
				t.Errorf("the API answered %d %s", r.status, r.body)
			}
		}
		for _, grant := range []reply{one, two} { // the limit is the client's
			if _, ok := a.zoho.MintElsewhere(grant.refreshToken()); ok {
				t.Error("another program is not throttled")
			}
		}
		a.wantThrottled(a.refresh("eu", two.refreshToken()))
		a.wantNoViolations()
		implicit := a.as(a.zoho.AddClient(zohotest.Client{Type: zohotest.ClientBased}))
		if _, err := a.zoho.Authorize(implicit.consentURL("us", "response_type", "token"), zohotest.Consent{}); err != nil {
			t.Fatal(err)
		}
		token := a.zoho.AccessTokens("")[0]
		if r := a.get(a.zoho.APIURL("us")+"/crm/v8/org", token.Token); r.status != 200 || !token.Delivered {
			t.Errorf("with the token of a client-based app %+v the API answered %d %s", token, r.status, r.body)
		}
		if r := a.get(a.zoho.APIURL("eu")+"/crm/v8/org", one.accessToken()); r.status != 200 {
			t.Errorf("with the token of the exchange the API answered %d %s", r.status, r.body)
		}
	})
}
