// What does the person at the browser see? Opens Zoho's consent page in a real
// one, clicks, and reads the address bar.

package acceptance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/rogpeppe/go-internal/testscript"
)

// browserName is Debian's name for it.
const browserName = "chromium"

func browserCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || args[0] != "accept" && args[0] != "reject" {
		ts.Fatalf("usage: browser accept|reject URL")
	}
	profile, err := os.MkdirTemp(worldOf(ts).servers, "browser")
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ctx, cancel = newBrowser(ctx, profile)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()

	button := chromedp.CSS(fmt.Sprintf(`button[name="decision"][value=%q]`, args[0]))
	if err := chromedp.Do(ctx, chromedp.Navigate(args[1]), chromedp.Click(button)); err != nil {
		ts.Fatalf("clicking %s: %v", args[0], err)
	}
	address, err := addressBar(ctx, args[1])
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), address)
}

// newBrowser is a browser that is started by the first context made from it.
func newBrowser(ctx context.Context, profile string) (context.Context, context.CancelFunc) {
	return chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(browserName),
		chromedp.Headless,
		chromedp.NoSandbox, // root, as in CI, has none
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.DisableGPU,
		chromedp.UserDataDir(profile),
		chromedp.Flag("disable-dev-shm-usage", true), // small in containers
		// A browser that telephones home has no place in a test.
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("no-proxy-server", true),
	)
}

// addressBar waits until the browser has left Zoho and says where it went.
// Nothing listens at the redirect URI, as with most people who follow the
// manual: the page is an error page, but the bar shows the address.
func addressBar(ctx context.Context, from string) (string, error) {
	zoho, _, _ := strings.Cut(from, "/oauth/")
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// Between two pages there is no bar to read: an error, until the deadline.
		history, err := chromedp.Run(ctx, chromedp.NavigationEntries())
		if err == nil && !strings.HasPrefix(history.Entries[history.CurrentIndex].URL, zoho) {
			return history.Entries[history.CurrentIndex].URL, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("the browser did not leave Zoho: %w", errors.Join(ctx.Err(), err))
		}
	}
}
