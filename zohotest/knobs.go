// What can a test change? One flat struct, filled with Zoho's documented
// behaviour by New. Nothing here treats a zero as "use the default".

package zohotest

import (
	"fmt"
	"reflect"
	"time"
)

// A Key says per what something is counted; Zoho's own pages disagree.
type Key string

const (
	PerRefreshToken  Key = "refresh_token"
	PerClient        Key = "client"
	PerUser          Key = "user"
	PerUserAndClient Key = "user_and_client"
)

// Knobs are the simulator's settings. New fills every one; change them with
// [Simulator.Knobs]. Limits that are negative are switched off.
type Knobs struct {
	// Lifetimes (Zoho, section "limits and lifetimes").

	CodeLifetime           time.Duration // of a redirect code: 2m; pages also say 1m and 3m
	SelfClientCodeLifetime time.Duration // of a self client's code when none is chosen: 3m
	AccessTokenLifetime    time.Duration // 1h
	EnhanceTokenLifetime   time.Duration // of the token that opens addextrascope: 10m
	RefreshTokenIdle       time.Duration // a refresh token unused for this long dies; 0: never, as documented

	// The throttle of access tokens.

	Mints              int           // access tokens per MintWindow: 10
	MintWindow         time.Duration // 10m
	MintKey            Key           // PerRefreshToken, or PerClient
	ClientMints        int           // the same for client credentials, which have no refresh token; per client: 10
	ExchangeIsMint     bool          // the access token of a code exchange takes a place: true
	FailuresCount      bool          // a refused refresh takes a place of its key, too, and a full window throttles it: false; nobody knows
	SlidingWindow      bool          // count the last MintWindow instead of windows that start with their first mint: false
	Lockout            time.Duration // length of the block; 0: until the window ends
	RejectedExtend     bool          // a refused attempt starts a whole new block: false
	ThrottleStatus     int           // 400; one Zoho post says 200
	ThrottleField      bool          // the answer has "status":"failure": true
	ThrottleLanguage   string        // en, zh or ja: Zoho localises both texts
	ThrottleRetryAfter time.Duration // sent as Retry-After when above 0, which Zoho was never seen to do

	// Other throttles.

	Codes              int           // codes per CodeWindow: 10
	CodeWindow         time.Duration // 10m
	CodeKey            Key           // PerClient, or PerUser
	CodeLockout        time.Duration // 0: until the window ends
	RefreshTokens      int           // new refresh tokens per user and client in RefreshTokenWindow: -1, switched off
	RefreshTokenWindow time.Duration // 10m

	// Eviction.

	LiveAccessTokens        int  // per refresh token: 10; pages also say 15 and 30
	LiveRefreshTokens       int  // per LiveRefreshTokenKey: 20
	LiveRefreshTokenKey     Key  // PerUserAndClient, PerUser or PerClient
	RefuseMoreRefreshTokens bool // answer "Access Denied" instead of evicting: false

	// Consent.

	AutoConsent        bool   // GET /oauth/v2/auth redirects at once instead of showing the page: false
	AutoConsentEmail   string // who consents then; empty: the account in use at the browser, or else the default user of the data centre asked
	ChooseAccount      bool   // a browser with several accounts is asked which one before each consent: false, the one used last is; Zoho's pages do not say
	RejectConsent      bool   // everybody rejects: false
	OmitState          bool   // the redirect carries no state
	OmitLocation       bool   // the redirect carries no location
	OmitAccountsServer bool   // the redirect carries no accounts-server
	TrailingAmpersand  bool   // the redirect ends in "&", as seen in the wild: true
	PageErrorStatus    int    // of error pages at the authorization endpoint: 200

	// NoOrganizationServices are the first parts of scopes for which a user without an
	// organization is offered only "Back to app", and the redirect carries error=no_org.
	// Zoho's page names further services, whose scopes are not known here: QEngine,
	// Solutions, IoT, ZeptoMail and Marketing Automation.
	NoOrganizationServices []string

	// Consent of an organization, where Zoho's pages say less than one has to know.

	OrganizationNeedsSoid  bool             // a request without soid ends on a page: true, as most known ones have it; see SoidlessServices
	SoidlessServices       []string         // first parts of scopes that an organization is asked for without soid: SalesIQ, as captured
	OrganizationNeedsAdmin bool             // a user who is no administrator ends on a page: true, as the pages speak of administrators alone
	OrganizationClients    []ClientType     // who may ask: Organization alone; an ordinary client ends on the page "Invalid Client", as captured on 2026-10-08
	OrganizationUser       OrganizationUser // whom /oauth/user/info names: Administrator, since AaaServer may be asked for
	OrganizationCounts     bool             // its refresh token is one of the LiveRefreshTokens of who consented: true, the stricter way

	// Answers of the token endpoint.

	ErrorStatus          int    // of {"error":...}: 200
	ErrorHTML            bool   // errors are HTML pages
	BadGrantTypeError    string // invalid_client; another Zoho page says invalid_code
	PKCEError            string // invalid_code; Zoho names none
	WrongDataCenterError string // for a code or refresh token of another data centre: invalid_code; Zoho names none
	RotateRefreshTokens  bool   // a refresh answers with a new refresh token and ends the old one; Zoho does not
	OmitScope            bool   // no scope in answers
	ExpandScopes         bool   // ALL is answered as READ, CREATE, UPDATE and DELETE; see also Client
	OmitAPIDomain        bool   // no api_domain in answers
	APIDomainSlash       bool   // api_domain ends in "/"
	AccountsPageDomain   bool   // api_domain is https://api.zoho.eu, as the accounts pages print it
	LegacyExpiresIn      bool   // expires_in_sec, and expires_in in milliseconds; see also Client, since it is a property of old ones
	ExpiresInString      bool   // expires_in is a string
	OmitExpiresIn        bool   // no expires_in at all

	ExpandScopesServices    []string // first parts of scopes for which ExpandScopes holds whoever asks: Site24x7; CRM echoes ALL
	LegacyExpiresInServices []string // LegacyExpiresIn holds where one of the scopes is of these: none

	// Scopes.

	StrictScopeCase bool     // compare scopes case-sensitively when an API is called
	UnknownScopes   []string // scopes Zoho does not know, although their grammar is right

	// Client credentials.

	OrganizationServices []string // first parts of scopes that need soid: ZohoCRM, Desk, ZohoBooks, ...
	KnownOrganizations   bool     // soid must name the owner's organization, else invalid_soid, which clients guard against and no page names; at a consent that of who consents, else a page
	RefuseClientScopes   bool     // APIs refuse the scopes of tokens from client credentials

	// Revocation.

	RevokeHTML              bool // a refusal is an HTML page
	RevokeTokenTypeRequired bool // the new form refuses without token_type
	RevokeAtHome            bool // the client's home data centre revokes tokens of every data centre

	// Resource side.

	DeadTokenStatus int  // 401; PhoneBridge answers 400
	ZUIDString      bool // /oauth/user/info has ZUID as text, as one fixture does; captured answers have a number

	// CORSOrigins are the origins whose pages may read the answers of the accounts server
	// and the APIs, such as "https://app.example.com"; "*" is any. Preflights of these are
	// answered, and count as no call of the endpoint. None by default: what Zoho sends to a
	// client-based app's JavaScript domains is not known here, so a page that works with
	// this knob may fail at Zoho.
	CORSOrigins []string

	// PKCE and devices.

	MobileNeedsPKCE    bool          // mobile clients without a challenge are refused: true
	DeviceCodeLifetime time.Duration // 5m
	DeviceInterval     time.Duration // between polls: 30s; 5s was seen as well
	EarlyPollRestarts  bool          // a poll that comes too early begins the interval anew: false, since Zoho asks for one poll per interval and says no more
	DeviceSeconds      bool          // interval and expires_in are seconds, not milliseconds
	DeviceErrorStatus  int           // of a poll's {"error":...}: 200
}

// defaultKnobs is what Zoho documents or was seen to do.
func defaultKnobs() Knobs {
	return Knobs{
		CodeLifetime:           2 * time.Minute,
		SelfClientCodeLifetime: 3 * time.Minute,
		AccessTokenLifetime:    time.Hour,
		EnhanceTokenLifetime:   10 * time.Minute,

		Mints:            10,
		MintWindow:       10 * time.Minute,
		MintKey:          PerRefreshToken,
		ClientMints:      10,
		ExchangeIsMint:   true,
		ThrottleStatus:   400,
		ThrottleField:    true,
		ThrottleLanguage: "en",

		Codes:              10,
		CodeWindow:         10 * time.Minute,
		CodeKey:            PerClient,
		RefreshTokens:      -1,
		RefreshTokenWindow: 10 * time.Minute,

		LiveAccessTokens:    10,
		LiveRefreshTokens:   20,
		LiveRefreshTokenKey: PerUserAndClient,

		TrailingAmpersand: true,
		PageErrorStatus:   200,

		NoOrganizationServices: []string{"ZohoCRM", "ZohoBigin", "PhoneBridge", "ZohoCampaigns", "ZohoRecruit", "Desk"},

		OrganizationNeedsSoid:  true,
		OrganizationNeedsAdmin: true,
		SoidlessServices:       []string{"SalesIQ"},
		OrganizationClients:    []ClientType{Organization},
		OrganizationUser:       Administrator,
		OrganizationCounts:     true,

		ErrorStatus:          200,
		BadGrantTypeError:    "invalid_client",
		PKCEError:            "invalid_code",
		WrongDataCenterError: "invalid_code",
		ExpandScopesServices: []string{"Site24x7"},

		OrganizationServices: []string{
			"ZohoCRM", "ZohoBigin", "Desk", "ZohoBooks", "ZohoInvoice", "ZohoInventory",
			"ZohoSubscriptions", "ZohoExpense",
		},

		DeadTokenStatus: 401,

		MobileNeedsPKCE:    true,
		DeviceCodeLifetime: 5 * time.Minute,
		DeviceInterval:     30 * time.Second,
		DeviceErrorStatus:  200,
	}
}

// Knobs changes settings, all at once with respect to requests. It panics if a
// setting makes no sense. The function may ask the simulator anything but call
// Knobs.
func (s *Simulator) Knobs(change func(*Knobs)) {
	err := s.changeKnobs(func(k *Knobs) error {
		change(k)
		return nil
	})
	if err != nil {
		panic("zohotest: " + err.Error())
	}
}

// changeKnobs takes its locks itself, and holds only that of the knobs while
// it calls others' code.
func (s *Simulator) changeKnobs(change func(*Knobs) error) error {
	s.knobsMu.Lock()
	defer s.knobsMu.Unlock()
	s.mu.Lock()
	changed := s.knobs
	s.mu.Unlock()
	changed.ownLists()
	if err := change(&changed); err != nil {
		return err
	}
	if err := changed.check(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if changed.AutoConsentEmail != s.knobs.AutoConsentEmail && changed.AutoConsentEmail != "" && s.userByEmail(changed.AutoConsentEmail) == nil {
		return fmt.Errorf("AutoConsentEmail %q is no user; add the user first", changed.AutoConsentEmail)
	}
	s.knobs = changed
	return nil
}

// ownLists makes every list a copy, so that a change that is refused changes none of the
// lists in force.
func (k *Knobs) ownLists() {
	fields := reflect.ValueOf(k).Elem()
	for i := range fields.NumField() {
		if list := fields.Field(i); list.Kind() == reflect.Slice {
			list.Set(reflect.AppendSlice(reflect.Zero(list.Type()), list))
		}
	}
}

func (k *Knobs) mintLimit(n int) limit {
	return limit{n: n, length: k.MintWindow, sliding: k.SlidingWindow, lockout: k.Lockout, extend: k.RejectedExtend}
}

func (k *Knobs) codeLimit() limit {
	return limit{n: k.Codes, length: k.CodeWindow, lockout: k.CodeLockout}
}

func (k *Knobs) refreshTokenLimit() limit {
	return limit{n: k.RefreshTokens, length: k.RefreshTokenWindow}
}
