// Redirect errors and pasted text.

package zoho_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"vault-plugin-secrets-zoho/zoho"
)

func TestRedirectErrorTextNamesEachCauseAndTheNextStep(t *testing.T) {
	for word, facts := range map[string][]string{
		"access_denied":       {"chose Reject", "ten authorization codes in ten minutes", "wait ten minutes", "Accept"},
		"no_org":              {"no organization", "Back to app", "Sign in", "create an organization"},
		"access_denied_admin": {"administrator"},
		"inactive_client":     {"API console"},
		"restricted_client":   {"API console"},
		"restricted_scope":    {"scopes"},
		"a_word_of_2027":      {`"a_word_of_2027"`},
		"<script>":            {`"unknown"`},
		"":                    {"Zoho ended the consent"},
	} {
		problem, next := zoho.ConsentErrorText(word)
		for _, fact := range append(facts, "tart the consent again") {
			if !strings.Contains(problem+" "+next, fact) {
				t.Errorf("%q: %q is missing in: %s %s", word, fact, problem, next)
			}
		}
		for _, text := range []string{problem, next} {
			if first, _ := utf8.DecodeRuneInString(text); first < 'A' || first > 'Z' || !strings.HasSuffix(text, ".") {
				t.Errorf("%q: not a sentence: %s", word, text)
			}
		}
	}
}

func TestRedirectWordIsBounded(t *testing.T) {
	for word, want := range map[string]string{
		"": "", "access_denied": "access_denied", "No.Org-2": "No.Org-2",
		strings.Repeat("a", 64): strings.Repeat("a", 64), strings.Repeat("a", 65): "unknown",
		"two words": "unknown", "a\nb": "unknown", "<b>": "unknown", "é": "unknown", "\xff": "unknown", "%41": "unknown", "\u200Bno_org": "unknown",
	} {
		if got := zoho.CleanRedirectWord(word); got != want {
			t.Errorf("%q became %q, want %q", word, got, want)
		}
	}
}

func TestCallbackKeepsOnlyACleanErrorWord(t *testing.T) {
	for query, want := range map[string]string{
		"error=no_org": "no_org", "error=%3Cscript%3E": "unknown", "error=" + strings.Repeat("x", 1000): "unknown",
	} {
		if c, err := zoho.ParseCallback("?state=s1&" + query); err != nil || c.Err != want {
			t.Errorf("%s: %+v, %v", query, c, err)
		}
	}
}

func FuzzRedirectError(f *testing.F) {
	for _, word := range []string{"", "access_denied", "no_org", "<script>", "a b", "\x00", strings.Repeat("z", 70)} {
		f.Add(word)
	}
	clean := regexp.MustCompile(`^[A-Za-z0-9_.-]{0,64}$`)
	f.Fuzz(func(t *testing.T, word string) {
		got := zoho.CleanRedirectWord(word)
		if !clean.MatchString(got) || got != word && got != "unknown" {
			t.Errorf("%q became %q", word, got)
		}
		problem, next := zoho.ConsentErrorText(word)
		if cleanProblem, cleanNext := zoho.ConsentErrorText(got); problem != cleanProblem || next != cleanNext || problem == "" || next == "" {
			t.Errorf("%q is repeated: %s %s", word, problem, next)
		}
	})
}

// around are what copy and paste puts before and after a text.
var around = []string{" ", "\t", "\r\n", "\u00A0", "\uFEFF", "\u200B", "\u200C", "\u200D", "\u200E", "\u200F", "\u2060", " \uFEFF\u200B\n"}

func TestPastedTextLosesOnlyWhatSurroundsIt(t *testing.T) {
	for _, inside := range []string{"1000.aa.bb", "a\u200Bb", "a b", "a\uFEFFb", "é", "\xff", ""} {
		for _, before := range append(slices.Clone(around), "") {
			for _, after := range append(slices.Clone(around), "") {
				if got := zoho.TrimPasted(before + inside + after); got != inside {
					t.Errorf("%q became %q, want %q", before+inside+after, got, inside)
				}
			}
		}
	}
}

func TestCallbackIsReadWithInvisibleCharactersAroundIt(t *testing.T) {
	for _, dirt := range around {
		for _, address := range []string{landed, strings.SplitN(landed, "?", 2)[1], "?state=s1&location=eu&code=1000.aa.bb"} {
			if c, err := zoho.ParseCallback(dirt + address + dirt); err != nil || c.Code != "1000.aa.bb" || c.State != "s1" || c.Location != "eu" {
				t.Errorf("%q: %+v, %v", dirt+address+dirt, c, err)
			}
		}
	}
}
