// What does a person do and see at the browser? A real one, that lives as long as the
// story, with tabs.

package acceptance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/chromedp/chromedp"
	"github.com/rogpeppe/go-internal/testscript"
)

// browserName is Debian's name for it.
const browserName = "chromium"

type browser struct {
	ctx   context.Context
	close context.CancelFunc
	tabs  map[string]*tab
}

type tab struct {
	ctx     context.Context
	close   context.CancelFunc
	loading chan landing // of a page that a person waits for
}

// landing is a page that was loaded, or why it was not.
type landing struct {
	status int64
	err    error
}

const browserUsage = "usage: browser [-tab=NAME] open URL|accept|reject|as EMAIL|press accept|press reject|wait|reload|back|address|run JAVASCRIPT|close"

func browserCommand(ts *testscript.TestScript, neg bool, args []string) {
	name := "first"
	if len(args) > 0 && strings.HasPrefix(args[0], "-tab=") {
		name, args = strings.TrimPrefix(args[0], "-tab="), args[1:]
	}
	if neg || len(args) == 0 {
		ts.Fatalf(browserUsage)
	}
	t := tabOf(ts, name)
	switch verb := args[0]; {
	case verb == "open" && len(args) == 2:
		t.leave(chromedp.Navigate(args[1]))
	case (verb == "accept" || verb == "reject") && len(args) == 1:
		t.leave(chromedp.Click(decision(verb)))
	case verb == "press" && len(args) == 2 && (args[1] == "accept" || args[1] == "reject"):
		t.leave(chromedp.Click(decision(args[1])))
		return
	case verb == "wait" && len(args) == 1 && t.loading != nil:
	case verb == "reload" && len(args) == 1:
		t.leave(chromedp.Reload())
	case verb == "back" && len(args) == 1:
		t.leave(chromedp.NavigateBack())
	case verb == "as" && len(args) == 2:
		t.leave(chromedp.Click(chromedp.CSS(`a[href^="/signin"]`)))
		_, err := t.see(worldOf(ts))
		ts.Check(err)
		t.leave(chromedp.Click(chromedp.CSS(fmt.Sprintf(`button[name="email"][value=%q]`, args[1]))))
	case verb == "address" && len(args) == 1:
		address, err := t.address()
		ts.Check(err)
		fmt.Fprintln(ts.Stdout(), address)
		return
	case verb == "run" && len(args) == 2:
		answer, err := run(t, chromedp.Evaluate[any](args[1]))
		ts.Check(err)
		fmt.Fprintln(ts.Stdout(), answer)
		return
	case verb == "close" && len(args) == 1:
		t.close()
		delete(worldOf(ts).browser.tabs, name)
		return
	default:
		ts.Fatalf(browserUsage)
	}
	seen, err := t.see(worldOf(ts))
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), seen)
}

// decision is a button of Zoho's page.
func decision(value string) chromedp.CSS {
	return chromedp.CSS(fmt.Sprintf(`button[name="decision"][value=%q]`, value))
}

// tabOf opens a tab, and the browser, where they are not open.
func tabOf(ts *testscript.TestScript, name string) *tab {
	w := worldOf(ts)
	if w.browser == nil {
		b, err := newBrowser(w)
		ts.Check(err)
		w.browser = b
	}
	if t := w.browser.tabs[name]; t != nil {
		return t
	}
	t := &tab{}
	t.ctx, t.close = chromedp.NewContext(w.browser.ctx)
	ts.Check(chromedp.Do(t.ctx))
	w.browser.tabs[name] = t
	return t
}

func newBrowser(w *world) (*browser, error) {
	profile, err := os.MkdirTemp(w.servers, "browser")
	if err != nil {
		return nil, err
	}
	ctx, closeAllocator := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(browserName),
		chromedp.Headless,
		chromedp.NoSandbox, // root, as in CI, has none
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.DisableGPU,
		chromedp.UserDataDir(profile),
		chromedp.WSURLReadTimeout(patience),
		chromedp.Flag("ignore-certificate-errors-spki-list", w.stage.certificate.publicKey),
		chromedp.Flag("disable-dev-shm-usage", true), // small in containers
		// Going back loads the page again.
		chromedp.Flag("disable-features", "BackForwardCache"),
		// A browser that telephones home has no place in a test.
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("no-proxy-server", true),
	)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	b := &browser{ctx: ctx, tabs: map[string]*tab{}, close: func() { closeBrowser(); closeAllocator() }}
	if err := chromedp.Do(ctx); err != nil {
		b.close()
		return nil, fmt.Errorf("starting %s: %w", browserName, err)
	}
	return b, nil
}

// run does one thing in a tab, with the patience of all stories.
func run[T any](t *tab, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, action)
}

// leave goes to another page, and does not wait for it.
func (t *tab) leave(how chromedp.Action[chromedp.Void]) {
	t.loading = make(chan landing, 1)
	go func(landed chan<- landing) {
		ctx, cancel := context.WithTimeout(t.ctx, patience)
		defer cancel()
		var l landing
		response, err := chromedp.RunResponse(ctx, how)
		if l.err = err; response != nil {
			l.status = response.Status
		}
		landed <- l
	}(t.loading)
}

// see waits for the page and returns its status, its title and what can be read on it.
// What Vault or zoho-login shows is kept for the search for secrets.
func (t *tab) see(w *world) (string, error) {
	l := <-t.loading
	t.loading = nil
	if errors.Is(l.err, chromedp.ErrPageLoad) {
		return l.err.Error(), nil // a person sees an error page
	}
	if l.err != nil {
		return "", l.err
	}
	address, err := t.address()
	if err != nil {
		return "", err
	}
	if strings.Contains(address, "/callback?") {
		source, err := run(t, chromedp.Evaluate[string](`document.documentElement.outerHTML`))
		if err != nil {
			return "", err
		}
		w.shown.WriteString(source)
	}
	text, err := run(t, chromedp.Evaluate[string](`document.title + "\n" + document.body.innerText`))
	return fmt.Sprintf("HTTP %d\n%s", l.status, text), err
}

// address is what the bar shows, of error pages as well.
func (t *tab) address() (string, error) {
	history, err := run(t, chromedp.NavigationEntries())
	if err != nil {
		return "", err
	}
	return history.Entries[history.CurrentIndex].URL, nil
}
