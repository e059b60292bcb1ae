// What happens around the engine? Time, Zoho's faults, storage's moods, deaths of
// processes, and people who revoke.

package backend_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing/synctest"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"vault-plugin-secrets-zoho/zohotest"
)

// timePasses for a millisecond up to nine hours, short times as likely as long ones;
// in half of the scripts up to two minutes only.
func (h *simulation) timePasses(e simEvent) {
	most := byte(25)
	if h.hurried {
		most = 17
	}
	d := time.Duration(float64(time.Millisecond<<(e.args[simA]%most)) * (1 + float64(e.args[simB])/256))
	ticks := e.args[simWhere]&1 == 1 && d >= time.Minute
	h.note("%s pass, with Vault's minutes: %v", d, ticks)
	if !ticks {
		time.Sleep(d)
		return
	}
	h.minutes(d, max(time.Minute, d/20))
}

// minutes lets time pass and Vault tick.
func (h *simulation) minutes(d, every time.Duration) {
	for ; d > 0; d -= every {
		time.Sleep(min(d, every))
		h.revive()
		r := h.request(simEvent{}, logical.RollbackOperation, "", nil)
		r.quiet = true
		h.do(r)
	}
}

func (h *simulation) zohoFails(e simEvent) {
	a, b := e.args[simA], e.args[simB]
	f := zohotest.Fault{
		Kind: choose(a, zohotest.Status5xx, zohotest.HTML, zohotest.Hang, zohotest.Reset, zohotest.Slow, zohotest.Slow, zohotest.Slow, zohotest.Refuse,
			zohotest.Throttle, zohotest.LostAnswer, zohotest.Truncated, zohotest.Garbage, zohotest.SlowAnswer, zohotest.SlowAnswer),
		Endpoint: choose(e.args[simWho], "token", "token", "token", "revoke", "revoke", "device", "enhance", "api", ""),
		Times:    1 + int(b%4),
	}
	switch f.Kind {
	case zohotest.Status5xx:
		f.Status = choose(b>>2, 500, 502, 503, 429)
	case zohotest.Slow, zohotest.SlowAnswer:
		f.Delay = choose(e.args[simWhere], time.Second, 3*time.Second, 7*time.Second, 9999*time.Millisecond, 15*time.Second)
	case zohotest.HTML:
		f.Status = choose(b>>2, 200, 403, 500) // not 400: with that Zoho says that a token is unknown
	case zohotest.Refuse:
		f.Error = choose(b>>2, "general_error", "invalid_client", "who_knows", "server_error") // no lie about a grant
	case zohotest.Throttle:
		h.mu.Lock()
		h.throttleFault = true
		h.mu.Unlock()
		f.RetryAfter = choose(b>>2, 0, 0, 20*time.Second)
	}
	h.zoho.Fault(f)
	h.note("Zoho fails: %+v", f)
}

func (h *simulation) zohoRecovers(simEvent) {
	h.zoho.ClearFaults()
	h.note("Zoho recovers")
}

// storageMoody makes trouble for the active node's next operations.
func (h *simulation) storageMoody(e simEvent) {
	kinds := []simTroubleKind{blocks}
	if h.level > 1 {
		kinds = choose(e.args[simTrouble], []simTroubleKind{blocks}, []simTroubleKind{fails}, []simTroubleKind{failsHavingDone}, []simTroubleKind{blocks, fails, failsHavingDone})
	}
	if h.level == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active.mood = simMood{
		left: 1 + int(e.args[simA]%32), odds: choose(e.args[simB], 10, 30, 100), kinds: kinds,
		random: rand.New(rand.NewPCG(uint64(e.args[simWho]), uint64(e.args[simWhere]))),
	}
	h.notef("storage %v, in %d%% of the next %d operations", kinds, h.active.mood.odds, h.active.mood.left)
}

// damage makes the stored consent of a name unreadable, as a newer release would. Nothing
// but that consent may suffer.
func (h *simulation) damage(e simEvent) {
	name := h.nameOf(e)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.level < 2 || h.contents()["pending/"+name] == "" {
		return
	}
	if err := h.disk.Put(h.ctx, &logical.StorageEntry{Key: "pending/" + name, Value: []byte(choose(e.args[simA], `{"version":99}`, `{`))}); err != nil {
		h.t.Fatal(err)
	}
	h.sequence++
	h.changes[name] = append(h.changes[name], &simRequest{h: h, op: logical.UpdateOperation, path: "authorize/" + name, name: name, began: time.Now(), begun: h.sequence, over: h.sequence, status: 200})
	h.notef("the stored consent of %q is damaged", name)
}

// clock sets the clock ahead while a grant is being obtained, which waits for Zoho to say
// whose account it is. Then Vault's minute comes round, twice.
func (h *simulation) clock(e simEvent) {
	connecting := e
	connecting.args[simHow], connecting.args[simTrouble] = 2, 0
	h.zoho.Fault(zohotest.Fault{Kind: zohotest.SlowAnswer, Delay: 4 * time.Second, Endpoint: "api", Times: 1})
	h.flow(connecting, func() {
		r := h.request(connecting, logical.UpdateOperation, "authorize/"+h.nameOf(e), data{"expected_user": h.zoho.User("us").Email, "redirect_uri": callbackAddress, "force": true})
		if c := h.starts(r); c != nil && h.visit(c, zohotest.Consent{}) {
			h.loads(h.landing(connecting, c, h.last(c), nil))
		}
	})
	h.setAhead()
	e.args[simHow] = 2
	h.tick(e)
	h.tick(e)
}

// setAhead makes every write that is under way seem to have begun an hour ago.
func (h *simulation) setAhead() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, value := range h.contents() {
		var stored map[string]any
		if !strings.HasPrefix(key, "due/") || json.Unmarshal([]byte(value), &stored) != nil {
			continue
		}
		holders, _ := stored["holders"].([]any)
		for _, holder := range holders {
			if doubt, found := holder.(map[string]any)["doubt"].(map[string]any); found {
				doubt["since"] = time.Now().Add(-time.Hour)
			}
		}
		entry, err := logical.StorageEntryJSON(key, stored)
		if err == nil {
			err = h.disk.Put(h.ctx, entry)
		}
		if err != nil {
			h.t.Error(err)
		}
	}
	h.notef("the clock is set ahead")
}

func (h *simulation) crash(simEvent) {
	if h.level > 2 {
		h.restart(false)
	}
}

func (h *simulation) failover(simEvent) {
	if h.level > 2 && !h.standby.dead.Load() {
		h.restart(true)
	}
}

func (h *simulation) userRevokes(e simEvent) {
	alive := h.zoho.RefreshTokens()
	if !h.killers || len(alive) == 0 {
		return
	}
	rt := alive[int(e.args[simA])%len(alive)].Token
	tokens := h.zoho.AccessTokens(rt)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.killed[rt] = true
	for _, at := range tokens {
		h.killed[at.Token] = true
	}
	h.notef("a user revokes %s", h.label(rt))
	h.zoho.RevokeRefreshToken(rt)
}

func (h *simulation) tokenDies(e simEvent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.killers {
		return
	}
	for token := range h.handed[h.nameOf(e)] {
		h.killed[token] = true
		h.zoho.RevokeAccessToken(token)
		h.notef("Zoho ends %s", h.label(token))
		return
	}
}

// calm ends all trouble and lets everything come to rest.
func (h *simulation) calm(simEvent) {
	h.note("all is well for some minutes")
	h.settle()
	h.minutes(5*time.Minute, time.Minute)
	synctest.Wait()
}

// settle waits for all requests, and ends all trouble.
func (h *simulation) settle() {
	h.zoho.ClearFaults()
	h.flows.Wait()
	time.Sleep(3 * time.Minute) // what Zoho left hanging ends
	synctest.Wait()
	h.zoho.ClearFaults()
	h.mu.Lock()
	h.active.mood, h.standby.mood = simMood{}, simMood{}
	h.mu.Unlock()
	h.revive()
}
