// Is a pasted address taken however it is pasted, and nothing else?

package main

import (
	"io"
	"strings"
	"testing"
)

func TestThePastedAddressConnects(t *testing.T) {
	fake := newFake()
	l := start(t, fake, "-paste", "-redirect-uri=https://app.example.com/cb", "crm")
	l.waitFor(theLink)
	if len(l.opened) != 0 {
		t.Error("a browser was opened")
	}
	for _, wrong := range []struct{ line, says string }{
		{"", "That line is empty"},
		{"hello", "not the address"},
		{"https://app.example.com/cb?code=" + theCode, "its state is missing"},
		{"https://app.example.com/cb?state=" + theState, "not the address"},
		{"https://app.example.com/cb?state=another&code=" + theCode, "another consent"},
	} {
		io.WriteString(l.stdin, wrong.line+"\n")
		l.waitFor(wrong.says)
	}
	io.WriteString(l.stdin, " \"https://app.example.com/cb?"+redirect+"\"\r\n")
	l.want(exitConnected).says("Zoho is connected")
	got := fake.made("PUT", "creds")
	if len(got) != 1 || got[0].fields["callback_url"] != "https://app.example.com/cb?"+redirect {
		t.Errorf("Vault was handed %v", got)
	}
	fake.withdrew(t, 0)
}

func TestNothingPastedLeavesNothing(t *testing.T) {
	t.Run("end of input", func(t *testing.T) {
		fake := newFake()
		l := start(t, fake, "-paste", "crm")
		l.stdin.(io.Closer).Close()
		l.want(exitFailed).says("the input ended")
		fake.withdrew(t, 1)
	})
	t.Run("interrupted", func(t *testing.T) {
		fake := newFake()
		l := start(t, fake, "-paste", "crm")
		l.waitFor("Paste")
		l.interrupt()
		l.want(exitInterrupted)
		fake.withdrew(t, 1)
	})
	t.Run("too long", func(t *testing.T) {
		fake := newFake()
		l := start(t, fake, "-paste", "crm")
		go io.WriteString(l.stdin, strings.Repeat("x", longestAddress+1))
		l.want(exitFailed)
		fake.withdrew(t, 1)
	})
}

func TestPastedAddressMayHaveInvisibleCharactersAroundIt(t *testing.T) {
	for _, around := range []string{"\uFEFF", "\u200B", " \u2060\u00A0"} {
		fake := newFake()
		l := start(t, fake, "-paste", "crm")
		l.waitFor("Paste")
		io.WriteString(l.stdin, around+"'"+around+"http://localhost/callback?"+redirect+around+"'"+around+"\n")
		l.want(exitConnected)
		got := fake.made("PUT", "creds")
		if len(got) != 1 || !strings.HasSuffix(got[0].fields["callback_url"].(string), "?"+redirect) {
			t.Errorf("%q: Vault was handed %v", around, got)
		}
	}
}

func TestADeclinedConsentIsPastedToo(t *testing.T) {
	fake := newFake()
	fake.creds = refuses(400, "the consent was declined (access_denied)")
	l := start(t, fake, "-paste", "crm")
	l.waitFor("Paste")
	io.WriteString(l.stdin, "http://localhost/callback?error=access_denied&state="+theState+"\n")
	l.want(exitDeclined)
}
