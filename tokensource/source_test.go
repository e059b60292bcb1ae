// When does a source read, and what does it give while Vault is away?

package tokensource_test

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/api"

	"vault-plugin-secrets-zoho/tokensource"
)

// shared is how an app's credential should be set.
func shared() map[string]any { return map[string]any{"max_age": "30m"} }

func TestTokenIsReadOnceForAsLongAsVaultSays(t *testing.T) {
	inBubble(t, shared(), func(t *testing.T, w *world) {
		first := w.token(t)
		passes(29 * time.Minute)
		if again := w.token(t); again != first || w.vault.reads.Load() != 1 {
			t.Errorf("%d reads before ttl was over; want 1 and the same token", w.vault.reads.Load())
		}
		passes(3 * time.Minute) // ttl is 30 minutes, and at most a tenth of min_ttl
		w.token(t)              // the old one, at once
		synctest.Wait()
		if w.token(t) == first || w.vault.reads.Load() != 2 {
			t.Errorf("after ttl the source still gives the old token, after %d reads", w.vault.reads.Load())
		}
	})
}

func TestAThousandCallersAreOneRead(t *testing.T) {
	inBubble(t, shared(), func(t *testing.T, w *world) {
		crowd := func() {
			var wg sync.WaitGroup
			for range 1000 {
				wg.Go(func() {
					if _, err := w.source.Token(); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			synctest.Wait()
		}
		crowd()
		if n := w.vault.reads.Load(); n != 1 {
			t.Errorf("%d reads for the first token", n)
		}
		passes(2 * time.Hour)
		crowd()
		if n := w.vault.reads.Load(); n != 2 {
			t.Errorf("%d reads after the token had run out; want one more", n)
		}
	})
}

func TestBusyAppNeverHoldsADeadToken(t *testing.T) {
	for name, settings := range map[string]map[string]any{"fresh": {}, "shared": shared(), "leased": {"max_age": "30m", "leased": true}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, settings, func(t *testing.T, w *world) {
				for start := time.Now(); time.Since(start) < 12*time.Hour; passes(7 * time.Second) {
					w.token(t)
				}
				if n := w.vault.reads.Load(); n > 12*60/20 {
					t.Errorf("%d reads in twelve hours", n)
				}
			})
		})
	}
}

func TestIdleAppGetsALivingTokenHoweverLongItWasIdle(t *testing.T) {
	inBubble(t, shared(), func(t *testing.T, w *world) {
		for _, idle := range []time.Duration{0, 31 * time.Minute, 50 * time.Minute, 59*time.Minute + 45*time.Second, time.Hour, 48 * time.Hour} {
			passes(idle)
			w.token(t)
			synctest.Wait()
		}
	})
}

func TestTokenIsGoodForACallThatBeginsWithIt(t *testing.T) {
	inBubble(t, shared(), func(t *testing.T, w *world) {
		w.token(t)
		passes(59*time.Minute + 45*time.Second)
		token := w.token(t)
		if passes(20 * time.Second); !w.zoho.Alive(token) {
			t.Error("the token that an idle app got died 20 s later")
		}
	})
}

func TestClockOfTheAppMayBeWrong(t *testing.T) {
	for name, behind := range map[string]time.Duration{"fast": 3 * time.Hour, "slow": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, shared(), func(t *testing.T, w *world) {
				w.vault.behind = behind
				for start := time.Now(); time.Since(start) < 6*time.Hour; passes(10 * time.Second) {
					w.token(t)
				}
				if n := w.vault.reads.Load(); n > 13 {
					t.Errorf("%d reads in six hours", n)
				}
			})
		})
	}
}

func TestComplaintAboutATokenThatWasReplacedIsAnsweredWithTheNewestAtOnce(t *testing.T) {
	inBubble(t, shared(), func(t *testing.T, w *world) {
		old, err := w.source.Token()
		if err != nil {
			t.Fatal(err)
		}
		passes(2 * time.Hour)
		newest := w.token(t)
		got, err := w.source.Rejected(t.Context(), old)
		if err != nil || got.AccessToken != newest || w.vault.reads.Load() != 2 {
			t.Errorf("%d reads, %v; want the newest token without another", w.vault.reads.Load(), err)
		}
	})
}

func TestVaultMayBeAwayWhileTheTokenLives(t *testing.T) {
	for name, fail := range map[string]func(*server){
		"refuses connections": func(v *server) { v.away.Store(true) },
		"hangs":               func(v *server) { v.hangs.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, shared(), func(t *testing.T, w *world) {
				start := time.Now()
				first := w.token(t)
				fail(w.vault)
				for time.Since(start) < 59*time.Minute {
					before := time.Now()
					if w.token(t) != first {
						t.Fatal("another token, with Vault away")
					}
					if waited := time.Since(before); waited > 0 {
						t.Fatalf("a caller with a living token waited %s for Vault", waited)
					}
					passes(time.Second)
				}
				passes(2 * time.Minute)
				if _, err := w.source.Token(); err == nil || !strings.Contains(err.Error(), "no access token from Vault") {
					t.Errorf("with Vault away and the token dead: %v", err)
				}
				w.vault.away.Store(false)
				w.vault.hangs.Store(false)
				passes(6 * time.Second)
				if w.token(t) == first {
					t.Error("a dead token")
				}
			})
		})
	}
}

func TestCallerMayLeaveAndTheOthersGetWhatItAskedFor(t *testing.T) {
	inBubble(t, shared(), func(t *testing.T, w *world) {
		w.vault.hangs.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		before := time.Now()
		if _, err := w.source.TokenContext(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(before) > time.Second {
			t.Errorf("after %s: %v", time.Since(before), err)
		}
		w.vault.hangs.Store(false)
		passes(2 * time.Minute)
		w.token(t)
	})
}

func TestFailedReadIsNotRepeatedForFiveSeconds(t *testing.T) {
	inBubble(t, shared(), func(t *testing.T, w *world) {
		if _, err := w.write("creds/crm", map[string]any{"disabled": true}); err != nil {
			t.Fatal(err)
		}
		var refusal *api.ResponseError
		for range 100 {
			_, err := w.source.Token()
			if !errors.As(err, &refusal) || refusal.StatusCode != http.StatusBadRequest || !strings.Contains(err.Error(), `credential "crm" is disabled; an operator enables it`) {
				t.Fatalf("got %v", err)
			}
		}
		if n := w.vault.reads.Load(); n != 1 {
			t.Errorf("%d reads of a disabled credential at once", n)
		}
		if _, err := w.write("creds/crm", map[string]any{"disabled": false}); err != nil {
			t.Fatal(err)
		}
		passes(6 * time.Second)
		w.token(t)
	})
}

func TestWhatVaultSaysIsWhatTheAppSees(t *testing.T) {
	inBubble(t, shared(), func(t *testing.T, w *world) {
		for path, want := range map[string]string{
			"zoho/creds/sales": `no credential named "sales"; connect it with authorize/sales first`,
			"kv/creds/crm":     "no handler for route",
			"zoho/status/crm":  "https://vault.example.com/v1/zoho/status/crm answered HTTP 200 with data whose access_token is missing or no text, which is no credential of the Zoho secrets engine",
		} {
			if _, err := tokensource.New(w.client, path).Token(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v; want %s", path, err, want)
			}
		}
	})
}

// docs/consumers.md says so of Vault's own client, and why ReadWithData is used here.
func TestVaultsReadTakesNoParameterInItsPath(t *testing.T) {
	inBubble(t, shared(), func(t *testing.T, w *world) {
		secret, err := w.client.Logical().Read("zoho/creds/crm?max_age=30m")
		if secret != nil || err == nil && *w.vault.last.Load() != "" {
			t.Errorf("a ? in the path is a parameter by now: %v, %v", secret, err)
		}
		secret, err = w.client.Logical().ReadWithData("zoho/creds/crm", map[string][]string{"max_age": {"30m"}})
		if err != nil || secret.Data["access_token"] == nil || *w.vault.last.Load() != "max_age=30m" {
			t.Errorf("ReadWithData: %v", err)
		}
	})
}

func TestPluginIsNotLinkedWithIt(t *testing.T) {
	deps, err := exec.Command("go", "list", "-deps", "../cmd/vault-plugin-secrets-zoho").Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(deps), "vault-plugin-secrets-zoho/backend\n") || strings.Contains(string(deps), "vault-plugin-secrets-zoho/tokensource\n") {
		t.Error("the plugin is linked with the package for apps, or was not listed")
	}
	deps, err = exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, heavy := range []string{"vault-plugin-secrets-zoho/backend\n", "vault-plugin-secrets-zoho/zoho\n", "github.com/hashicorp/vault/sdk/"} {
		if strings.Contains(string(deps), heavy) {
			t.Errorf("an app is linked with %s", heavy)
		}
	}
}
