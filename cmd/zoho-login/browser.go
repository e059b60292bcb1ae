// browser.go: opens the person's browser, as their desktop does it.

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// openBrowser starts the desktop's opener with the address. The channel gets an error if the
// opener fails later; it stays empty while the opener runs or if it succeeds.
func openBrowser(address string) (failed <-chan error, err error) {
	if !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://") {
		return nil, errors.New("the link does not begin with https:// or http://")
	}
	opener := []string{"xdg-open"}
	switch runtime.GOOS {
	case "darwin":
		opener = []string{"open"}
	case "windows":
		opener = []string{"rundll32", "url.dll,FileProtocolHandler"}
	default:
		// Without a display xdg-open would take over the terminal with a text browser.
		if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
			return nil, errors.New("this session has no display (DISPLAY and WAYLAND_DISPLAY are not set)")
		}
	}
	cmd := exec.Command(opener[0], append(opener[1:], address)...)
	detach(cmd)
	switch err := cmd.Start(); {
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("the program %s, which opens browsers, is not installed", opener[0])
	case err != nil:
		return nil, fmt.Errorf("%s did not start: %w", opener[0], err)
	}
	ended := make(chan error, 1)
	go func() {
		if err := cmd.Wait(); err != nil {
			ended <- fmt.Errorf("%s ended with %w", opener[0], err)
		}
	}()
	return ended, nil
}

// isRemote reports whether the person is logged in to this machine from another one.
func isRemote() bool { return os.Getenv("SSH_CONNECTION") != "" }

// showsColors reports whether a file is a terminal on which colors may be used. NO_COLOR with
// any value forbids them (https://no-color.org).
func showsColors(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" && os.Getenv("NO_COLOR") == ""
}
