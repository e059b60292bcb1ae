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
		if e := zoho.AsError(err); e == nil || e.Kind != zoho.Unavailable || !e.Sent {
			t.Errorf("%s is taken for %+v, %v", body, person, err)
		}
	}
}

func TestWhatAnAPIAnswersSaysWhetherItIsTheTokenThatIsBad(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		kind   zoho.Kind
		about  zoho.Subject
	}{
		"a dead token":             {401, `{"code":"INVALID_TOKEN","message":"invalid oauth token"}`, zoho.Refused, zoho.AboutGrant},
		"a dead token, as 400":     {400, `{"cause":"INVALID_OAUTHTOKEN"}`, zoho.Refused, zoho.AboutGrant},
		"the same, in other words": {400, `{"code":"invalid_token"}`, zoho.Refused, zoho.AboutGrant},
		"the same, by its status":  {401, `{}`, zoho.Refused, zoho.AboutGrant},
		"scopes that do not reach": {401, `{"code":"OAUTH_SCOPE_MISMATCH"}`, zoho.Refused, zoho.AboutRequest},
		"another mistake":          {400, `{"code":"INVALID_URL_PATTERN"}`, zoho.Refused, zoho.AboutRequest},
		"too many calls":           {429, `{}`, zoho.Throttled, ""},
		"the same, as 400":         {400, `{"error":"Access Denied","error_description":"too many requests","status":"failure"}`, zoho.Throttled, ""},
		"a dead token, described":  {401, `{"error":"invalid_token","error_description":"x","status":"failure"}`, zoho.Refused, zoho.AboutGrant},
		"another word, in text":    {403, `{"error":"Forbidden"}`, zoho.Refused, zoho.AboutRequest},
		"no API access":            {403, `{"code":"NO_PERMISSION","details":{"permissions":["Crm_Implied_Api_Access"]}}`, zoho.Refused, zoho.AboutRequest},
		"nothing":                  {204, ``, zoho.Refused, zoho.AboutRequest},
		"trouble":                  {503, `{}`, zoho.Unavailable, ""},
		"trouble of its own":       {500, `{"code":"INTERNAL_ERROR"}`, zoho.Unavailable, ""},
		"a page":                   {401, `<html>`, zoho.Refused, zoho.AboutServer},
		"a page, 404":              {404, `<html>`, zoho.Refused, zoho.AboutServer},
		"a page, 302":              {302, `<html>`, zoho.Unavailable, ""},
		"a page, 502":              {502, `<html>`, zoho.Unavailable, ""},
	} {
		_, err := over(&answering{status: c.status, contentType: "application/json", body: c.body}).UserInfo(context.Background(), "t")
		if e := zoho.AsError(err); e != nil && e.PermissionMissing() != (name == "no API access") {
			t.Errorf("%s: the permission is missing: %v", name, e.PermissionMissing())
		}
		if e := zoho.AsError(err); e == nil || e.Kind != c.kind || e.About != c.about || !e.Sent || !e.Answered || e.Status != c.status {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestTextsOfAnAccountAreShownWithoutHiddenCharacters(t *testing.T) {
	person, err := over(json200(`{"ZUID":"1\u001b[2J","Email":"ann\u202e@b.c","Display_Name":"A\nnn\u0000"}`)).UserInfo(context.Background(), "t")
	if want := (zoho.Person{ZUID: "1?[2J", Email: "ann?@b.c", Name: "A?nn?"}); err != nil || person != want {
		t.Errorf("%+q, %v", person, err)
	}
	org, err := over(json200(`{"org":[{"zgid":"7\u009b","company_name":"Acme\u2066"}]}`)).CRMOrganization(context.Background(), "https://www.zohoapis.eu", "t")
	if want := (zoho.Organization{ID: "7?", Name: "Acme?"}); err != nil || org != want {
		t.Errorf("%+q, %v", org, err)
	}
	d, err := over(json200(`{"device_code":"1004.a","user_code":"AB\u001bCD","verification_url":"https://x\u202e.y"}`)).StartDevice(context.Background(), []string{"a.b"})
	if err != nil || d.UserCode != "AB?CD" || d.VerificationURL != "https://x?.y" {
		t.Errorf("%+v, %v", d, err)
	}
}
