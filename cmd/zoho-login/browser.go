// How is the person's browser opened? As their desktop does it.

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// openBrowser hands the address over. That something was started is all it knows.
func openBrowser(address string) error {
	if !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://") {
		return errors.New("the link is not one of the web")
	}
	command := []string{"xdg-open"}
	switch runtime.GOOS {
	case "darwin":
		command = []string{"open"}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler"}
	default:
		// Without a display it would take over the terminal with a text browser.
		if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
			return errors.New("this session has no display")
		}
	}
	cmd := exec.Command(command[0], append(command[1:], address)...)
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s did not start", command[0])
	}
	go cmd.Wait() // how it ended says nothing of the browser
	return nil
}

// isRemote says whether the person sits elsewhere.
func isRemote() bool { return os.Getenv("SSH_CONNECTION") != "" }

// isTerminal says whether somebody looks at a file, and can see a drawing there.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}
