// Is a stored record read back as it was written, and never what it is not?

package zoho_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

func TestADamagedRecordIsAnErrorThatRepeatsNothingOfIt(t *testing.T) {
	for _, data := range []string{"", "{", `{"version":1,"tokens":[{"access_token":"` + canaryAnswer + `"}`, `[]`, `{"version":"1"}`} {
		if r, err := zoho.ParseRecord([]byte(data)); err == nil || bytes.Contains([]byte(err.Error()), []byte(canaryAnswer)) {
			t.Errorf("%q: %+v, %v", data, r, err)
		}
	}
}

func TestARecordOfANewerReleaseIsRefused(t *testing.T) {
	if r, err := zoho.ParseRecord([]byte(`{"version":3}`)); !errors.Is(err, zoho.ErrNewerFormat) || r != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(fullRecord(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)))
	for _, seed := range []string{
		`{"version":1}`, `{"version":2}`, `{"version":3}`, `{"version":2,"places":[{"at":"2026-01-01T00:00:00Z","until":"2026-01-01T01:00:00Z","pending":true}]}`, `{}`, `null`, `{"tokens":[null,{"access_token":""}]}`, `{"version":-1}`,
		`{"version":1,"places":[{"at":"0001-01-01T00:00:00Z","until":"9999-12-31T23:59:59Z","lost":true}]}`,
		`{"version":1,"failures":[{"kind":"refused","about":"grant","text":"x","since":"2026-01-01T00:00:00Z","until":"2026-01-01T00:15:00Z"}]}`,
		`{"version":1,"tokens":[null]}`, `{"version":1,"tokens":[{"access_token":"","issued":"2000-01-01T00:00:00Z","expires":"2000-01-01T01:00:00Z"}]}`,
		`{"version":1,"failures":[null],"tokens":[{"access_token":"t","issued":"2026-01-01T00:00:00Z","expires":"2026-01-01T01:00:00Z"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := zoho.ParseRecord(data)
		var version struct {
			Version int `json:"version"`
		}
		if json.Unmarshal(data, &version) == nil && version.Version > 2 && err == nil {
			t.Fatalf("a record of version %d was accepted", version.Version)
		}
		if err != nil {
			return
		}
		written, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("what was read can't be written: %v", err)
		}
		again, err := zoho.ParseRecord(written)
		if err != nil {
			t.Fatalf("what was written can't be read: %v", err)
		}
		if rewritten, err := json.Marshal(again); err != nil || !bytes.Equal(written, rewritten) {
			t.Errorf("%s becomes %s (%v)", written, rewritten, err)
		}
		// Whatever is in it, a read neither panics nor hands out nothing as a token.
		synctest.Test(t, func(t *testing.T) {
			d := newDisk()
			d.records["id"] = data
			account := &zoho.Account{
				ID: "id", Grant: zoho.Grant{RefreshToken: "r"}, Client: over(json200(`{"access_token":"t"}`)),
				Limits: zoho.DefaultLimits, Shelf: &shelf{disk: d},
			}
			served, err := zoho.NewKeeper(1, nil).Token(context.Background(), account, zoho.Want{MaxAge: time.Hour})
			if err == nil && (served.Token == nil || served.Token.AccessToken == "" || !served.Token.Expires.After(time.Now())) {
				t.Errorf("%s: a read gave %s", data, fmt.Sprint(served))
			}
		})
	})
}
