// Does the demo show what it says, and can every user that it offers be connected?

package acceptance

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

func TestTheDemoConfiguresEveryDataCenterThatItOffers(t *testing.T) {
	screen, err := exec.Command("make", "-C", "..", "demo").CombinedOutput()
	if err != nil || !strings.Contains(string(screen), "\ndemo: done\n") {
		t.Fatalf("it ended with %v:\n%s", err, screen)
	}
	if !strings.Contains(string(screen), `"company_name"`) {
		t.Errorf("nobody called an API:\n%s", screen)
	}
	if !strings.Contains(string(screen), "connect again with authorize/crm\n\ndemo: done\n") {
		t.Errorf("it does not end with a failure and its remedy:\n%s", screen)
	}
	config := regexp.MustCompile(`(?m)^\$ vault write zoho/config .*$`).Find(screen)
	for _, dc := range strings.Fields("us eu in au jp ca sa uk cn ae") {
		if !regexp.MustCompile(`[=,]` + dc + `=http://`).Match(config) {
			t.Errorf("%s is not in %s", dc, config)
		}
	}
}
