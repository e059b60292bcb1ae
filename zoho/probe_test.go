// Whose is a token, in whatever form Zoho writes it?

package zoho_test

import (
	"context"
	"testing"

	"vault-plugin-secrets-zoho/zoho"
)

func TestAnIdentifierIsReadAsNumberAndAsText(t *testing.T) {
	for written, want := range map[string]string{
		`795542386`: "795542386", `"795542386"`: "795542386", `12345678901234567890123`: "12345678901234567890123",
		`null`: "", `{}`: "", `""`: "", `true`: "",
	} {
		person, err := over(json200(`{"ZUID":`+written+`,"Email":"a@b.c"}`)).UserInfo(context.Background(), "t")
		if err != nil || person.ZUID != want || person.Email != "a@b.c" {
			t.Errorf("%s is read as %+v, %v", written, person, err)
		}
		org, err := over(json200(`{"org":[{"zgid":`+written+`}]}`)).CRMOrganization(context.Background(), "https://www.zohoapis.eu", "t")
		if err != nil || org.ID != want {
			t.Errorf("%s is read as %+v, %v", written, org, err)
		}
	}
	if person, err := over(json200(`{"Email":"a@b.c"}`)).UserInfo(context.Background(), "t"); err != nil || person.ZUID != "" {
		t.Errorf("without one: %+v, %v", person, err)
	}
}

func TestAnswerThatNamesNobodyIsNoPerson(t *testing.T) {
	for _, body := range []string{`{"error":"general_error"}`, `{}`, `{"ZUID":"","Email":""}`} {
		person, err := over(json200(body)).UserInfo(context.Background(), "t")
		if e := zoho.AsError(err); e == nil || e.Kind != zoho.Unavailable {
			t.Errorf("%s is taken for %+v, %v", body, person, err)
		}
	}
}
