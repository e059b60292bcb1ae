// What do several tabs see, and what does loading again show? A real browser that
// stays open while the story goes on.

package acceptance

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/rogpeppe/go-internal/testscript"
)

type tabs struct {
	ctx  context.Context // of the browser
	end  context.CancelFunc
	open map[string]*tab
}

type tab struct {
	ctx context.Context
	end context.CancelFunc
}

func tabCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || (args[1] == "open") != (len(args) == 3) {
		ts.Fatalf("usage: tab NAME open URL|accept|reject|reload|back|close")
	}
	w := worldOf(ts)
	if w.tabs == nil {
		profile, err := os.MkdirTemp(w.servers, "browser")
		ts.Check(err)
		w.tabs = &tabs{open: map[string]*tab{}}
		ctx, endBrowser := newBrowser(context.Background(), profile)
		first, endFirst := chromedp.NewContext(ctx)
		w.tabs.ctx, w.tabs.end = first, func() { endFirst(); endBrowser() }
		ts.Check(chromedp.Do(first))
	}
	t := w.tabs.open[args[0]]
	if t == nil {
		// A tab behind another one is not drawn, and can't be clicked at.
		ctx, end := chromedp.NewContext(w.tabs.ctx)
		ts.Check(chromedp.Do(ctx)) // it lives as long as the context of its first action
		t = &tab{ctx, end}
		w.tabs.open[args[0]] = t
	}
	if args[1] == "close" {
		t.end()
		delete(w.tabs.open, args[0])
		return
	}
	shown, err := t.do(args[1:])
	if err != nil {
		ts.Fatalf("tab %s: %v", strings.Join(args[:2], " "), err)
	}
	fmt.Fprintln(ts.Stdout(), shown)
}

func (t *tabs) close() {
	if t != nil {
		t.end()
	}
}

// do does one thing and says what the tab shows then.
func (t *tab) do(what []string) (shown string, err error) {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	switch what[0] {
	case "open":
		err = chromedp.Do(ctx, chromedp.Navigate(what[1]))
	case "accept", "reject":
		err = t.decide(ctx, what[0])
	case "reload":
		err = chromedp.Do(ctx, chromedp.Reload())
	case "back":
		err = chromedp.Do(ctx, chromedp.NavigateBack())
	default:
		err = fmt.Errorf("a tab does not know how to %s", what[0])
	}
	if err != nil {
		return "", err
	}
	history, err := chromedp.Run(ctx, chromedp.NavigationEntries())
	if err != nil {
		return "", err
	}
	title, err := chromedp.Run(ctx, chromedp.Title())
	if err != nil {
		return "", err
	}
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	return strings.Join([]string{history.Entries[history.CurrentIndex].URL, title, text}, "\n"), err
}

// decide clicks on Zoho's page and waits until the page after it is there.
func (t *tab) decide(ctx context.Context, decision string) error {
	here, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		return err
	}
	button := chromedp.CSS(fmt.Sprintf(`button[name="decision"][value=%q]`, decision))
	if err := chromedp.Do(ctx, chromedp.Click(button)); err != nil {
		return err
	}
	if _, err := addressBar(ctx, here); err != nil {
		return err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// Between two pages there is nothing to ask: an error, until the deadline.
		state, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.readyState"))
		if err == nil && state == "complete" {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the page was not loaded: %w", ctx.Err())
		}
	}
}
