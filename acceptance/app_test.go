// Where does a browser go on to after a consent? To the app that sent it, which shows
// what it was told.

package acceptance

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"

	"github.com/rogpeppe/go-internal/testscript"
)

// appCommand starts an app that shows what a browser brings it.
func appCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: app")
	}
	app := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(rw, "<!doctype html><title>An app</title><pre>%s\n", html.EscapeString(r.URL.Path))
		for name, values := range r.URL.Query() {
			fmt.Fprintf(rw, "%s=%s\n", html.EscapeString(name), html.EscapeString(fmt.Sprint(values)))
		}
		fmt.Fprintf(rw, "referrer: %s\n</pre>\n", html.EscapeString(r.Referer()))
	}))
	w := worldOf(ts)
	w.apps = append(w.apps, app)
	ts.Setenv("APP_URL", app.URL)
}
