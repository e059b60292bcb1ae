// Package zohotest simulates Zoho's OAuth 2.0 accounts servers and a few of
// its APIs, for tests of clients.
package zohotest
