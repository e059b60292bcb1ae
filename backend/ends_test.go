// What if somebody leaves: the caller, the mount, Vault itself? What must be done is
// done first, and nobody waits for Zoho for long.

package backend_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/backend"
	"vault-plugin-secrets-zoho/zohotest"
)

// device configures a device client and starts a consent by it.
func (m *mount) device(name string) (userCode string) {
	m.t.Helper()
	device := m.zoho.AddClient(zohotest.Client{Type: zohotest.Device})
	m.write("config", data{"client_id": device.ID, "client_secret": device.Secret, "scopes": "ZohoCRM.modules.ALL", "max_age": "50m"})
	return m.write("authorize/"+name, data{"flow": "device"}).Data["user_code"].(string)
}

// Vault takes the storage away when it is unmounted.
func TestUnmountWaitsForWorkInTheBackground(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.delete("creds/crm")
		var under atomic.Int64
		slowly := func(op, key string) error {
			under.Add(1)
			defer under.Add(-1)
			time.Sleep(time.Second)
			return nil
		}
		m.storage.before.Store(&slowly)
		passes(61 * time.Minute)
		m.tick()
		if under.Load() == 0 {
			t.Fatal("nothing is under way")
		}
		m.backend.Cleanup(context.Background())
		if n := under.Load(); n > 0 {
			t.Errorf("%d operations of storage are under way after an unmount", n)
		}
		m.storage.working()
		m.restart()
		m.hours()
	})
}

func TestUnmountWaitsAWhileForZohoAndNoLonger(t *testing.T) {
	for what, work := range map[string]func(m *mount){
		"a device poll": func(m *mount) {
			m.device("tv")
			m.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang, Endpoint: "device"})
			passes(62 * time.Second)
			_, _ = m.try(logical.ReadOperation, "creds/tv", nil)
		},
		"a device poll beside a credential": func(m *mount) {
			if err := m.zoho.ApproveDevice(m.device("tv"), zohotest.Consent{}); err != nil {
				m.t.Fatal(err)
			}
			passes(31 * time.Second)
			m.token("tv")
			m.start("tv")
			m.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang, Endpoint: "device"})
			passes(31 * time.Second)
			m.token("tv")
		},
		"a mint": func(m *mount) {
			m.configure(nil)
			m.connect("crm")
			m.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang})
			passes(62 * time.Second)
			_, _ = m.try(logical.ReadOperation, "creds/crm", data{"min_ttl": "59m"})
		},
		"an exchange": func(m *mount) {
			m.configure(nil)
			landed := m.consent("crm", nil, zohotest.Consent{})
			m.zoho.Fault(zohotest.Fault{Kind: zohotest.Hang})
			passes(62 * time.Second)
			_, _ = m.try(logical.UpdateOperation, "creds/crm", data{"callback_url": landed})
		},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				var others sync.WaitGroup
				others.Go(func() { work(m) })
				synctest.Wait()
				passes(63 * time.Second)
				m.zoho.ClearFaults() // what hangs hangs on
				start := time.Now()
				m.backend.Cleanup(context.Background())
				if took := time.Since(start); took > 4*time.Second {
					t.Errorf("the unmount took %s", took)
				}
				others.Wait()
				passes(time.Minute) // what was left to itself ends
			})
		})
	}
}

func TestExchangeUnderWayIsFinishedBeforeAReload(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 2 * time.Second, Times: 1})
		var others sync.WaitGroup
		others.Go(func() { _, _ = m.try(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}) })
		synctest.Wait()
		m.backend.Cleanup(context.Background())
		// The process is gone: nothing that it does now counts.
		stored := m.storage.contents(t)
		if _, connected := stored["creds/crm"]; !connected {
			t.Error("what the code bought died with the process")
		}
		others.Wait()
		m.restart()
		m.token("crm")
	})
}

func TestCallerThatHangsUpIsNoFaultOfTheEngine(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.cold()
		ctx, hangUp := context.WithCancel(context.Background())
		// Over the bridge storage has an error of its own for this.
		gone := func(op, key string) error {
			hangUp()
			return errors.New("rpc error: code = Canceled desc = context canceled")
		}
		m.storage.before.Store(&gone)
		_, err := m.request(ctx, logical.ReadOperation, "creds/crm", nil)
		m.storage.working()
		if coded, ok := err.(logical.HTTPCodedError); !ok || coded.Code() != 503 {
			t.Errorf("got %v", err)
		}
		if strings.Contains(m.logs.String(), "[ERROR]") {
			t.Error("a caller that left is logged as an error")
		}
	})
}

func TestDeleteDuringTheFirstConnectIsNotUndone(t *testing.T) {
	for what, work := range map[string]func(m *mount) func(){
		"a code": func(m *mount) func() {
			m.configure(nil)
			landed := m.consent("crm", nil, zohotest.Consent{})
			return func() {
				m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "deleted", "authorize/crm")
			}
		},
		"a device": func(m *mount) func() {
			if err := m.zoho.ApproveDevice(m.device("crm"), zohotest.Consent{}); err != nil {
				m.t.Fatal(err)
			}
			passes(31 * time.Second)
			return func() { m.refused(logical.ReadOperation, "creds/crm", nil, 400, "deleted", "authorize/crm") }
		},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(t *testing.T, m *mount) {
				connect := work(m)
				m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Times: 1})
				var others sync.WaitGroup
				others.Go(connect)
				synctest.Wait()
				m.delete("creds/crm")
				others.Wait()
				m.refused(logical.ReadOperation, "creds/crm", nil, 404)
				m.settled(0)
			})
		})
	}
}

func TestImportIsNotUndeletedEither(t *testing.T) {
	for _, how := range []data{nil, {"revoke": false}} {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			m.connect("other")
			m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Times: 1})
			var others sync.WaitGroup
			others.Go(func() {
				m.refused(logical.UpdateOperation, "creds/crm", data{"refresh_token": m.grant()}, 400, "deleted", "nothing was connected")
			})
			synctest.Wait()
			m.do(logical.DeleteOperation, "creds/crm", how)
			others.Wait()
			m.refused(logical.ReadOperation, "creds/crm", nil, 404)
			m.settled(1)
			m.token("other")
		})
	}
}

func TestTokenThatZohoGaveDuringAnImportGoesWithItAtTheNextMinute(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		token := m.elsewhere()
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Times: 1})
		var others sync.WaitGroup
		others.Go(func() {
			m.refused(logical.UpdateOperation, "creds/crm", data{"refresh_token": token}, 400, "deleted", "nothing was connected")
		})
		synctest.Wait()
		m.delete("creds/crm")
		others.Wait()
		m.tick()
		if left := m.zoho.RefreshTokens(); len(left) != 0 {
			t.Errorf("%d grants live on", len(left))
		}
	})
}

func TestConfigIsNotDeletedWhileAGrantIsBeingObtained(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 5 * time.Second, Times: 1})
		var others sync.WaitGroup
		others.Go(func() { m.write("creds/crm", data{"callback_url": landed}) })
		synctest.Wait()
		m.refused(logical.DeleteOperation, "config", nil, 400, "being obtained")
		others.Wait()
		m.token("crm")
	})
}

func TestGrantIsRevokedThoughConfigIsDeletedByThen(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Endpoint: "revoke"})
		m.delete("creds/crm")
		m.delete("config")
		m.zoho.ClearFaults()
		m.tick()
		if left := m.zoho.RefreshTokens(); len(left) != 0 {
			t.Errorf("%d grants live on", len(left))
		}
	})
}

func TestNothingIsConnectedToAConfigThatWasDeletedMeanwhile(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		self := m.zoho.AddClient(zohotest.Client{Type: zohotest.SelfClient})
		m.write("config", data{"client_id": self.ID, "client_secret": self.Secret})
		code := m.selfCode()
		m.restart()
		open := make(chan struct{})
		once := sync.OnceFunc(func() { <-open })
		late := func(op, key string) error {
			if op == "get" && key == "config" {
				once() // config was read, and is deleted before anything else is done
			}
			return nil
		}
		m.storage.after.Store(&late)
		var err error
		var others sync.WaitGroup
		others.Go(func() { _, err = m.try(logical.UpdateOperation, "creds/crm", data{"code": code}) })
		synctest.Wait()
		m.storage.after.Store(nil)
		m.delete("config")
		close(open)
		others.Wait()
		if r, ok := err.(*refusal); !ok || r.status >= 500 {
			t.Errorf("got %v", err)
		}
		if left := m.zoho.RefreshTokens(); len(left) != 0 {
			t.Errorf("%d grants live on", len(left))
		}
		if left := m.storage.keys(t); strings.Contains(strings.Join(left, " "), "creds/") {
			t.Errorf("a credential without config is stored: %v", left)
		}
	})
}

func TestConsentsThatNobodyFinishesGoWithinEightDays(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		for i := range 20 {
			m.write(fmt.Sprintf("authorize/c%d", i), nil)
			passes(time.Minute)
		}
		m.connect("crm")
		for range 8 * 24 {
			passes(time.Hour)
			m.tick()
		}
		for _, key := range m.storage.keys(t) {
			if strings.HasPrefix(key, "pending/") {
				t.Errorf("%s is left", key)
			}
		}
		before := m.storage.operations.Load()
		for range 60 {
			passes(time.Minute)
			m.tick()
		}
		if n := m.storage.operations.Load() - before; n != 0 {
			t.Errorf("an idle mount makes %d storage operations in an hour", n)
		}
	})
}

func TestLinkThatIsGoodForAWeekKeepsNoOtherStoredAsLong(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.tick()
		for i := range 5 {
			m.write(fmt.Sprintf("authorize/short%d", i), nil)
			passes(time.Minute)
		}
		m.write("authorize/week", data{"ttl": "7d"})
		looks := 0
		count := func(op, key string) error {
			if op == "list" && key == "pending/" {
				looks++
			}
			return nil
		}
		m.storage.before.Store(&count)
		for range 8 * 24 * 60 {
			passes(time.Minute)
			m.tick()
		}
		m.storage.working()
		if left := fmt.Sprint(m.storage.keys(t)); strings.Contains(left, "pending/short") || !strings.Contains(left, "pending/week") {
			t.Errorf("eight days later these are stored: %s", left)
		}
		if looks > 2 { // when the first can go, and an hour later
			t.Errorf("all that wait are read %d times a day", looks)
		}
	})
}

// stuckLog is a log that nobody reads any more: a line with certain words never ends.
type stuckLog struct {
	words    string
	released chan struct{}
}

func (l stuckLog) Write(p []byte) (int, error) {
	if strings.Contains(string(p), l.words) {
		<-l.released
	}
	return len(p), nil
}

// unread restarts the mount with a log that is stuck at certain words until it is
// released.
func (m *mount) unread(words string) (release func()) {
	m.t.Helper()
	log := stuckLog{words, make(chan struct{})}
	m.log = log
	m.restart()
	return func() { close(log.released) }
}

func TestGrantThatCannotBeStoredIsRevokedThoughNobodyReadsTheLog(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		release := m.unread("could not be stored")
		gone := func(op, key string) error {
			if m.zoho.Counts().Exchanges > 0 {
				return errDisk // Vault died while Zoho answered
			}
			return nil
		}
		m.storage.before.Store(&gone)
		var others sync.WaitGroup
		others.Go(func() { _, _ = m.try(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}) })
		synctest.Wait()
		if left := m.zoho.RefreshTokens(); len(left) != 0 {
			t.Error("the grant lives on behind a log line")
		}
		release()
		others.Wait()
		m.storage.working()
	})
}

func TestGrantThatCannotBeStoredIsRevokedThoughZohoIsDownForAMoment(t *testing.T) {
	for down := range 4 {
		inBubble(t, func(t *testing.T, m *mount) {
			m.configure(nil)
			landed := m.consent("crm", nil, zohotest.Consent{})
			if down > 0 {
				m.zoho.Fault(zohotest.Fault{Kind: zohotest.Status5xx, Endpoint: "revoke", Times: down})
			}
			m.storage.failing("put", "due/")
			m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "was revoked at accounts.zoho.com")
			m.storage.working()
			if n := m.zoho.Counts().RevokeCalls; n != down+1 {
				t.Errorf("%d calls to revoke; want %d", n, down+1)
			}
		})
	}
}

func TestGrantThatNeitherVaultNorZohoTakesIsTriedOn(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.Reset, Endpoint: "revoke"})
		m.storage.failing("put", "due/")
		m.refused(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}, 400, "not yet revoked", "retried")
		m.tick()
		m.storage.working()
		m.zoho.ClearFaults()
		passes(time.Minute)
		m.tick()
		passes(time.Minute)
		m.tick()
		if left := m.zoho.RefreshTokens(); len(left) != 0 {
			t.Errorf("%d grants live on", len(left))
		}
	})
}

func TestGrantThatNeitherVaultNorZohoTookCanBeLeftToItsOwner(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.owes()
		m.storage.working()
		m.tick()
		m.do(logical.DeleteOperation, "creds/crm", data{"revoke": false})
		m.zoho.ClearFaults()
		m.settled(1)
		m.endAll()
	})
}

func TestRotatedGrantThatCannotBeStoredIsNeitherLostNorMintedAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.zoho.Knobs(func(k *zohotest.Knobs) { k.RotateRefreshTokens = true })
		m.configure(data{"max_age": "30m"})
		m.connect("crm")
		m.write("creds/sibling", data{"refresh_token": m.grant()})
		passes(61 * time.Minute)
		m.storage.failing("put", "due/")
		_, err := m.try(logical.ReadOperation, "creds/crm", nil)
		if err == nil {
			t.Error("a token is handed out whose grant is not stored")
		}
		m.storage.working()
		refreshes := m.zoho.Counts().Refreshes
		first := m.token("crm")
		if m.token("crm") != first {
			t.Error("rotation defeats max_age")
		}
		if n := m.zoho.Counts().Refreshes - refreshes; n != 0 {
			t.Errorf("it cost %d more mints", n)
		}
		if m.token("sibling") != first {
			t.Error("the sibling that shares the grant was left behind")
		}
		m.restart()
		m.token("crm")
		m.delete("creds/sibling")
		m.token("crm")
		m.delete("creds/crm")
		m.settled(0)
	})
}

// Its Vault is gone, so nobody waits for its answers; what Zoho gives is stored first.
func TestProcessWhoseVaultIsGoneEndsWithEveryGrantStored(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		process := &backend.Process{Transport: m.wire}
		m.backend = m.madeBy(process.Factory)
		m.configure(nil)
		landed := m.consent("crm", nil, zohotest.Consent{})
		m.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Endpoint: "token", Delay: 3 * time.Second, Times: 1})
		go func() { _, _ = m.try(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}) }()
		passes(time.Second)
		process.Finish(context.Background())
		if entry, err := m.storage.Get(context.Background(), "creds/crm"); err != nil || entry == nil {
			t.Errorf("the credential is not stored: %v", err)
		}
		m.backend.Cleanup(context.Background())
		process.Finish(context.Background()) // nothing is left to wait for
	})
}

func TestProcessWhoseVaultIsGoneRevokesWhatItCannotStore(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		process := &backend.Process{Transport: m.wire}
		m.backend = m.madeBy(process.Factory)
		m.configure(nil)
		m.owes()
		m.zoho.ClearFaults()
		process.Finish(t.Context())
		if n := len(m.zoho.RefreshTokens()); n != 0 {
			t.Errorf("%d grants live on that nobody knows", n)
		}
		m.storage.working()
	})
}

func TestProcessForgetsAMountThatIsGone(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		process := &backend.Process{Transport: m.wire}
		m.backend = m.madeBy(process.Factory)
		m.configure(nil)
		m.owes()
		m.backend.Cleanup(t.Context()) // which has said what is left
		calls := m.zoho.Counts().RevokeCalls
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		process.Finish(ctx)
		if n := m.zoho.Counts().RevokeCalls - calls; n > 0 {
			t.Errorf("Zoho is asked %d times for a mount that is gone", n)
		}
		m.storage.working()
		m.zoho.ClearFaults()
		m.endOrphans()
	})
}

func TestPanicInOneRequestLeavesTheProcessToTheOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.cold()
		torn := func(op, key string) error { panic("torn apart: " + m.zoho.DefaultClient().Secret) }
		m.storage.before.Store(&torn)
		for path, op := range map[string]logical.Operation{
			"creds/crm": logical.ReadOperation, "status/crm": logical.ReadOperation, "config": logical.UpdateOperation,
			"authorize/crm": logical.UpdateOperation, "revoke": logical.UpdateOperation,
		} {
			if _, err := m.try(op, path, nil); err == nil || !strings.Contains(err.Error(), "500") {
				t.Errorf("%s %s: %v", op, path, err)
			}
		}
		behind := strings.Join(m.logged(m.minute), "")
		// Whether it is there decides which policy counts, so not knowing is no answer.
		_, exists, err := m.backend.HandleExistenceCheck(t.Context(), &logical.Request{Operation: logical.CreateOperation, Path: "creds/crm", Storage: m.storage})
		if err == nil || strings.Contains(err.Error(), "torn apart") {
			t.Errorf("it exists: %v, %v", exists, err)
		}
		m.minute()
		synctest.Wait()
		m.storage.working()
		if !strings.Contains(behind, "[ERROR] work in the background failed") {
			t.Errorf("logged is %q", behind)
		}
		m.token("crm")
	})
}

func TestPanicForOneNameIsThatNamesFailureInBreakGlass(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.connect("crm")
		torn := "token/" + m.heldBy("crm")
		m.connect("books")
		m.restart()
		tears := func(op, key string) error {
			if key == torn {
				panic("torn apart")
			}
			return nil
		}
		m.storage.before.Store(&tears)
		answer := m.write("revoke", nil).Data
		m.storage.working()
		results := answer["results"].(map[string]any)
		if answer["revoked"] != 1 || answer["failed"] != 1 || !strings.Contains(fmt.Sprint(results["crm"]), "Vault's log") || strings.Contains(fmt.Sprint(results["books"]), "error") {
			t.Errorf("break glass answers %v", answer)
		}
	})
}

// What a wrong account brought is stored, so that the page and the operator see why, though
// nobody reads the log.
func TestResultOfARefusedGrantIsStoredThoughNobodyReadsTheLog(t *testing.T) {
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.zoho.AddUser(zohotest.User{Email: "mallory@example.com"})
		landed := m.consent("crm", data{"scopes": profileScopes, "expected_user": "600000001"}, zohotest.Consent{Email: "mallory@example.com"})
		release := m.unread("a new grant is not kept")
		var others sync.WaitGroup
		others.Go(func() { _, _ = m.try(logical.UpdateOperation, "creds/crm", data{"callback_url": landed}) })
		synctest.Wait()
		if got := m.read("authorize/crm"); got["state"] != "waiting" || got["result"] != "wrong_account" {
			t.Errorf("behind a log line the consent is %v, with the result %v", got["state"], got["result"])
		}
		release()
		others.Wait()
	})
}
