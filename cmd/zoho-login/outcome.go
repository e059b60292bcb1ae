// outcome.go: how a run ended, for a script as exit code or JSON, and for a person on the
// terminal and in the browser.

package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"vault-plugin-secrets-zoho/internal/page"
	"vault-plugin-secrets-zoho/zoho"
)

type outcome struct {
	Credential string   `json:"credential"`
	Result     result   `json:"result"`
	DataCenter string   `json:"data_center,omitempty"`
	Account    string   `json:"account,omitempty"`
	Requested  []string `json:"requested_scopes,omitempty"`
	Granted    []string `json:"granted_scopes,omitempty"`
	Problem    string   `json:"problem,omitempty"`
	Word       string   `json:"zoho_error,omitempty"` // why Zoho gave no code

	warnings []string
	sent     bool // Zoho's answer reached Vault, so that no consent waits any more
	waits    bool // the attempt failed, and the same link can still connect the credential
}

type result string

const (
	resultConnected   result = "connected"
	resultFailed      result = "failed"
	resultDeclined    result = "declined"
	resultTimedOut    result = "timed_out"
	resultInterrupted result = "interrupted"
)

func failed(format string, args ...any) outcome {
	return outcome{Result: resultFailed, Problem: fmt.Sprintf(format, args...)}
}

func (r result) exit() int {
	switch r {
	case resultConnected:
		return exitConnected
	case resultDeclined:
		return exitDeclined
	case resultTimedOut:
		return exitTimedOut
	case resultInterrupted:
		return exitInterrupted
	}
	return exitFailed
}

// refused are scopes that were asked for and not granted, as far as Zoho said.
func (o outcome) refused() []string {
	if len(o.Granted) == 0 {
		return nil
	}
	return zoho.MissingScopes(o.Requested, o.Granted)
}

// report tells the outcome and returns the exit code.
func report(t terminal, o options, end outcome) int {
	end = end.printable()
	end.Credential = o.name
	for _, warning := range end.warnings {
		fmt.Fprintf(t.stderr, "zoho-login: warning: %s\n", plain(warning))
	}
	switch {
	case end.Result != resultConnected:
		fmt.Fprintf(t.stderr, "zoho-login: %s\n", plain(end.Problem))
	case o.format != "json":
		end.print(t, o)
	}
	if o.format == "json" {
		encoder := json.NewEncoder(t.stdout)
		encoder.SetIndent("", "  ")
		encoder.Encode(end) // who can't be told sees it by the exit code
	}
	return end.Result.exit()
}

func (o outcome) print(t terminal, opts options) {
	fmt.Fprintf(t.stdout, "Zoho is connected.\n\n")
	for _, fact := range []struct {
		label  string
		values []string
	}{
		{"credential", []string{o.Credential}},
		{"account", []string{o.Account}},
		{"data centre", []string{title(o.DataCenter)}},
		{"scopes", o.Granted},
		{"not granted", o.refused()},
	} {
		label := fact.label
		for _, value := range fact.values {
			if value != "" {
				fmt.Fprintf(t.stdout, "  %-12s %s\n", label, plain(value))
				label = ""
			}
		}
	}
	fmt.Fprintf(t.stdout, "\nGet an access token with\n\n  %s\n", command("vault", "read", opts.mount+"/creds/"+o.Credential))
}

// printable returns the outcome with texts that are safe for a terminal and a page. Some are
// from Vault and Zoho. JSON is included: it is printed, too.
func (o outcome) printable() outcome {
	for _, text := range []*string{&o.DataCenter, &o.Account, &o.Problem, &o.Word} {
		*text = plain(*text)
	}
	for _, texts := range []*[]string{&o.Requested, &o.Granted, &o.warnings} {
		*texts = slices.Clone(*texts)
		for i, text := range *texts {
			(*texts)[i] = plain(text)
		}
	}
	return o
}

// page is what the browser shows.
func (o outcome) page(name string) page.Page {
	p := page.Page{Result: page.Failed, Credential: name}
	if o.waits {
		p.Problem = sentence(o.Problem)
		p.Next = "Open the link again in this browser, and sign in to Zoho with an account that can consent. zoho-login in the terminal waits for it."
		return p
	}
	switch o.Result {
	case resultConnected:
		p.Result, p.DataCenter, p.Account, p.Granted, p.Refused = page.Connected, title(o.DataCenter), o.Account, o.Granted, o.refused()
	case resultDeclined:
		p.Result = page.Declined
		p.Next = "If you did not mean to decline, run zoho-login again in the terminal. Otherwise you can close this window."
		if o.Word != "" {
			p.Problem, p.Next = zoho.ConsentErrorText(o.Word)
			p.Next += " To start it, run zoho-login in the terminal."
		}
	default:
		p.Problem = sentence(o.Problem)
		p.Next = "Close this window and go back to the terminal, where zoho-login shows the same message. Then run it again."
	}
	return p
}

// title is what a person calls a data centre.
func title(name string) string {
	for _, dc := range zoho.DataCenters() {
		if dc.Name == name {
			return dc.Title + " (" + name + ")"
		}
	}
	return name
}

// sentence makes one of an error's text.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(text[size:], ".") + "."
}

// plain returns a text of Vault or Zoho on one line, with a question mark in place of each
// character that could change what the terminal shows.
func plain(text string) string {
	return zoho.Printable(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.Is(unicode.Cf, r): // characters without a width, which Printable leaves
			return '?'
		}
		return r
	}, text))
}
