// What does Zoho's answer look like on the wire? JSON, HTML pages and
// redirects, with the headers that were observed.

package zohotest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// torn says where the connection breaks.
type torn int

const (
	whole     torn = iota // nowhere
	tornWhole             // before the first byte of the answer
	tornHalf              // in the middle of the body
)

// An answer is what an endpoint decided.
type answer struct {
	status      int
	header      http.Header
	body        []byte
	issued      []*bool // delivered marks of the tokens in it
	told        []*bool // set when the answer arrives: the client knows what is over
	refused     bool    // Zoho refused the call for good
	text        string  // of an error page, for [Simulator.Authorize]
	failed      bool    // it is an error page, whatever its status
	tear        torn
	undelivered bool // it arrives whole and worthless
}

func jsonAnswer(status int, body any) answer {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic("zohotest: " + err.Error())
	}
	return answer{status: status, body: encoded, header: zohoHeader("Content-Type", "application/json;charset=UTF-8")}
}

func htmlAnswer(status int, body []byte) answer {
	return answer{status: status, body: body, header: zohoHeader("Content-Type", "text/html;charset=UTF-8")}
}

func redirectAnswer(to string) answer {
	return answer{status: http.StatusFound, header: zohoHeader("Location", to)}
}

// zohoHeader has what captured token answers have, and no Cache-Control, which
// they lack although RFC 6749 demands it. Which headers there are is captured,
// also the names of two cookies; where captures do not show the value it is the
// most common one.
func zohoHeader(name, value string) http.Header {
	return http.Header{
		name:                        {value},
		"Server":                    {"ZGS"},
		"Content-Language":          {"en-US"},
		"Strict-Transport-Security": {"max-age=63072000"},
		"X-Content-Type-Options":    {"nosniff"},
		"X-Xss-Protection":          {"1"},
		"X-Frame-Options":           {"SAMEORIGIN"},
		"Set-Cookie": {
			randomHex(5) + "=" + randomHex(16) + "; Path=/",
			"iamcsr=" + randomHex(16) + "; Path=/; Secure",
			"_zcsr_tmp=" + randomHex(16) + "; Path=/; Secure",
		},
	}
}

// tells sets a mark once the answer has arrived.
func (a answer) tells(mark *bool) answer {
	a.told = append(a.told, mark)
	return a
}

// with sets a cookie besides.
func (a answer) with(cookie *http.Cookie) answer {
	a.header.Add("Set-Cookie", cookie.String())
	return a
}

func (a *answer) retryAfter(d time.Duration) {
	if d > 0 {
		a.header.Set("Retry-After", strconv.Itoa(int((d+time.Second-1)/time.Second)))
	}
}

// oauthError is a failed token call: usually HTTP 200 (Zoho, observed).
func (s *Simulator) oauthError(code string) answer {
	if s.knobs.ErrorHTML {
		return page(s.knobs.ErrorStatus, "Error", code)
	}
	return jsonAnswer(s.knobs.ErrorStatus, map[string]string{"error": code})
}

// refuse is oauthError, counted.
func (s *Simulator) refuse(code string) answer {
	s.counts.Refused++
	a := s.oauthError(code)
	a.refused = true
	return a
}

// A throttleAnswer has its fields in the order of captured answers.
type throttleAnswer struct {
	Description string `json:"error_description"`
	Error       string `json:"error"`
	Status      string `json:"status,omitempty"`
}

// throttled is the answer to one mint too many (Zoho, captured by several
// clients). English and the Chinese description are captured; the Japanese is
// ours, because what matters is only that Zoho translates both values.
func (s *Simulator) throttled() answer {
	body := throttleAnswer{
		Description: "You have made too many requests continuously. Please try again after some time.",
		Error:       "Access Denied",
	}
	switch s.knobs.ThrottleLanguage {
	case "zh":
		body.Description, body.Error = "您已连续提出过多请求，请稍后再试。", "拒绝访问"
	case "ja":
		body.Description, body.Error = "連続したリクエストが多すぎます。しばらくしてからもう一度お試しください。", "アクセスが拒否されました"
	}
	if s.knobs.ThrottleField {
		body.Status = "failure"
	}
	a := jsonAnswer(s.knobs.ThrottleStatus, body)
	a.retryAfter(s.knobs.ThrottleRetryAfter)
	return a
}
