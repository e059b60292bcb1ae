// How does a script keep what a command answered?

package acceptance

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

func captureCommand(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 && len(args) != 2 {
		ts.Fatalf("usage: capture NAME [FIELD]")
	}
	text := strings.TrimSpace(ts.ReadFile("stdout"))
	if len(args) == 2 && strings.HasPrefix(args[1], "?") {
		address, err := url.Parse(text)
		ts.Check(err)
		if text = address.Query().Get(args[1][1:]); text == "" {
			ts.Fatalf("no %s in the address", args[1])
		}
	} else if len(args) == 2 {
		var value any
		ts.Check(json.Unmarshal([]byte(text), &value))
		for _, key := range strings.Split(args[1], ".") {
			switch container := value.(type) {
			case map[string]any:
				value = container[key]
			case []any:
				i, err := strconv.Atoi(key)
				if err != nil || i >= len(container) {
					ts.Fatalf("no %s in a list of %d", key, len(container))
				}
				value = container[i]
			default:
				value = nil
			}
		}
		if value == nil {
			ts.Fatalf("no %s in %s", args[1], text)
		}
		text = fmt.Sprint(value)
	}
	ts.Setenv(args[0], text)
}
