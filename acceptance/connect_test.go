// How does a story get a credential that is not its point? By the tutorial's way,
// in one line.

package acceptance

import (
	"encoding/json"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// connectCommand connects credentials as root, one consent each.
func connectCommand(ts *testscript.TestScript, neg bool, args []string) {
	var names, fields []string
	for _, arg := range args {
		if strings.Contains(arg, "=") {
			fields = append(fields, arg)
		} else {
			names = append(names, arg)
		}
	}
	if neg || len(names) == 0 {
		ts.Fatalf("usage: connect NAME... [FIELD=VALUE]")
	}
	w, zoho := worldOf(ts), zohoOf(ts)
	for _, name := range names {
		address := w.mustVault(ts, append([]string{"write", "-force", "-field=authorization_url", "zoho/authorize/" + name}, fields...)...)
		body, err := json.Marshal(map[string]string{"url": strings.TrimSpace(string(address))})
		ts.Check(err)
		answer, err := zoho.ask("POST", "/authorize", body)
		ts.Check(err)
		var landed struct {
			CallbackURL string `json:"callback_url"`
		}
		ts.Check(json.Unmarshal(answer, &landed))
		w.mustVault(ts, "write", "zoho/creds/"+name, "callback_url="+landed.CallbackURL)
	}
}
