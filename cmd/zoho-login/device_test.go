// Is a device consent followed to its end, as often as Zoho wants and no more? In
// bubbles where time passes by itself.

package main

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/api"
	"rsc.io/qr"
)

// device is a Vault whose credential is connected when a test says so.
type device struct {
	*fakeVault
	began   time.Time
	asked   []time.Duration // since the beginning
	pending map[string]any  // what status tells while it waits
}

const waits = `the consent for "crm" is waiting until 2000-01-01T00:05:00Z: open https://accounts.zoho.example/device, type the code from the answer of authorize/crm and accept; then read again`

// newDevice waits for the person; poll answers the nth question from Zoho.
func newDevice(poll func(n int) (int, any)) *device {
	d := &device{fakeVault: newFake(), began: time.Now()}
	expires := time.Now().Add(5 * time.Minute).UTC().Format(time.RFC3339)
	d.authorize = always(200, map[string]any{
		"flow": "device", "state": theState, "user_code": "ABCD-EFGH", "verification_url": "https://accounts.zoho.example/device", "interval": 30, "expire_time": expires,
	})
	d.pending = map[string]any{"state": "awaiting_consent", "consent_expire_time": expires}
	d.status = refuses(404, "")
	d.read = func(r request) (int, any) {
		if r.fields["max_age"] != "1h" {
			return 500, map[string]any{"errors": []string{"this read makes a new token"}}
		}
		d.asked = append(d.asked, time.Since(d.began))
		return poll(len(d.asked))
	}
	return d
}

func token() (int, any)               { return 200, map[string]any{"access_token": "1000.ACCESS-TOKEN"} }
func refusedWith(s string) (int, any) { return 400, map[string]any{"errors": []string{s}} }

// login runs the command until it ends.
func (d *device) login(t *testing.T, ctx context.Context, args ...string) (outcome, string) {
	t.Helper()
	cleanEnvironment(t)
	config := api.DefaultConfig()
	config.HttpClient.Transport = d.fakeVault
	client, err := api.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	client.SetMaxRetries(0)
	client.SetToken("hvs.the-token")
	screen := &output{}
	on := terminal{stdout: screen, stderr: screen, draws: true}
	o, err := readOptions(append(args, "-device", "crm"), on)
	if err != nil {
		t.Fatal(err)
	}
	end := loginByDevice(ctx, o, on, &vault{client: client, mount: o.mount, name: o.name, asked: o})
	report(on, o, end)
	if strings.Contains(screen.String(), "ACCESS-TOKEN") {
		t.Errorf("a token was printed:\n%s", screen)
	}
	return end, screen.String()
}

func (d *device) every(t *testing.T, times ...time.Duration) {
	t.Helper()
	if !slices.Equal(d.asked, times) {
		t.Errorf("asked after %v, want %v", d.asked, times)
	}
}

func TestDeviceAcceptedConnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d *device
		d = newDevice(func(n int) (int, any) {
			switch n {
			case 1:
				return refusedWith(waits)
			case 2:
				return 503, map[string]any{"errors": []string{"Zoho is away"}}
			}
			d.status = always(200, map[string]any{
				"state": "ready", "connected_time": "2000-01-01T00:01:30Z", "data_center": "eu", "zoho_user": "4711",
				"requested_scopes": []string{"ZohoCRM.org.READ"}, "granted_scopes": []string{"ZohoCRM.org.READ"},
			})
			return token()
		})
		end, said := d.login(t, t.Context())
		if end.Result != resultConnected || end.Account != "4711" || end.DataCenter != "eu" || !slices.Equal(end.Granted, []string{"ZohoCRM.org.READ"}) {
			t.Errorf("%+v", end)
		}
		for _, text := range []string{"ABCD-EFGH", "https://accounts.zoho.example/device", "▀", "Zoho is connected", "Europe (eu)"} {
			if !strings.Contains(said, text) {
				t.Errorf("%q is not in\n%s", text, said)
			}
		}
		d.every(t, 30*time.Second, 60*time.Second, 90*time.Second)
		if n := len(d.made("WITHDRAW", "authorize")); n != 0 {
			t.Errorf("%d withdrawn", n)
		}
	})
}

// A credential that works is served on while the new consent waits.
func TestDeviceIsNotConnectedByTheOldToken(t *testing.T) {
	for name, c := range map[string]struct {
		third map[string]any
		want  result
	}{
		"accepted": {map[string]any{"connected_time": "2000-01-01T00:01:29Z", "data_center": "us"}, resultConnected},
		"declined": {map[string]any{"connected_time": "1999-01-01T00:00:00Z"}, resultDeclined},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d *device
				d = newDevice(func(n int) (int, any) {
					d.status = always(200, map[string]any{"connected_time": "1999-01-01T00:00:00Z", "consent_expire_time": "2000-01-01T00:05:00Z"})
					if n == 3 {
						d.status = always(200, c.third)
					}
					return token()
				})
				d.status = always(200, map[string]any{"connected_time": "1999-01-01T00:00:00Z"})
				if end, said := d.login(t, t.Context()); end.Result != c.want {
					t.Errorf("%+v\n%s", end, said)
				}
				d.every(t, 30*time.Second, 60*time.Second, 90*time.Second)
			})
		})
	}
}

func TestDeviceRefused(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		said   string
		want   result
	}{
		"declined":        {400, `the consent for "crm" was declined (access_denied); start again with authorize/crm flow=device`, resultDeclined},
		"expired":         {400, `the device consent for "crm" expired at 2000-01-01T00:05:00Z before anybody accepted it; start again`, resultTimedOut},
		"code is dead":    {400, `the device code for "crm" is expired or used (invalid_code); start again`, resultTimedOut},
		"other refusal":   {400, `client refused by accounts.zoho.eu (invalid_client)`, resultFailed},
		"ended by others": {404, "", resultFailed},
		"a policy":        {403, "permission denied", resultFailed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDevice(func(n int) (int, any) {
					if n == 1 {
						return refusedWith(waits)
					}
					return c.status, map[string]any{"errors": []string{c.said}}
				})
				end, said := d.login(t, t.Context())
				if declined := c.want == resultDeclined; declined != (end.Word == "access_denied") || declined != strings.Contains(said, "ten authorization codes in ten minutes") {
					t.Errorf("the word is %q:\n%s", end.Word, said)
				}
				if end.Result != c.want || !strings.Contains(said, strings.TrimSpace(c.said)) {
					t.Errorf("%+v\n%s", end, said)
				}
				d.every(t, 30*time.Second, 60*time.Second)
			})
		})
	}
}

func TestDeviceNobodyInTime(t *testing.T) {
	for flag, asked := range map[string]int{"-timeout=2m": 4, "-timeout=1h": 10} {
		t.Run(flag, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDevice(func(int) (int, any) { return refusedWith(waits) })
				authorize := d.authorize
				d.authorize = func(r request) (int, any) {
					d.status = always(200, d.pending)
					return authorize(r)
				}
				if end, said := d.login(t, t.Context(), flag); end.Result != resultTimedOut {
					t.Errorf("%+v\n%s", end, said)
				}
				// The last question may fall on the end.
				if len(d.asked) > asked || len(d.asked) < asked-1 {
					t.Errorf("asked after %v", d.asked)
				}
				if n := len(d.made("WITHDRAW", "authorize")); n != 1 {
					t.Errorf("%d withdrawn, want one", n)
				}
			})
		})
	}
}

// Vault compares the state, so that a consent that took its place is not withdrawn.
func TestDeviceInterruptedIsWithdrawnByItsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		d := newDevice(func(int) (int, any) {
			interrupt()
			return refusedWith(waits)
		})
		d.status = refuses(403, "permission denied")
		d.read = func(r request) (int, any) {
			if d.asked == nil {
				d.asked = append(d.asked, 0)
				return http.StatusNotFound, nil
			}
			interrupt()
			return refusedWith(waits)
		}
		if end, said := d.login(t, ctx); end.Result != resultInterrupted {
			t.Errorf("%+v\n%s", end, said)
		}
		d.withdrew(t, 1)
	})
}

func TestDeviceConnectedAtTheLastMomentIsConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		var d *device
		d = newDevice(func(int) (int, any) {
			interrupt()
			d.status = always(200, map[string]any{"connected_time": "2000-01-01T00:00:30Z"})
			return token()
		})
		if end, said := d.login(t, ctx); end.Result != resultConnected {
			t.Errorf("%+v\n%s", end, said)
		}
	})
}

func TestDeviceWithoutStatus(t *testing.T) {
	forbidden := refuses(403, "permission denied")
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(func(n int) (int, any) {
			switch n {
			case 1: // nothing is there before it starts
				return http.StatusNotFound, nil
			case 2:
				return refusedWith(waits)
			}
			return token()
		})
		d.status = forbidden
		if end, said := d.login(t, t.Context()); end.Result != resultConnected {
			t.Errorf("a new credential: %+v\n%s", end, said)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		d := newDevice(func(int) (int, any) { return token() })
		d.status = forbidden
		end, said := d.login(t, t.Context())
		if end.Result != resultFailed || !strings.Contains(said, "needs read on zoho/status/crm") {
			t.Errorf("an old credential: %+v\n%s", end, said)
		}
		if n := len(d.made("PUT", "authorize")); n != 0 {
			t.Errorf("%d started, though its end can't be seen", n)
		}
	})
}

func TestTheDrawingIsTheCodeWithItsBorder(t *testing.T) {
	const address = "https://accounts.zoho.com/oauth/v3/device"
	code, err := qr.Encode(address, qr.L)
	if err != nil {
		t.Fatal(err)
	}
	dark := map[rune][2]bool{'█': {true, true}, '▀': {true, false}, '▄': {false, true}, ' ': {}}
	lines := strings.Split(strings.TrimSuffix(drawing(address), "\n"), "\n")
	if want := (code.Size + 2*quiet + 1) / 2; len(lines) != want {
		t.Fatalf("%d lines, want %d", len(lines), want)
	}
	for i, line := range lines {
		line = strings.TrimSuffix(strings.TrimPrefix(line, "  \x1b[38;5;16;48;5;231m"), "\x1b[0m")
		for j, r := range []rune(line) {
			for half := range 2 {
				x, y := j-quiet, 2*i-quiet+half
				if got, known := dark[r]; !known || got[half] != code.Black(x, y) {
					t.Fatalf("%q at %d,%d", r, x, y)
				}
			}
		}
		if n := len([]rune(line)); n != code.Size+2*quiet {
			t.Errorf("line %d is %d wide", i, n)
		}
	}
	if drawing(address+strings.Repeat("x", 4000)) != "" {
		t.Error("an address that is too long was drawn")
	}
}
