// answer_test.go: the texts of a token answer hold no characters that a terminal or a page
// obeys, and api_domain is an address or absent.

package zoho_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"vault-plugin-secrets-zoho/zoho"
)

// oddTexts are characters that change how the text around them is shown.
func oddTexts() []string {
	odd := []string{"\x1b[31m", "\x1b]8;;https://evil.example\x07", "\u009b2J", "\x00", "\x7f", "\r", "\n", "\xff"}
	for r := rune(0); r < 0x2100; r++ {
		if zoho.Invisible(r) {
			odd = append(odd, string(r))
		}
	}
	return odd
}

// tokenAnswers are the tokens of a body, from each place where a token answer is read.
func tokenAnswers(t *testing.T, body string) map[string]*zoho.Token {
	t.Helper()
	tokens := map[string]*zoho.Token{}
	for name, call := range map[string]func(*zoho.Client) (zoho.Answer, error){
		"Mint": func(c *zoho.Client) (zoho.Answer, error) {
			return c.Mint(context.Background(), zoho.Grant{RefreshToken: "1000.a.b"})
		},
		"Mint, client credentials": func(c *zoho.Client) (zoho.Answer, error) {
			return c.Mint(context.Background(), zoho.Grant{Scopes: []string{"a.b"}})
		},
		"Exchange": func(c *zoho.Client) (zoho.Answer, error) {
			return c.Exchange(context.Background(), "1000.c.d", "http://localhost/", "")
		},
		"PollDevice": func(c *zoho.Client) (zoho.Answer, error) { return c.PollDevice(context.Background(), "1004.e") },
	} {
		answer, err := call(over(json200(body)))
		if err != nil || answer.Token == nil {
			t.Fatalf("%s of %q: %v", name, body, err)
		}
		tokens[name] = answer.Token
	}
	return tokens
}

func TestTextsOfATokenAnswerHoldNoInvisibleCharacters(t *testing.T) {
	for _, odd := range oddTexts() {
		for _, text := range []string{odd + "x.y", "x" + odd + "y", "x.y" + odd, odd} {
			quoted, _ := json.Marshal(text)
			body := fmt.Sprintf(`{"access_token":"1000.a.b","token_type":%[1]s,"scope":%[1]s,"api_domain":%[1]s,"expires_in":3600}`, quoted)
			for name, token := range tokenAnswers(t, body) {
				shown := append(slices.Clone(token.Scopes), token.TokenType, token.APIDomain)
				for _, s := range shown {
					if zoho.Printable(s) != s {
						t.Errorf("%s of %q gives %q", name, text, shown)
					}
				}
			}
		}
	}
}

func TestScopesOfATokenAnswerAreSplitAsBefore(t *testing.T) {
	for name, token := range tokenAnswers(t, `{"access_token":"1000.a.b","scope":"a.b,c.d\te.f\ng\u001bh a.b"}`) {
		if want := []string{"a.b", "c.d", "e.f", "g?h"}; !slices.Equal(token.Scopes, want) {
			t.Errorf("%s: %q", name, token.Scopes)
		}
	}
}

func TestAPIDomainThatIsNoAddressIsAbsent(t *testing.T) {
	bad := []string{
		"www.zohoapis.eu", "javascript:alert(1)", "ftp://www.zohoapis.eu", "file:///etc/passwd", "//www.zohoapis.eu", "https:", "https://", "https:///crm",
		"https://user:password@www.zohoapis.eu", "https://www.zohoapis.eu?x=1", "https://www.zohoapis.eu#x", "https://www.zohoapis.eu/a b", "https://www.zoh\u043eapis.eu",
		"https://www.zohoapis.eu/\u200b", "https://www.zohoapis.eu:port", "https://www.zohoapis.eu/%zz", "https://:443",
	}
	for _, odd := range oddTexts() {
		bad = append(bad, "https://www.zohoapis.eu"+odd, "https://www.zohoapis"+odd+".eu", odd+"https://www.zohoapis.eu", "https://www.zohoapis.eu/"+odd)
	}
	for _, address := range bad {
		quoted, _ := json.Marshal(address)
		for name, token := range tokenAnswers(t, fmt.Sprintf(`{"access_token":"1000.a.b","api_domain":%s}`, quoted)) {
			if token.APIDomain != "" {
				t.Errorf("%s of %q gives %q", name, address, token.APIDomain)
			}
		}
	}
	for _, address := range []string{"https://www.zohoapis.eu", "https://www.zohoapis.eu/", "http://localhost:8080", "http://[::1]:8080", "https://proxy.example/zoho/"} {
		for name, token := range tokenAnswers(t, fmt.Sprintf(`{"access_token":"1000.a.b","api_domain":%q}`, address)) {
			if token.APIDomain != strings.TrimRight(address, "/") {
				t.Errorf("%s of %q gives %q", name, address, token.APIDomain)
			}
		}
	}
}

func FuzzTextsOfATokenAnswer(f *testing.F) {
	f.Add("Bearer", "ZohoCRM.modules.ALL ZohoCRM.org.READ", "https://www.zohoapis.eu")
	for _, odd := range oddTexts() {
		f.Add(odd, "a"+odd+"b", "https://www.zohoapis.eu"+odd)
	}
	f.Fuzz(func(t *testing.T, tokenType, scope, apiDomain string) {
		body, err := json.Marshal(map[string]string{"access_token": "1000.a.b", "token_type": tokenType, "scope": scope, "api_domain": apiDomain})
		if err != nil {
			return
		}
		for name, token := range tokenAnswers(t, string(body)) {
			for _, s := range append(slices.Clone(token.Scopes), token.TokenType, token.APIDomain) {
				if zoho.Printable(s) != s {
					t.Errorf("%s gives %+q", name, s)
				}
			}
			u, err := url.Parse(token.APIDomain)
			if token.APIDomain != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "") {
				t.Errorf("%s gives the API domain %q", name, token.APIDomain)
			}
		}
	})
}
