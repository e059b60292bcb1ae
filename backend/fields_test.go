// Fields of a request: what null and an empty value mean, what a pasted value may have
// around it, and which characters no field takes.

package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// differs are fields of answers that no two requests have alike.
var differs = []string{"authorization_url", "state", "user_code", "access_token", "authorization", "token_id", "ttl"}

// effect describes what a request with these fields does on a mount of its own, on
// which crm is connected.
func effect(t *testing.T, op logical.Operation, path string, d func(m *mount) data) (text string) {
	t.Helper()
	inBubble(t, func(t *testing.T, m *mount) {
		switch {
		case path != "config":
			m.configure(data{"verify": false})
			m.connect("crm")
		case op != logical.CreateOperation:
			c := m.zoho.DefaultClient()
			m.write("config", data{"client_id": c.ID, "client_secret": c.Secret, "verify": false})
		}
		resp, err := m.try(op, path, d(m))
		if resp != nil {
			shown := maps.Clone(resp.Data)
			maps.DeleteFunc(shown, func(name string, _ any) bool { return slices.Contains(differs, name) })
			text = fmt.Sprint(shown, resp.Warnings)
		}
		text += fmt.Sprint(" error: ", err)
		for _, path := range []string{"config", "status/crm"} {
			resp, err := m.try(logical.ReadOperation, path, nil)
			if resp != nil {
				text += fmt.Sprint(" ", path, ": ", resp.Data)
			}
			text += fmt.Sprint(" ", err)
		}
		client, _ := m.zoho.DefaultClient(), 0
		text = strings.ReplaceAll(text, client.ID, "<client>")
		m.zoho.Reset()
		m.endAll()
	})
	return text
}

// base is what a request needs besides the field that is looked at.
func base(m *mount, op logical.Operation, path, field string) data {
	d := data{}
	c := m.zoho.DefaultClient()
	switch {
	case path == "config" && op == logical.CreateOperation:
		d = data{"client_id": c.ID, "client_secret": c.Secret, "redirect_uri": c.RedirectURIs[0], "verify": false}
	case path == "config":
		d = data{"verify": false}
	case path == "status/crm" && op == logical.UpdateOperation:
		d = data{"probe": true}
	}
	delete(d, field)
	return d
}

func TestNullIsAsIfTheFieldWereLeftOut(t *testing.T) {
	for path, operations := range everyOperation() {
		for _, op := range operations {
			for _, field := range fieldsAt(t, path) {
				if path == "config" && (field == "client_id" || field == "client_secret") && (op == logical.UpdateOperation || op == logical.PatchOperation) {
					continue // stored, and needed always
				}
				without := effect(t, op, path, func(m *mount) data { return base(m, op, path, field) })
				null := effect(t, op, path, func(m *mount) data {
					d := base(m, op, path, field)
					d[field] = nil
					return d
				})
				if null != without {
					t.Errorf("%s %s: %s=null gives\n%s\nand without it\n%s", op, path, field, null, without)
				}
			}
		}
	}
}

func fieldsAt(t *testing.T, path string) []string {
	fields := newMount(t).fieldsOf(path)
	return slices.Sorted(func(yield func(string) bool) {
		for name := range fields {
			if name != "name" && name != "id" && !yield(name) {
				return
			}
		}
	})
}

// notEmpty are fields that an empty value of may come of a mistake that must be told:
// an unset variable of a shell.
var notEmpty = map[string][]string{
	"authorize/crm": {"expected_user", "expected_data_center", "add_scopes", "if_state"},
	"creds/crm":     {"callback_url", "code", "refresh_token", "rejected"},
}

func TestEmptyValueInAWriteIsTheDefault(t *testing.T) {
	for _, path := range []string{"config", "authorize/crm", "creds/crm"} {
		for _, field := range fieldsAt(t, path) {
			for _, empty := range []string{"", " "} {
				if kind := fmt.Sprint(newMount(t).fieldsOf(path)[field].Type); empty == " " && kind != "string" {
					continue
				}
				op := logical.Operation(logical.UpdateOperation)
				if path == "config" {
					op = logical.CreateOperation
				}
				without := effect(t, op, path, func(m *mount) data { return base(m, op, path, field) })
				got := effect(t, op, path, func(m *mount) data {
					d := base(m, op, path, field)
					d[field] = empty
					return d
				})
				if slices.Contains(notEmpty[path], field) {
					if !strings.Contains(got, "error: 400") {
						t.Errorf("%s: %s=%q is taken: %s", path, field, empty, got)
					}
					continue
				}
				if got != without {
					t.Errorf("%s %s: %s=%q gives\n%s\nand without it\n%s", op, path, field, empty, got, without)
				}
			}
		}
	}
}

// changed is another value than the default, for each setting.
var changed = map[string]data{
	"config": {
		"client_secrets": map[string]any{"eu": "1000.other"}, "data_center": "eu", "accounts_urls": "mars=https://accounts.zoho.example",
		"redirect_uri": "https://app.example.com/other", "vault_addr": "https://vault.example.com", "return_urls": "https://app.example.com/done", "scopes": "Desk.basic.READ", "max_age": "20m",
		"min_ttl": "5m", "mint_limit": 5, "mint_window": "5m", "mint_limit_key": "client", "live_token_limit": 30, "request_timeout": "20s", "max_token_lifetime": "30m",
		"ca_pem": authority, "pkce": true,
	},
	"creds/crm": {"max_age": "20m", "min_ttl": "5m", "leased": true, "disabled": true, "custom_metadata": "team=red"},
}

func TestNullAndAnEmptyValueRestoreTheDefaultOfEverySetting(t *testing.T) {
	settings := map[string][]string{"creds/crm": slices.Sorted(maps.Keys(changed["creds/crm"]))}
	for _, field := range fieldsAt(t, "config") {
		if !slices.Contains([]string{"client_id", "client_secret", "verify"}, field) { // needed always; not stored
			settings["config"] = append(settings["config"], field)
		}
	}
	shownAt := func(m *mount, path string) data {
		if path == "config" {
			return m.read("config")
		}
		return m.patched("creds/crm", nil)
	}
	for path, fields := range settings {
		for _, field := range fields {
			value, found := changed[path][field]
			if !found {
				t.Errorf("%s: no value to change %s to", path, field)
			}
			for _, op := range []logical.Operation{logical.UpdateOperation, logical.PatchOperation} {
				for _, none := range []any{nil, ""} {
					inBubble(t, func(t *testing.T, m *mount) {
						c := m.zoho.DefaultClient()
						m.write("config", data{"client_id": c.ID, "client_secret": c.Secret, "verify": false})
						if path != "config" {
							m.write("config", data{"redirect_uri": c.RedirectURIs[0], "scopes": "ZohoCRM.org.READ", "verify": false})
							m.connect("crm")
						}
						fresh := shownAt(m, path)
						write := func(value any) {
							d := data{field: value}
							if path == "config" {
								d["client_secret"], d["verify"] = c.Secret, false
							}
							m.do(op, path, d)
						}
						if write(value); fmt.Sprint(shownAt(m, path)) == fmt.Sprint(fresh) {
							t.Errorf("%s: %s=%v changes nothing", path, field, value)
						}
						if write(none); fmt.Sprint(shownAt(m, path)) != fmt.Sprint(fresh) {
							t.Errorf("%s %s: %s=%#v leaves %v; want %v", op, path, field, none, shownAt(m, path), fresh)
						}
					})
				}
			}
		}
	}
}

// patched is what a write of settings answers.
func (m *mount) patched(path string, d data) data {
	m.t.Helper()
	return m.do(logical.PatchOperation, path, d).Data
}

func TestEmptyParametersOfAReadAreAsIfTheyWereLeftOut(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		first := m.token("crm")
		passes(20 * time.Minute)
		if again := m.readWith("creds/crm", data{"max_age": "", "min_ttl": "", "rejected": ""})["access_token"]; again != first {
			t.Error("an empty max_age asks for a new token")
		}
	})
}

// hidden are characters that change how the text around them is shown.
const hidden = "\x00\x01\x08\t\x0b\x1b\x7f\u0085\u009b\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

func TestNoTextHasHiddenCharacters(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(data{"return_urls": "https://app.example.com/done"})
		m.connect("crm")
		free := map[string]bool{"authorize/crm return_state": true, "config ca_pem": true}
		for _, path := range []string{"config", "authorize/crm", "creds/crm"} {
			for name, schema := range m.fieldsOf(path) {
				if name == "name" || name == "id" || free[path+" "+name] {
					continue
				}
				for _, r := range hidden + "\n" {
					var values []any
					text := "a" + string(r) + "b"
					switch fmt.Sprint(schema.Type) {
					case "string":
						values = []any{text, "https://a.example/" + text}
					case "keypair":
						values = []any{map[string]any{"eu": "https://" + text}, map[string]any{text: "https://x.example"}}
						if r != '\n' {
							values = append(values, "eu=https://"+text)
						}
					case "slice":
						if strings.ContainsRune("\t\n\x0b\u0085", r) {
							continue // white space, which separates items
						}
						values = []any{text, []any{text}, "https://a.example/" + text}
					}
					for _, value := range values {
						_, err := m.try(logical.PatchOperation, path, data{name: value})
						if path == "authorize/crm" {
							_, err = m.try(logical.UpdateOperation, path, data{name: value})
						}
						refused, ok := err.(*refusal)
						if !ok || refused.status != 400 || strings.ContainsRune(refused.text, r) && r != '\n' {
							t.Errorf("%s: %s=%q: %v", path, name, value, err)
						}
					}
				}
			}
		}
	})
}

func TestTextIsUTF8(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.unmoved(func() {
			m.refused(logical.UpdateOperation, "config", data{"redirect_uri": "https://app.example.com/\xff"}, 400, "redirect_uri", "UTF-8")
			m.refused(logical.PatchOperation, "creds/crm", data{"custom_metadata": map[string]any{"a": "\x9b"}}, 400, "custom_metadata", "UTF-8")
		})
	})
}

func TestDisplayNameIsShownWithoutHiddenCharacters(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.behindVault(nil)
		if _, err := m.startBy(logical.Request{EntityID: "e-1", DisplayName: "an\x1b[2Jn\u202e"}, nil); err != nil {
			t.Fatal(err)
		}
		_, err := m.startBy(logical.Request{EntityID: "e-2"}, nil)
		if err == nil || !strings.Contains(err.Error(), "by an?[2Jn?") {
			t.Errorf("somebody else is told %q", err)
		}
	})
}

func TestPastedValuesMayHaveSpaceAndInvisibleCharactersAround(t *testing.T) {
	for _, around := range []string{"\ufeff", "\u200b", "\u200c", "\u200d", "\u2060", "\u00a0", " \ufeff\r\n\t\u2028"} {
		inBubble(t, func(t *testing.T, m *mount) {
			pasted := func(s string) string { return around + s + around }
			c := m.zoho.DefaultClient()
			m.write("config", data{"client_id": pasted(c.ID), "client_secret": pasted(c.Secret), "redirect_uri": pasted(c.RedirectURIs[0]), "scopes": pasted("ZohoCRM.org.READ," + pasted("Desk.basic.READ"))})
			if got := fmt.Sprint(m.read("config")["scopes"]); got != "[ZohoCRM.org.READ Desk.basic.READ]" {
				t.Errorf("%q: scopes are %s", around, got)
			}
			m.write("creds/crm", data{"callback_url": pasted(m.consent("crm", data{"data_center": pasted("us")}, zohotest.Consent{}))})
			m.write("creds/crm", data{"custom_metadata": pasted("team = " + strings.NewReplacer("\r", "", "\n", "").Replace(around) + "red")})
			if got := fmt.Sprint(m.read("status/crm")["custom_metadata"]); got != "map[team:red]" {
				t.Errorf("%q: metadata is %s", around, got)
			}
			m.write("creds/copy", data{"refresh_token": pasted(m.elsewhere())})
			m.token("copy")
			m.hours()
			m.endAll()
		})
	}
}

func TestMetadataKeepsNumbersAndTruthAsTheyWereWritten(t *testing.T) {
	for written, want := range map[string]string{
		`12345678`: "12345678", `1.5`: "1.5", `-3`: "-3", `0.1`: "0.1", `12345678.25`: "12345678.25", `9007199254740991`: "9007199254740991",
		`true`: "true", `false`: "false", `"00017"`: "00017", `1e3`: "1000",
	} {
		var overBridge, direct map[string]any // the bridge decodes with float64, the framework's own tests with json.Number
		body := `{"custom_metadata":{"n":` + written + `}}`
		if err := json.Unmarshal([]byte(body), &overBridge); err != nil {
			t.Fatal(err)
		}
		decoder := json.NewDecoder(strings.NewReader(body))
		decoder.UseNumber()
		if err := decoder.Decode(&direct); err != nil {
			t.Fatal(err)
		}
		for how, d := range map[string]map[string]any{"float64": overBridge, "json.Number": direct} {
			inBubble(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.connect("crm")
				m.patch("creds/crm", d)
				got := m.read("status/crm")["custom_metadata"].(map[string]string)["n"]
				if got != want && !(how == "json.Number" && got == written) {
					t.Errorf("%s as %s is shown as %s", written, how, got)
				}
			})
		}
	}
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		for _, nested := range []any{map[string]any{"a": map[string]any{"b": "c"}}, map[string]any{"a": []any{"b"}}, []any{map[string]any{"a": "b"}}, map[string]any{"a": 9007199254740993.0}, []any{1.0}} {
			m.unmoved(func() {
				m.refused(logical.PatchOperation, "creds/crm", data{"custom_metadata": nested}, 400, "custom_metadata")
			})
		}
	})
}

func TestDataCentersOfMapsAreOneInAnyCase(t *testing.T) {
	for range 20 { // maps are walked in another order each time
		inBubble(t, func(t *testing.T, m *mount) {
			c := m.zoho.DefaultClient()
			m.configure(data{"client_secrets": map[string]any{"eu": "old", "in": "other"}, "verify": false})
			m.patch("config", data{"client_secrets": map[string]any{"EU": m.zoho.RotateSecret(c.ID, "eu")}, "verify": false})
			m.write("creds/crm", data{"callback_url": m.consent("crm", nil, zohotest.Consent{DataCenter: "eu"})})
			m.patch("config", data{"client_secrets": map[string]any{" EU ": nil}, "verify": false})
			if left := fmt.Sprint(m.read("config")["client_secrets_set"]); left != "[in]" {
				t.Errorf("EU=null leaves %s", left)
			}
			m.patch("config", data{"accounts_urls": map[string]any{"Mars": "https://accounts.zoho.example"}, "client_secret": c.Secret, "client_secrets": data(map[string]any{"IN": "other"}).any(), "verify": false})
			m.patch("config", data{"accounts_urls": map[string]any{"MARS": nil}, "client_secret": c.Secret, "client_secrets": map[string]any{"In": "other"}, "verify": false})
			if left := fmt.Sprint(m.read("config")["accounts_urls"]); left != "map[]" {
				t.Errorf("MARS=null leaves %s", left)
			}
			for _, twice := range []any{map[string]any{"eu": "a", "EU": "b"}, map[string]any{"eu": "a", "Eu": nil}, "eu=a,EU=b", []any{"eu=a", "eu=b"}, map[string]any{"eu": "a", " eu": "a"}} {
				m.refused(logical.PatchOperation, "config", data{"client_secrets": twice, "verify": false}, 400, "client_secrets", "two values for one name")
			}
			m.refused(logical.PatchOperation, "config", data{"accounts_urls": "eu=https://a.example,EU=https://b.example", "client_secret": c.Secret, "client_secrets": "in=other"}, 400, "accounts_urls", "two values for one name")
			m.refused(logical.PatchOperation, "creds/crm", data{"custom_metadata": map[string]any{"a": "1", " a": "2"}}, 400, "custom_metadata", "two values for one name")
			m.endAll()
			m.zoho.Reset()
		})
	}
}

// any is the map as it comes from JSON.
func (d data) any() map[string]any { return d }

func TestAnUnknownNameThatIsReadDoesNotKeepConfig(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		release := m.storage.blocking("get", "pending/")
		var reading sync.WaitGroup
		reading.Go(func() {
			if _, err := m.request(context.Background(), logical.ReadOperation, "creds/nobody", nil); err == nil {
				t.Error("an unknown name is answered")
			}
		})
		synctest.Wait()
		_, err := m.try(logical.DeleteOperation, "config", nil)
		release()
		if reading.Wait(); err != nil {
			t.Errorf("while it is read: %v", err)
		}
	})
}
