// Does Vault know every grant that there is at Zoho? Compares what is stored with
// what the simulator would let mint.

package acceptance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// noOrphanCommand waits until every grant at Zoho is one that is stored: by a
// credential, or as one that is to be revoked.
func noOrphanCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: no-orphan")
	}
	w, zoho := worldOf(ts), zohoOf(ts)
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		known, err := w.vault.refreshTokens()
		ts.Check(err)
		orphans, err := zoho.orphans(known)
		ts.Check(err)
		if len(orphans) == 0 {
			ts.Logf("%d grants are stored, and Zoho has no other", len(known))
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%d grants at Zoho are in no storage: %v", len(orphans), orphans)
		}
	}
}

// orphan is a grant at Zoho that no mount knows.
type orphan struct {
	Token  string
	Issued time.Time
}

// orphans are the refresh tokens at Zoho that are not among the known ones,
// whether or not their answer ever arrived.
func (s *simulator) orphans(known map[string]bool) ([]orphan, error) {
	answer, err := s.ask("GET", "/tokens", nil)
	if err != nil {
		return nil, err
	}
	var tokens struct {
		Refresh []orphan `json:"refresh_tokens"`
	}
	if err := json.Unmarshal(answer, &tokens); err != nil {
		return nil, err
	}
	var orphans []orphan
	for _, t := range tokens.Refresh {
		if !known[t.Token] {
			orphans = append(orphans, t)
		}
	}
	return orphans, nil
}

// refreshTokens are those that any mount of the plugin has stored.
func (s *server) refreshTokens() (map[string]bool, error) {
	var mounts map[string]struct{ Type, UUID string }
	if err := s.data("sys/mounts", &mounts); err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, mount := range mounts {
		if mount.Type != pluginName {
			continue
		}
		for _, prefix := range []string{"creds/", "due/", "grant/"} {
			raw := "sys/raw/logical/" + mount.UUID + "/" + prefix
			var list struct{ Keys []string }
			if err := s.data(raw+"?list=true", &list); err != nil {
				return nil, err
			}
			for _, key := range list.Keys {
				var entry struct{ Value string }
				if err := s.data(raw+url.PathEscape(key), &entry); err != nil {
					return nil, err
				}
				var stored struct {
					RefreshToken string `json:"refresh_token"`
				}
				if entry.Value == "" {
					continue // deleted since it was listed
				}
				if err := json.Unmarshal([]byte(entry.Value), &stored); err != nil {
					return nil, fmt.Errorf("%s%s: %w", prefix, key, err)
				}
				known[stored.RefreshToken] = true
			}
		}
	}
	delete(known, "") // client credentials
	return known, nil
}

// data reads a path as root; what is not there is left as it is.
func (s *server) data(path string, into any) error {
	request, err := http.NewRequest("GET", s.address+"/v1/"+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("X-Vault-Token", s.token)
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound {
		return nil
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("reading %s: %s: %s", path, response.Status, body)
	}
	return json.Unmarshal(body, &struct{ Data any }{into})
}
