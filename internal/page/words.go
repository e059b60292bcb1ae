// What does each result say? In words for somebody who was sent a link and has
// never heard of OAuth, tokens or scopes.

package page

type words struct {
	Heading string // also the title
	Mark    string // which sign stands above it
	problem string // where the caller says none
	next    string // where the caller says none
}

var vocabulary = map[Result]words{
	Connected: {
		Heading: "Zoho is connected",
		Mark:    "tick",
		problem: "You gave access to your Zoho account. Vault keeps it safe and hands it to the apps that may use it.",
	},
	Declined: {
		Heading: "Nothing was connected",
		Mark:    "bar",
		problem: "Access was declined on Zoho’s page. Everything is as it was before.",
		next:    "If you did not mean to decline, start again with a new link and choose Accept on Zoho’s page. Otherwise you can close this window.",
	},
	Failed: {
		Heading: "Zoho was not connected",
		Mark:    "cross",
		problem: "Something went wrong on the way.",
		next:    "Start again with a new link. If it fails again, tell the person who sent you the link.",
	},
	Busy: {
		Heading: "Not connected yet",
		Mark:    "clock",
		problem: "Zoho has not answered yet, or this page is open twice.",
		next:    "Wait a minute, then reload this page. Reloading does no harm.",
	},
	Over: {
		Heading: "This link is no longer good",
		Mark:    "question",
		problem: "It was used already, withdrawn, or replaced by a newer one.",
		next:    "If you still have to connect Zoho, ask for a new link where you got this one.",
	},
	Unknown: {
		Heading: "This link does not work",
		Mark:    "question",
		problem: "It may have expired, been replaced by a newer one, or not be complete.",
		next:    "Ask for a new link where you got this one.",
	},
}

// wordsOf takes what is no Result for a failure: never for a success.
func wordsOf(r Result) words {
	if w, ok := vocabulary[r]; ok {
		return w
	}
	return vocabulary[Failed]
}
