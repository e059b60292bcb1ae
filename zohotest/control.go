// Control API: JSON for shell scripts and other languages, on a listener of its own, so that
// nobody takes it for Zoho.

package zohotest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"
)

// Control is the control API; the package comment lists what it takes. It refuses a
// change that a page of another site asks for, and every request whose Host is neither an
// IP address nor localhost nor the host of a data centre's address: a page in a browser
// can make its own name mean this machine. hosts are further names that it takes, for
// servers that the caller starts.
func (s *Simulator) Control(hosts ...string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.showOverview)
	mux.HandleFunc("GET /requests", reply(func(r *http.Request) (any, error) { return append([]Request{}, s.Requests()...), nil }))
	mux.HandleFunc("GET /violations", reply(func(r *http.Request) (any, error) {
		return append([]Violation{}, s.Violations()...), nil
	}))
	mux.HandleFunc("GET /counts", reply(func(r *http.Request) (any, error) { return s.Counts(), nil }))
	mux.HandleFunc("GET /tokens", reply(func(r *http.Request) (any, error) { return s.tokenList(), nil }))
	mux.HandleFunc("GET /orphans", reply(func(r *http.Request) (any, error) {
		return s.Orphans(r.URL.Query()["known"]...), nil
	}))
	mux.HandleFunc("GET /secrets", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain;charset=UTF-8")
		for _, secret := range s.Secrets() {
			fmt.Fprintln(w, secret)
		}
	})
	mux.HandleFunc("POST /authorize", reply(s.controlAuthorize))
	mux.HandleFunc("POST /approve-device", reply(s.controlApproveDevice))
	mux.HandleFunc("POST /self-client-code", reply(s.controlSelfClientCode))
	mux.HandleFunc("POST /clients", reply(func(r *http.Request) (any, error) {
		var c Client
		if err := decode(r, &c); err != nil {
			return nil, err
		}
		return s.addClient(c)
	}))
	mux.HandleFunc("POST /redirect-uris", reply(func(r *http.Request) (any, error) {
		var in struct {
			ClientID    string `json:"client_id"`
			RedirectURI string `json:"redirect_uri"`
		}
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		return done, s.addRedirectURI(in.ClientID, in.RedirectURI)
	}))
	mux.HandleFunc("POST /sign-in", reply(s.controlSignIn))
	mux.HandleFunc("POST /users", reply(func(r *http.Request) (any, error) {
		var u User
		if err := decode(r, &u); err != nil {
			return nil, err
		}
		if u.DataCenter != "" && !s.has(u.DataCenter) {
			return nil, fmt.Errorf("unknown data center %q", u.DataCenter)
		}
		return s.AddUser(u), nil
	}))
	mux.HandleFunc("POST /remove-user", reply(func(r *http.Request) (any, error) {
		var in struct{ Email string }
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		return done, s.mustRemoveUser(in.Email)
	}))
	mux.HandleFunc("POST /revoke", reply(func(r *http.Request) (any, error) {
		var in struct {
			RefreshToken string `json:"refresh_token"`
			AccessToken  string `json:"access_token"`
		}
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		s.RevokeRefreshToken(in.RefreshToken)
		s.RevokeAccessToken(in.AccessToken)
		return done, nil
	}))
	mux.HandleFunc("POST /mint-elsewhere", reply(func(r *http.Request) (any, error) {
		var in struct {
			RefreshToken string `json:"refresh_token"`
		}
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		token, ok := s.MintElsewhere(in.RefreshToken)
		if !ok {
			return nil, errors.New("the refresh token is dead, or throttled")
		}
		return map[string]string{"access_token": token}, nil
	}))
	mux.HandleFunc("POST /rotate-secret", reply(func(r *http.Request) (any, error) {
		var in struct {
			ClientID   string `json:"client_id"`
			DataCenter string `json:"data_center"`
		}
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		if !s.knowsClient(in.ClientID) || in.DataCenter != "" && !s.has(in.DataCenter) {
			return nil, errors.New("unknown client or data center")
		}
		return map[string]string{"client_secret": s.RotateSecret(in.ClientID, in.DataCenter)}, nil
	}))
	mux.HandleFunc("POST /advance", reply(func(r *http.Request) (any, error) {
		var in struct{ Duration duration }
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		s.Advance(time.Duration(in.Duration))
		return map[string]time.Time{"now": s.Now()}, nil
	}))
	mux.HandleFunc("POST /fault", reply(s.controlFault))
	mux.HandleFunc("GET /unmet-faults", reply(func(r *http.Request) (any, error) {
		shown := []faultText{}
		for _, f := range s.UnmetFaults() {
			shown = append(shown, textOf(f))
		}
		return shown, nil
	}))
	mux.HandleFunc("DELETE /faults", reply(func(r *http.Request) (any, error) { s.ClearFaults(); return done, nil }))
	mux.HandleFunc("PATCH /knobs", reply(s.controlKnobs))
	mux.HandleFunc("POST /reset", reply(func(r *http.Request) (any, error) { s.Reset(); return done, nil }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.refusesHost(w, r, hosts) || refusesOtherSites(w, r) {
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// done answers a command that has nothing to say.
var done = map[string]bool{"ok": true}

// reply turns a function into a JSON handler; an error is the caller's fault.
func reply(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out, err := f(r)
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			out = map[string]string{"error": err.Error()}
		}
		json.NewEncoder(w).Encode(out) // a client that left needs no answer
	}
}

// decode reads a JSON body and refuses fields it does not know.
func decode(r *http.Request, into any) error {
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	return nil
}

// duration is written "1h30m" in JSON.
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

func (s *Simulator) has(dc string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.site(dc) != nil
}

func (s *Simulator) knowsClient(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clients[id] != nil
}

// tokenList is every live token, access tokens beside their refresh tokens.
func (s *Simulator) tokenList() any {
	access := s.AccessTokens("")
	refresh := s.RefreshTokens()
	for _, rt := range refresh {
		access = append(access, s.AccessTokens(rt.Token)...)
	}
	return map[string]any{"refresh_tokens": refresh, "access_tokens": access}
}

// faultText is a fault in JSON.
type faultText struct {
	Kind       FaultKind `json:"kind"`
	Endpoint   string    `json:"endpoint,omitempty"`
	DataCenter string    `json:"data_center,omitempty"`
	Times      int       `json:"times,omitempty"`
	Path       string    `json:"path,omitempty"`
	GrantType  string    `json:"grant_type,omitempty"`
	Status     int       `json:"status,omitempty"`
	RetryAfter duration  `json:"retry_after,omitzero"`
	Delay      duration  `json:"delay,omitzero"`
	Error      string    `json:"error,omitempty"`
}

func textOf(f Fault) faultText {
	return faultText{f.Kind, f.Endpoint, f.DataCenter, f.Times, f.Path, f.GrantType, f.Status, duration(f.RetryAfter), duration(f.Delay), f.Error}
}

func (in faultText) fault() Fault {
	return Fault{in.Kind, in.Endpoint, in.DataCenter, in.Times, in.Path, in.GrantType, in.Status, time.Duration(in.RetryAfter), time.Duration(in.Delay), in.Error}
}

func (s *Simulator) controlFault(r *http.Request) (any, error) {
	var in faultText
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	return done, s.addFault(in.fault())
}

// controlKnobs changes the fields that are named, all or none. Names are those
// of Knobs, case and underscores ignored.
func (s *Simulator) controlKnobs(r *http.Request) (any, error) {
	var in map[string]json.RawMessage
	if err := decode(r, &in); err != nil {
		return nil, err
	}
	return done, s.changeKnobs(func(k *Knobs) error {
		fields := reflect.ValueOf(k).Elem()
		for name, raw := range in {
			wanted := strings.ReplaceAll(name, "_", "")
			field := fields.FieldByNameFunc(func(known string) bool { return strings.EqualFold(known, wanted) })
			if !field.IsValid() {
				return fmt.Errorf("unknown knob %q", name)
			}
			into := field.Addr().Interface()
			if d, ok := into.(*time.Duration); ok {
				into = (*duration)(d)
			}
			if err := json.Unmarshal(raw, into); err != nil {
				return fmt.Errorf("knob %q: %w", name, err)
			}
		}
		return nil
	})
}
