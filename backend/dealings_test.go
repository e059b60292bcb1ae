// What asks Zoho for anything? Each request that makes the engine call, in a mount where
// another credential is connected besides.

package backend_test

import (
	"strings"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// dealing is one thing that asks Zoho.
type dealing struct {
	name     string
	endpoint string // which endpoint it depends on, as the simulator calls it
	spends   bool   // a code is sent
	browser  bool   // who asks is a browser, which sends nothing again by itself
	ends     bool   // tokens that apps hold are meant to end
	deletes  bool   // crm is meant to be gone in the end
	prepare  func(m *mount)
	stage    func(m *mount) staged
}

// staged is what a dealing needs to have been done, and does.
type staged struct {
	// before are the credentials that are connected.
	before []string
	// prepared runs last before the trouble.
	prepared func()
	ask      func() told
	// again is what is done at once after it; nil: the same.
	again func() told
	// recover brings crm to where the dealing should have brought it, if it is not there.
	recover func()
}

// both are connected.
func both() []string { return []string{"books", "crm"} }

// pasting configures a mount whose people paste what the browser landed on.
func pasting(m *mount) { m.configure(nil) }

// receiving configures one that browsers come back to, with scopes that let Zoho be asked
// whose account it is.
func receiving(m *mount) {
	m.behindVault(data{"scopes": profileScopes})
}

// connected connects credentials in a browser, one after the other.
func connected(m *mount, names ...string) {
	m.t.Helper()
	for _, name := range names {
		m.connect(name)
	}
}

func pasted(m *mount, landed string) func() told {
	return func() told { return m.asked(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}) }
}

// byDevice connects a credential with a device client.
func (m *mount) byDevice(name string) {
	m.t.Helper()
	m.acceptsOnDevice(name)
	m.read("creds/" + name)
	synctest.Wait()
}

// acceptsOnDevice starts a consent by device and lets a person accept.
func (m *mount) acceptsOnDevice(name string) {
	m.t.Helper()
	code := m.write("authorize/"+name, data{"flow": "device"}).Data["user_code"].(string)
	if err := m.zoho.ApproveDevice(code, zohotest.Consent{}); err != nil {
		m.t.Fatal(err)
	}
	passes(31 * time.Second)
}

func deviceClient(m *mount) {
	c := m.zoho.AddClient(zohotest.Client{Type: zohotest.Device})
	m.write("config", data{"client_id": c.ID, "client_secret": c.Secret, "scopes": "ZohoCRM.modules.ALL", "max_age": "50m"})
}

func selfClient(m *mount) {
	c := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
	m.write("config", data{"client_id": c.ID, "client_secret": c.Secret})
}

// elsewhere is a grant that another program obtained with the same client.
func (m *mount) elsewhere() (refreshToken string) {
	m.t.Helper()
	other := newMountOn(m.t, m.zoho)
	other.configure(nil)
	other.connect("crm")
	for _, token := range other.storage.refreshTokens(m.t) {
		refreshToken = token
	}
	passes(61 * time.Minute) // its first token has run out, and its place is free
	return refreshToken
}

func dealings() []dealing {
	reads := func(m *mount, d data) func() told {
		return func() told { return m.asked(logical.ReadOperation, "creds/crm", d) }
	}
	writes := func(m *mount, path string, d data) func() told {
		return func() told { return m.asked(logical.UpdateOperation, path, d) }
	}
	return []dealing{
		{name: "Connecting: the address is pasted", endpoint: "token", spends: true, prepare: pasting, stage: func(m *mount) staged {
			connected(m, "books")
			return staged{before: []string{"books"}, ask: pasted(m, m.consent("crm", nil, zohotest.Consent{})), recover: func() { m.connect("crm") }}
		}},
		{name: "Connecting anew: the address is pasted", endpoint: "token", spends: true, prepare: pasting, stage: func(m *mount) staged {
			connected(m, both()...)
			return staged{before: both(), ask: pasted(m, m.consent("crm", nil, zohotest.Consent{}))}
		}},
		{name: "Connecting: the browser comes back to Vault", endpoint: "token", spends: true, browser: true, prepare: receiving, stage: func(m *mount) staged {
			m.clicks("books")
			landed := m.consent("crm", nil, zohotest.Consent{})
			return staged{before: []string{"books"}, ask: func() told { return m.browsed(landed) }, recover: func() { m.clicks("crm") }}
		}},
		{name: "Connecting anew: the browser comes back to Vault", endpoint: "token", spends: true, browser: true, prepare: receiving, stage: func(m *mount) staged {
			m.clicks("books")
			m.clicks("crm")
			landed := m.consent("crm", nil, zohotest.Consent{})
			return staged{before: both(), ask: func() told { return m.browsed(landed) }}
		}},
		{name: "Connecting: whose account it is (not needed)", endpoint: "api", prepare: receiving, stage: func(m *mount) staged {
			m.clicks("books")
			return staged{before: []string{"books"}, ask: pasted(m, m.consent("crm", nil, zohotest.Consent{}))}
		}},
		{name: "Connecting: whose account it is (expected_user)", endpoint: "api", prepare: receiving, stage: func(m *mount) staged {
			m.clicks("books")
			m.clicks("crm")
			started := m.write("authorize/crm", data{"expected_user": m.zoho.User("us").Email})
			landed := m.opens(started, zohotest.Consent{})
			return staged{before: both(), ask: func() told { return m.browsed(landed) }}
		}},
		{name: "Connecting: the grant of another account than expected_user is taken back", endpoint: "revoke", prepare: receiving, stage: func(m *mount) staged {
			m.clicks("books")
			m.clicks("crm")
			started := m.write("authorize/crm", data{"expected_user": m.zoho.User("us").Email})
			bob := m.zoho.AddUser(zohotest.User{Email: "bob@example.com"})
			landed := m.opens(started, zohotest.Consent{Email: bob.Email})
			return staged{before: both(), ask: func() told { return m.browsed(landed) }}
		}},
		{name: "Starting to add scopes", endpoint: "enhance", prepare: pasting, stage: func(m *mount) staged {
			connected(m, both()...)
			return staged{before: both(), ask: writes(m, "authorize/crm", data{"add_scopes": "ZohoCRM.users.READ"})}
		}},
		{name: "Adding scopes: the address is pasted", endpoint: "token", prepare: pasting, stage: func(m *mount) staged {
			connected(m, both()...)
			landed := m.consent("crm", data{"add_scopes": "ZohoCRM.users.READ"}, zohotest.Consent{})
			return staged{before: both(), ask: pasted(m, landed)}
		}},
		{name: "Starting a consent by device", endpoint: "device", prepare: deviceClient, stage: func(m *mount) staged {
			m.byDevice("books")
			return staged{before: []string{"books"}, ask: writes(m, "authorize/crm", data{"flow": "device"}), recover: func() { m.byDevice("crm") }}
		}},
		{name: "Reading while a person accepts on a device", endpoint: "device", prepare: deviceClient, stage: func(m *mount) staged {
			m.byDevice("books")
			return staged{
				before: []string{"books"}, prepared: func() { m.acceptsOnDevice("crm") }, ask: reads(m, nil),
				recover: func() {
					if m.stateOf("crm") != "ready" {
						m.byDevice("crm")
					}
				},
			}
		}},
		{name: "Reading a connected credential while a person accepts on a device", endpoint: "device", prepare: deviceClient, stage: func(m *mount) staged {
			m.byDevice("books")
			m.byDevice("crm")
			return staged{before: both(), prepared: func() { m.acceptsOnDevice("crm") }, ask: reads(m, nil)}
		}},
		{name: "Importing a refresh token", endpoint: "token", prepare: pasting, stage: func(m *mount) staged {
			token := m.elsewhere()
			connected(m, "books")
			ask := writes(m, "creds/crm", data{"refresh_token": token})
			return staged{before: []string{"books"}, ask: ask, recover: func() { ask() }}
		}},
		{name: "Connecting client credentials", endpoint: "token", prepare: selfClient, stage: func(m *mount) staged {
			m.write("creds/books", data{"code": m.selfCode()})
			ask := writes(m, "creds/crm", data{"grant_type": "client_credentials", "scopes": "ZohoCRM.org.READ", "soid": "ZohoCRM." + m.zoho.User("us").OrgID})
			return staged{before: []string{"books"}, ask: ask, recover: func() { ask() }}
		}},
		{name: "Reading without a living token", endpoint: "token", prepare: pasting, stage: func(m *mount) staged {
			connected(m, both()...)
			return staged{before: both(), prepared: func() { passes(61 * time.Minute); m.token("books") }, ask: reads(m, nil)}
		}},
		{name: "Reading with a living token", endpoint: "token", prepare: pasting, stage: func(m *mount) staged {
			connected(m, both()...)
			return staged{before: both(), prepared: func() { passes(20 * time.Minute) }, ask: reads(m, nil)}
		}},
		{name: "Reading with a demand (min_ttl) that no living token meets", endpoint: "token", prepare: pasting, stage: func(m *mount) staged {
			connected(m, both()...)
			return staged{before: both(), prepared: func() { passes(20 * time.Minute) }, ask: reads(m, data{"min_ttl": "50m"})}
		}},
		{name: "Reading after Zoho rejected the token (rejected)", endpoint: "token", prepare: pasting, ends: true, stage: func(m *mount) staged {
			connected(m, both()...)
			d := data{}
			return staged{before: both(), prepared: func() {
				passes(20 * time.Minute)
				got := m.read("creds/crm")
				m.zoho.RevokeAccessToken(got["access_token"].(string))
				passes(2 * time.Minute)
				d["rejected"] = got["token_id"]
			}, ask: reads(m, d)}
		}},
		{name: "Writing config: the client is tried", endpoint: "token", prepare: pasting, stage: func(m *mount) staged {
			connected(m, both()...)
			return staged{before: both(), ask: writes(m, "config", data{"max_age": "1m"})}
		}},
		{name: "Probing: status with probe=true", endpoint: "api", prepare: receiving, stage: func(m *mount) staged {
			m.clicks("books")
			m.clicks("crm")
			return staged{before: both(), ask: writes(m, "status/crm", data{"probe": true})}
		}},
		{name: "Revoking one credential's access tokens", endpoint: "revoke", ends: true, prepare: pasting, stage: func(m *mount) staged {
			connected(m, both()...)
			return staged{before: both(), ask: writes(m, "revoke/crm", nil)}
		}},
		{name: "Revoking all access tokens", endpoint: "revoke", ends: true, prepare: pasting, stage: func(m *mount) staged {
			connected(m, both()...)
			return staged{before: both(), ask: writes(m, "revoke", nil)}
		}},
		{name: "Deleting", endpoint: "revoke", ends: true, deletes: true, prepare: pasting, stage: func(m *mount) staged {
			connected(m, both()...)
			return staged{before: both(), ask: func() told { return m.asked(logical.DeleteOperation, "creds/crm", nil) }}
		}},
		{name: "In the background: a replaced grant is revoked", endpoint: "revoke", prepare: pasting, stage: func(m *mount) staged {
			connected(m, both()...)
			connected(m, "crm")
			sweep := func() told {
				m.tick()
				passes(3 * time.Minute) // longer than a call, and than a server that failed is left alone
				for _, key := range m.storage.keys(m.t) {
					if strings.HasPrefix(key, "due/") {
						return told{outcome: "it is tried again"}
					}
				}
				return told{outcome: "done"}
			}
			return staged{before: both(), prepared: func() { passes(2 * time.Hour) }, ask: sweep}
		}},
	}
}
