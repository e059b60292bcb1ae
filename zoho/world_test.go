// What can every test of the keeper say? A world in a bubble: Zoho in this
// process, a connected account, a disk, and a keeper in between.

package zoho_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vault-plugin-secrets-zoho/zoho"
	"vault-plugin-secrets-zoho/zohotest"
)

// Zoho's documented throttle window and life of an access token.
const (
	window   = 10 * time.Minute
	lifetime = time.Hour
)

// world is one engine and its Zoho. Its clock is the bubble's.
type world struct {
	*testing.T
	zoho    *zohotest.Simulator
	disk    *disk
	shelf   *shelf
	keeper  *zoho.Keeper
	account *zoho.Account
	// first is the answer that connected the account.
	first zoho.Answer

	told
}

// inBubble runs a test in a world whose account was connected long ago: no token
// lives, no place is taken, nothing is stored. Zoho must have nothing to complain
// about at its end.
func inBubble(t *testing.T, test func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, zoho: zohotest.New(), disk: newDisk()}
		w.connect("eu")
		w.passes(2 * lifetime)
		w.zoho.Reset()
		w.restart()
		test(w)
		w.keeper.Close(w.Context()) // what is under way lands
		synctest.Wait()
		w.zoho.Check(t)
	})
}

// connect makes a consent, exchanges its code and describes the account.
func (w *world) connect(dc string) {
	w.Helper()
	account, answer, err := connect(w.Context(), w.zoho, dc)
	if err != nil {
		w.Fatal(err)
	}
	w.account, w.first = account, answer
}

// connect is the way of a person through the consent, in the words of package zoho.
func connect(ctx context.Context, sim *zohotest.Simulator, dc string) (*zoho.Account, zoho.Answer, error) {
	registered := sim.DefaultClient()
	client := &zoho.Client{
		ID: registered.ID, Secret: zoho.Secret(registered.Secret),
		AccountsURL: sim.AccountsURL("us"), Transport: sim.Transport(),
	}
	redirect := registered.RedirectURIs[0]
	landed, err := sim.Authorize(client.AuthorizationURL(redirect, "state", "", []string{"ZohoCRM.modules.ALL"}), zohotest.Consent{DataCenter: dc})
	if err != nil {
		return nil, zoho.Answer{}, err
	}
	callback, err := zoho.ParseCallback(landed)
	if err != nil {
		return nil, zoho.Answer{}, err
	}
	table, err := zoho.NewTable(nil)
	if err != nil {
		return nil, zoho.Answer{}, err
	}
	home, _, err := callback.DataCenter(table)
	if err != nil {
		return nil, zoho.Answer{}, err
	}
	client.AccountsURL = home.AccountsURL
	answer, err := client.Exchange(ctx, callback.Code, redirect, "")
	if err != nil {
		return nil, zoho.Answer{}, err
	}
	if answer.RefreshToken == "" {
		return nil, zoho.Answer{}, errors.New("the exchange gave no refresh token")
	}
	return &zoho.Account{
		ID:    zoho.Fingerprint(home.AccountsURL, client.ID, string(answer.RefreshToken)),
		Setup: zoho.Fingerprint(string(client.Secret)), Name: "crm",
		Grant: zoho.Grant{RefreshToken: answer.RefreshToken}, Client: client, Limits: zoho.DefaultLimits,
	}, answer, nil
}

// restart is a new process on the same disk; the old one writes nothing more.
func (w *world) restart() {
	if w.shelf != nil {
		w.shelf.kill()
	}
	w.shelf = &shelf{disk: w.disk}
	w.keeper = zoho.NewKeeper(100, w.observes)
	w.account.Shelf = w.shelf
}

// told collects what a keeper in a bubble tells. A keeper tells from several goroutines, and
// some of it after the read that it is about has ended.
type told struct {
	mu   sync.Mutex
	told []zoho.Event
}

func (t *told) observes(e zoho.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.told = append(t.told, e)
}

// events is what was told when nothing is left to tell, without the ends of outages.
func (t *told) events() []zoho.Event {
	return t.those(func(e zoho.Event) bool { return e.Outage == 0 })
}

// ended is the outages that ended.
func (t *told) ended() []zoho.Event {
	return t.those(func(e zoho.Event) bool { return e.Outage > 0 })
}

// begun is the failures that were the server's.
func (t *told) begun() []zoho.Event {
	return t.those(func(e zoho.Event) bool { return e.Err != nil && e.Server })
}

func (t *told) those(which func(zoho.Event) bool) (those []zoho.Event) {
	synctest.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.told {
		if which(e) {
			those = append(those, e)
		}
	}
	return those
}

// changeAccount replaces the account by a changed copy, as a write to config does.
func (w *world) changeAccount(change func(*zoho.Account)) {
	account, client := *w.account, *w.account.Client
	account.Client = &client
	change(&account)
	w.account = &account
}

// passes lets time go by.
func (w *world) passes(d time.Duration) { time.Sleep(d) }

// read is one reader's read.
func (w *world) read(want zoho.Want) (zoho.Served, error) {
	return w.keeper.Token(w.Context(), w.account, want)
}

// reads is a read that must give a token which lives at Zoho.
func (w *world) reads(want zoho.Want) zoho.Served {
	w.Helper()
	served, err := w.read(want)
	if err != nil {
		w.Fatalf("read: %v", err)
	}
	if served.Token == nil || !w.zoho.Alive(string(served.Token.AccessToken)) {
		w.Fatalf("read gave a token that is dead at Zoho: %+v", served)
	}
	return served
}

// burst is many readers at once.
func (w *world) burst(n int, want zoho.Want) (served []zoho.Served, errs []error) {
	served, errs = make([]zoho.Served, n), make([]error, n)
	var readers sync.WaitGroup
	for i := range n {
		readers.Go(func() { served[i], errs[i] = w.read(want) })
	}
	readers.Wait()
	return served, errs
}

// calls is how often the token endpoint was called since the world began.
func (w *world) calls() int { return w.zoho.Counts().TokenCalls }

func (w *world) wantCalls(n int) {
	w.Helper()
	synctest.Wait()
	if got := w.calls(); got != n {
		w.Errorf("%d calls of the token endpoint, want %d", got, n)
	}
}

// wantMints is wantCalls without the checks of whether the server answers.
func (w *world) wantMints(n int) {
	w.Helper()
	synctest.Wait()
	if got := w.zoho.Counts().ByGrant["refresh_token"]; got != n {
		w.Errorf("%d mints were asked for, want %d", got, n)
	}
}

func (w *world) wantSaves(n int) {
	w.Helper()
	synctest.Wait()
	if _, got := w.disk.counts(); got != n {
		w.Errorf("%d storage writes, want %d", got, n)
	}
}

// fails makes the next calls of the token endpoint fail; times 0 is until cleared.
func (w *world) fails(kind zohotest.FaultKind, times int) {
	w.zoho.Fault(zohotest.Fault{Kind: kind, Endpoint: "token", Times: times})
}

// failsMints makes the next mints fail, while a check of the server passes.
func (w *world) failsMints(kind zohotest.FaultKind, times int) {
	w.zoho.Fault(zohotest.Fault{Kind: kind, Endpoint: "token", GrantType: "refresh_token", Times: times})
}

// wantHeld checks for a HeldError and returns it.
func (w *world) wantHeld(err error) *zoho.HeldError {
	w.Helper()
	var held *zoho.HeldError
	if !errors.As(err, &held) {
		w.Fatalf("error is %v, want one of a failure that is waited out", err)
	}
	return held
}

func (w *world) wantThrottled(err error) *zoho.ThrottledError {
	w.Helper()
	var throttled *zoho.ThrottledError
	if !errors.As(err, &throttled) {
		w.Fatalf("error is %v, want that the budget is used up", err)
	}
	return throttled
}
