// How does Zoho's throttle behave, to the instant, and under each knob?

package zohotest_test

import (
	"strings"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zohotest"
)

// mints asks for n access tokens and wants all of them.
func (a app) mints(n int, refreshToken string) {
	a.Helper()
	for i := range n {
		if r := a.refresh("eu", refreshToken); r.accessToken() == "" {
			a.Fatalf("mint %d of %d: %d %s", i+1, n, r.status, r.body)
		}
	}
}

func (a app) wantThrottled(r reply) {
	a.Helper()
	if r.status != 400 || r.error() != "Access Denied" || r.text("status") != "failure" || r.header.Get("Retry-After") != "" || !strings.Contains(r.text("error_description"), "too many requests") {
		a.Errorf("answered %d %s, want the throttle", r.status, r.body)
	}
}

func TestTheEleventhTokenInTenMinutesIsRefusedUntilTheWindowEnds(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		connected := a.connects("eu") // the first of ten
		passes(4 * time.Minute)
		a.mints(9, connected.refreshToken())
		a.wantThrottled(a.refresh("eu", connected.refreshToken()))
		passes(6*time.Minute - 1)
		a.wantThrottled(a.refresh("eu", connected.refreshToken()))
		a.wantViolation(zohotest.ThrottleTripped, 2)
		passes(1)
		a.mints(9, connected.refreshToken())
		if got := a.zoho.Counts(); got.Throttled != 2 || got.Refreshes != 18 || got.Minted != 19 || got.TokenCalls != 21 {
			t.Errorf("counts are %+v", got)
		}
	})
}

// A window ends to the instant, also for a client that never met the throttle.
func TestAFixedWindowEndsNoSooner(t *testing.T) {
	for early, throttled := range map[time.Duration]bool{time.Second: true, 1: true, 0: false} {
		bubble(t, func(t *testing.T, a app) {
			token := a.connects("eu").refreshToken()
			passes(time.Minute)
			a.mints(9, token)
			passes(9*time.Minute - early)
			if r := a.refresh("eu", token); (r.status == 400) != throttled {
				t.Errorf("%s before the end of the window it answered %d", early, r.status)
			}
		})
	}
}

func TestTheThrottleCountsEachRefreshTokenAlone(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		one, two := a.connects("eu"), a.connects("eu")
		a.mints(9, one.refreshToken())
		a.mints(9, two.refreshToken())
		a.wantNoViolations()
	})
}

func TestTheThrottlesKnobs(t *testing.T) {
	for name, test := range map[string]struct {
		knob func(*zohotest.Knobs)
		want func(app, string)
	}{
		"a limit of three": {
			func(k *zohotest.Knobs) { k.Mints = 3 },
			func(a app, token string) {
				a.mints(2, token)
				a.wantThrottled(a.refresh("eu", token))
			},
		},
		"no limit": {
			func(k *zohotest.Knobs) { k.Mints, k.LiveAccessTokens = -1, -1 },
			func(a app, token string) { a.mints(100, token); a.wantNoViolations() },
		},
		"the exchange takes no place": {
			func(k *zohotest.Knobs) { k.ExchangeIsMint, k.LiveAccessTokens = false, 11 },
			func(a app, token string) {
				a.mints(10, token)
				a.wantThrottled(a.refresh("eu", token))
			},
		},
		"a sliding window frees one place at a time": {
			func(k *zohotest.Knobs) { k.SlidingWindow, k.LiveAccessTokens = true, 30 },
			func(a app, token string) {
				passes(time.Minute)
				a.mints(9, token)
				a.wantThrottled(a.refresh("eu", token))
				passes(9*time.Minute - 1)
				a.wantThrottled(a.refresh("eu", token))
				passes(1)
				a.mints(1, token)
				a.wantThrottled(a.refresh("eu", token))
				passes(time.Minute)
				a.mints(9, token)
			},
		},
		"a fixed lockout counts from the refusal": {
			func(k *zohotest.Knobs) { k.Lockout = time.Hour },
			func(a app, token string) {
				a.mints(9, token)
				passes(5 * time.Minute)
				a.wantThrottled(a.refresh("eu", token))
				passes(30 * time.Minute)
				a.wantThrottled(a.refresh("eu", token))
				passes(30*time.Minute - 1)
				a.wantThrottled(a.refresh("eu", token))
				passes(1)
				a.mints(10, token)
			},
		},
		"a lockout shorter than the window ends it": {
			func(k *zohotest.Knobs) { k.Lockout, k.LiveAccessTokens = 3*time.Minute, 30 },
			func(a app, token string) {
				a.mints(9, token)
				a.wantThrottled(a.refresh("eu", token))
				passes(3 * time.Minute)
				a.mints(10, token)
			},
		},
		"refused attempts extend the block": {
			func(k *zohotest.Knobs) { k.RejectedExtend = true },
			func(a app, token string) {
				a.mints(9, token)
				for range 5 {
					a.wantThrottled(a.refresh("eu", token))
					passes(10*time.Minute - 1)
				}
				a.wantThrottled(a.refresh("eu", token))
				passes(10 * time.Minute)
				a.mints(1, token)
			},
		},
		"a key for the whole client": {
			func(k *zohotest.Knobs) { k.MintKey = zohotest.PerClient },
			func(a app, token string) {
				other := a.connects("eu")
				a.mints(8, other.refreshToken())
				a.wantThrottled(a.refresh("eu", token))
				a.wantThrottled(a.exchange("eu", a.consents("eu").Get("code")))
			},
		},
		"refused refreshes of a token count against it": {
			func(k *zohotest.Knobs) { k.FailuresCount = true },
			func(a app, token string) {
				other := a.connects("eu").refreshToken()
				a.mints(3, token) // four with the exchange
				a.wantError(a.refresh("eu", token, "client_secret", "wrong"), "invalid_client_secret")
				a.wantError(a.refresh("eu", token, "client_id", "1000.NOBODY"), "invalid_client")
				a.wantError(a.refresh("us", token), "invalid_code")
				a.zoho.Fault(zohotest.Fault{Kind: zohotest.Refuse, Endpoint: "token", Times: 1})
				a.wantError(a.refresh("eu", token), "general_error")
				a.mints(2, token)
				a.wantThrottled(a.refresh("eu", token))
				a.wantThrottled(a.refresh("eu", token, "client_secret", "wrong"))
				a.mints(1, other)
				passes(10 * time.Minute)
				a.wantError(a.refresh("eu", token, "client_secret", "wrong"), "invalid_client_secret")
				a.mints(9, token)
				a.wantThrottled(a.refresh("eu", token))
			},
		},
		"refused refreshes of what is no token count against it": {
			func(k *zohotest.Knobs) { k.FailuresCount = true },
			func(a app, token string) {
				for range 10 {
					a.wantError(a.refresh("eu", "1000.made.up"), "invalid_code")
				}
				a.wantThrottled(a.refresh("eu", "1000.made.up"))
				a.mints(9, token)
			},
		},
		"refused refreshes of a client count against it": {
			func(k *zohotest.Knobs) { k.FailuresCount, k.MintKey = true, zohotest.PerClient },
			func(a app, token string) {
				a.wantError(a.refresh("eu", "1000.made.up"), "invalid_code")
				a.wantError(a.refresh("eu", token, "client_secret", "wrong"), "invalid_client_secret")
				a.wantError(a.refresh("eu", token, "client_id", "1000.NOBODY"), "invalid_client")
				a.mints(7, token)
				a.wantThrottled(a.refresh("eu", token))
			},
		},
		"refused refreshes cost nothing": {
			func(k *zohotest.Knobs) {},
			func(a app, token string) {
				for range 20 {
					a.wantError(a.refresh("eu", token, "client_secret", "wrong"), "invalid_client_secret")
				}
				a.mints(9, token)
			},
		},
		"status 200": {
			func(k *zohotest.Knobs) { k.ThrottleStatus, k.Mints = 200, 1 },
			func(a app, token string) {
				if r := a.refresh("eu", token); r.status != 200 || r.error() != "Access Denied" {
					a.Errorf("answered %d %s", r.status, r.body)
				}
			},
		},
		"Chinese": {
			func(k *zohotest.Knobs) { k.ThrottleLanguage, k.Mints = "zh", 1 },
			func(a app, token string) {
				if r := a.refresh("eu", token); r.error() != "拒绝访问" || r.text("error_description") != "您已连续提出过多请求，请稍后再试。" || r.text("status") != "failure" {
					a.Errorf("answered %d %s", r.status, r.body)
				}
			},
		},
		"Japanese": {
			func(k *zohotest.Knobs) { k.ThrottleLanguage, k.Mints = "ja", 1 },
			func(a app, token string) {
				if r := a.refresh("eu", token); r.error() != "アクセスが拒否されました" {
					a.Errorf("answered %d %s", r.status, r.body)
				}
			},
		},
		"no status field, and a Retry-After": {
			func(k *zohotest.Knobs) { k.ThrottleField, k.ThrottleRetryAfter, k.Mints = false, 90*time.Second, 1 },
			func(a app, token string) {
				r := a.refresh("eu", token)
				if _, there := r.json["status"]; there || r.error() != "Access Denied" || r.header.Get("Retry-After") != "90" {
					a.Errorf("answered %d %s %v", r.status, r.body, r.header)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, a app) {
				a.zoho.Knobs(test.knob)
				test.want(a, a.connects("eu").refreshToken())
			})
		})
	}
}

// FuzzTheThrottleNeverAdmitsOrRefusesOneTooMany compares both kinds of window
// with their definitions, over any rhythm of attempts.
func FuzzTheThrottleNeverAdmitsOrRefusesOneTooMany(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200, 255, 0, 60, 60}, true)
	f.Add([]byte{10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 200, 255, 200, 60, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0}, false)
	f.Fuzz(func(t *testing.T, pauses []byte, sliding bool) {
		if len(pauses) > 200 {
			return
		}
		bubble(t, func(t *testing.T, a app) {
			a.zoho.Knobs(func(k *zohotest.Knobs) {
				k.SlidingWindow, k.LiveAccessTokens, k.ExchangeIsMint, k.Mints = sliding, -1, false, 4
			})
			token := a.connects("eu").refreshToken()
			var minted []time.Time
			var windowStart time.Time
			for i, seconds := range pauses {
				passes(time.Duration(seconds) * time.Second)
				now := time.Now()
				inWindow := 0
				for _, at := range minted {
					if sliding && now.Sub(at) < 10*time.Minute || !sliding && !at.Before(windowStart) && now.Sub(windowStart) < 10*time.Minute {
						inWindow++
					}
				}
				r := a.refresh("eu", token)
				if got, want := r.accessToken() != "", inWindow < 4; got != want {
					t.Fatalf("attempt %d with %d mints in the window: admitted is %v, want %v", i, inWindow, got, want)
				}
				if r.accessToken() != "" {
					if inWindow == 0 {
						windowStart = now
					}
					minted = append(minted, now)
				}
			}
		})
	})
}

func TestWhatAnotherProgramUsesUpIsNoFaultOfTheClient(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		first := a.connects("eu")
		for range 9 {
			if token, ok := a.zoho.MintElsewhere(first.refreshToken()); !ok || !a.zoho.Alive(token) {
				t.Fatal("another program mints nothing")
			}
		}
		if _, ok := a.zoho.MintElsewhere(first.refreshToken()); ok {
			t.Error("another program is not throttled")
		}
		a.wantThrottled(a.refresh("eu", first.refreshToken()))
		a.wantNoViolations()
		// But now the client knows.
		a.wantThrottled(a.refresh("eu", first.refreshToken()))
		a.wantViolation(zohotest.ThrottleTripped, 1)

		passes(10 * time.Minute)
		a.zoho.Reset()
		a.mints(1, first.refreshToken())
		if a.zoho.Alive(first.accessToken()) {
			t.Error("eleven tokens live")
		}
		a.wantNoViolations()
		// A window of the client's own is its own matter again.
		passes(61 * time.Minute)
		a.mints(10, first.refreshToken())
		a.wantThrottled(a.refresh("eu", first.refreshToken()))
		a.wantViolation(zohotest.ThrottleTripped, 1)
		if _, ok := a.zoho.MintElsewhere("1000.nobody.knows"); ok {
			t.Error("a dead refresh token mints")
		}
	})
}

func TestALimitThatIsLoweredHoldsAtOnce(t *testing.T) {
	for _, sliding := range []bool{false, true} {
		for _, limit := range []int{0, 3} {
			bubble(t, func(t *testing.T, a app) {
				a.zoho.Knobs(func(k *zohotest.Knobs) { k.SlidingWindow, k.LiveAccessTokens = sliding, -1 })
				token := a.connects("eu").refreshToken()
				for range 4 {
					passes(time.Minute)
					a.mints(1, token)
				}
				a.zoho.Knobs(func(k *zohotest.Knobs) { k.Mints = limit })
				a.wantThrottled(a.refresh("eu", token))
				// A fixed window ends ten minutes after its first mint; a sliding one has room
				// when fewer than the limit are left.
				wait := 6 * time.Minute
				if sliding && limit > 0 {
					wait += 2 * time.Minute
				}
				passes(wait - 1)
				a.wantThrottled(a.refresh("eu", token))
				passes(1)
				if limit > 0 {
					a.mints(1, token)
				} else {
					a.wantThrottled(a.refresh("eu", token))
				}
			})
		}
	}
}

func TestASlidingWindowEndsWhole(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.SlidingWindow, k.LiveAccessTokens = true, -1 })
		token := a.connects("eu").refreshToken()
		for range 3 {
			passes(10 * time.Minute)
			a.mints(10, token)
		}
		a.wantThrottled(a.refresh("eu", token))
	})
}

// Another program's mints excuse the client until a window begins without them.
func TestAfterABlockTheWindowIsTheClientsOwn(t *testing.T) {
	bubble(t, func(t *testing.T, a app) {
		a.zoho.Knobs(func(k *zohotest.Knobs) { k.Lockout, k.LiveAccessTokens = 3*time.Minute, -1 })
		token := a.connects("eu").refreshToken()
		for range 10 {
			a.zoho.MintElsewhere(token) // the last one is refused, and begins the block
		}
		passes(3 * time.Minute)
		a.mints(10, token)
		a.wantThrottled(a.refresh("eu", token))
		a.wantViolations(zohotest.ThrottleTripped)
	})
}
