// Does a read that is answered from memory alone answer what any other does? Every
// test reads the way the bridge does: memory is asked first.

package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// warm is what the bridge asks first.
type warm interface {
	WarmRead(path string, room []byte) (data []byte, ok bool)
}

// answered handles a request as internal/bridge does.
func answered(ctx context.Context, b logical.Backend, req *logical.Request) (*logical.Response, error) {
	if data, ok := readWarm(b, req.Path); ok && req.Operation == logical.ReadOperation && len(req.Data) == 0 {
		return &logical.Response{Data: data}, nil
	}
	return b.HandleRequest(ctx, req)
}

// readWarm returns an answer of memory, with the types that a handler gives it.
func readWarm(b logical.Backend, path string) (map[string]any, bool) {
	w, ok := b.(warm)
	if !ok {
		return nil, false // over the SDK's own bridge
	}
	const before = "before"
	text, ok := w.WarmRead(path, []byte(before))
	if !ok {
		return nil, false
	}
	var answer struct {
		Scopes         []string `json:"scopes"`
		RotationPeriod int      `json:"rotation_period"`
		TTL            int      `json:"ttl"`
	}
	data := map[string]any{}
	text = text[len(before):]
	if err := json.Unmarshal(text, &answer); err != nil {
		panic(fmt.Sprintf("%v: %s", err, text))
	}
	if err := json.Unmarshal(text, &data); err != nil {
		panic(err)
	}
	data["scopes"], data["rotation_period"], data["ttl"] = answer.Scopes, answer.RotationPeriod, answer.TTL
	return data, true
}

func TestMemoryAnswersWhatAHandlerDoes(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		m.read("creds/crm")
		time.Sleep(time.Minute)
		fast, ok := readWarm(m.backend, "creds/crm")
		if !ok {
			t.Fatal("a warm read is not answered from memory")
		}
		resp, err := m.backend.HandleRequest(t.Context(), &logical.Request{Operation: logical.ReadOperation, Path: "creds/crm", Storage: m.storage})
		if err != nil {
			t.Fatal(err)
		}
		slow := maps.Clone(resp.Data)
		for _, answer := range []map[string]any{fast, slow} {
			if ttl := answer["ttl"].(int); ttl < 29*60 || ttl > 31*60 {
				t.Errorf("ttl %d of a token that is a minute old, with a max_age of 30", ttl)
			}
			delete(answer, "ttl") // has jitter
		}
		if !reflect.DeepEqual(fast, slow) {
			t.Errorf("memory answers\n%v\nand a handler\n%v", fast, slow)
		}
		if reads := m.read("metrics")["reads"]; reads != int64(3) {
			t.Errorf("%v of 3 reads are counted", reads)
		}
	})
}

// Whatever is more than data, or needs storage or Zoho, goes to a handler.
func TestMemoryLeavesToAHandlerWhatIsNotItsOwn(t *testing.T) {
	for name, change := range map[string]func(m *mount){
		"disabled": func(m *mount) {
			m.patch("creds/crm", data{"disabled": true})
			m.read("status/crm")
			_, _ = m.try(logical.ReadOperation, "creds/crm", nil)
		},
		"leased":              func(m *mount) { m.patch("creds/crm", data{"leased": true}); m.read("creds/crm") },
		"nothing read before": func(m *mount) { m.restart() },
		"another max_age":     func(m *mount) { m.write("config", data{"max_age": "5s"}); time.Sleep(time.Minute) },
		"time for the next":   func(*mount) { time.Sleep(27 * time.Minute) },
		"too old":             func(*mount) { time.Sleep(45 * time.Minute) },
		"expired":             func(*mount) { time.Sleep(2 * time.Hour) },
		"another client": func(m *mount) {
			m.write("config", data{"client_id": "1000.OTHER", "client_secret": "s", "verify": false})
		},
		"deleted":              func(m *mount) { m.delete("creds/crm") },
		"another node changed": func(m *mount) { m.backend.InvalidateKey(context.Background(), "creds/crm") },
		"another node minted": func(m *mount) {
			for _, key := range m.storage.keys(m.t) {
				m.backend.InvalidateKey(context.Background(), key)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(data{"max_age": "30m"})
				m.connect("crm")
				m.read("creds/crm")
				if _, ok := readWarm(m.backend, "creds/crm"); !ok {
					t.Fatal("a warm read is not answered from memory")
				}
				change(m)
				if answer, ok := readWarm(m.backend, "creds/crm"); ok {
					t.Errorf("memory answers %v", answer)
				}
			})
		})
	}
}

func TestMemoryAnswersNothingButCredentials(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		m.read("creds/crm")
		for _, path := range []string{"", "creds", "creds/", "creds/cr", "creds/crm/", "/creds/crm", "status/crm", "config", "creds/status/crm"} {
			if answer, ok := readWarm(m.backend, path); ok {
				t.Errorf("%q: %v", path, answer)
			}
		}
	})
}

// While a failure is waited out the answer carries a warning, which is more than data.
func TestMemoryLeavesAWarningToAHandler(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "5m"})
		m.connect("crm")
		m.read("creds/crm")
		m.tap(func(r *http.Request, body string) (int, string) { return http.StatusServiceUnavailable, "{}" })
		time.Sleep(6 * time.Minute)
		m.read("creds/crm")
		if answer, ok := readWarm(m.backend, "creds/crm"); ok {
			t.Errorf("memory answers %v without a warning", answer)
		}
	})
}

// Reading is what polls Zoho while a person is looking for the page.
func TestMemoryLeavesAReadBesideADeviceConsentToAHandler(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		if err := m.zoho.ApproveDevice(m.device("tv"), zohotest.Consent{}); err != nil {
			t.Fatal(err)
		}
		passes(31 * time.Second)
		m.token("tv")
		m.token("tv")
		if _, ok := readWarm(m.backend, "creds/tv"); !ok {
			t.Fatal("a warm read is not answered from memory")
		}
		m.write("authorize/tv", data{"flow": "device"})
		if _, ok := readWarm(m.backend, "creds/tv"); ok {
			t.Fatal("memory answers while a device is awaited, so nobody would poll")
		}
		m.token("tv")
		if _, ok := readWarm(m.backend, "creds/tv"); ok {
			t.Error("memory answers while a device is awaited, so nobody would poll")
		}
	})
}
