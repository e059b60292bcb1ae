// What does a client make of the answer to a device?

package zoho_test

import (
	"context"
	"testing"
	"time"

	"vault-plugin-secrets-zoho/zoho"
)

func TestTimesOfADeviceAreReadInSecondsAndMilliseconds(t *testing.T) {
	for answer, want := range map[string]zoho.Device{
		`"interval":5,"expires_in":300`:                                 {Interval: 5 * time.Second, Life: 5 * time.Minute},
		`"interval":"5000","expires_in":"300000"`:                       {Interval: 5 * time.Second, Life: 5 * time.Minute},
		`"interval":3600,"expires_in":3601`:                             {Interval: time.Hour, Life: 3601 * time.Millisecond},
		`"interval":1e13,"expires_in":1e15`:                             {Interval: time.Hour, Life: time.Hour},
		`"interval":-1,"expires_in":"soon"`:                             {Interval: zoho.DefaultPollInterval, Life: 5 * time.Minute},
		`"verification_uri":"https://accounts.zoho.eu/oauth/v3/device"`: {Interval: zoho.DefaultPollInterval, Life: 5 * time.Minute, VerificationURL: "https://accounts.zoho.eu/oauth/v3/device"},
	} {
		want.DeviceCode, want.UserCode = "1004.code", "ABCDEF"
		got, err := over(json200(`{"device_code":"1004.code","user_code":"ABCDEF",`+answer+`}`)).StartDevice(context.Background(), []string{"ZohoCRM.org.READ"})
		if err != nil || got != want {
			t.Errorf("%s gives %+v, %v; want %+v", answer, got, err, want)
		}
	}
}

func TestAnAnswerWithoutADeviceCodeIsAnError(t *testing.T) {
	for _, body := range []string{`{}`, `{"user_code":"ABCDEF"}`, `<html>`, `{"error":"invalid_client"}`, `null`} {
		if got, err := over(json200(body)).StartDevice(context.Background(), nil); zoho.AsError(err) == nil {
			t.Errorf("%s gives %+v, %v", body, got, err)
		}
	}
}
