// What was asked lately? The last requests with their outcome, and without anything that
// must not be told: no query, no body, no path of the caller's own making.

package zohotest

import (
	"encoding/json"
	"slices"
	"time"
)

// A Request is a call that arrived, and what became of it.
type Request struct {
	Time       time.Time `json:"time"` // by the simulator's clock
	DataCenter string    `json:"data_center"`
	Method     string    `json:"method"`
	Path       string    `json:"path"`                 // "" if there is no such endpoint
	GrantType  string    `json:"grant_type,omitempty"` // at token and device endpoints
	Client     string    `json:"client,omitempty"`     // name of a client that is registered
	Status     int       `json:"status"`               // 0 if the connection broke
	Error      string    `json:"error,omitempty"`      // Zoho's word for the refusal
}

// keptRequests bounds what is remembered.
const keptRequests = 100

// Requests are the last hundred, oldest first.
func (s *Simulator) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// answered notes a call with its answer.
func (s *Simulator) answered(at endpoint, known bool, c *call, a answer) {
	r := Request{DataCenter: c.site.Name, Method: methodOf(c), Status: a.status, Error: refusalIn(a)}
	if known {
		r.Path = c.r.URL.Path
	}
	if a.tear != whole {
		r.Status = 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Time = s.now()
	switch at.name {
	case "token", "device", "enhance":
		r.GrantType = grantName(c.form.Get("grant_type"))
	}
	id := c.form.Get("client_id")
	if id == "" {
		id = c.basicID
	}
	if client := s.clients[id]; client != nil {
		r.Client = client.Name
	}
	s.requests = newest(append(s.requests, r), keptRequests)
}

func methodOf(c *call) string {
	if c.r.Method == "" {
		return "GET"
	}
	return c.r.Method
}

// longestRefusal is above any refusal, and below any answer with a token.
const longestRefusal = 512

// refusalIn is the word of a refusal: error at the accounts server, code or errorCode
// at the APIs.
func refusalIn(a answer) string {
	if a.failed {
		return a.text
	}
	var words struct {
		Error     string          `json:"error"`
		Code      json.RawMessage `json:"code"`
		ErrorCode string          `json:"errorCode"`
		Cause     string          `json:"cause"`
	}
	if len(a.body) > longestRefusal || json.Unmarshal(a.body, &words) != nil {
		return ""
	}
	code := ""
	_ = json.Unmarshal(words.Code, &code) // a number names nothing
	for _, word := range []string{words.Error, words.ErrorCode, words.Cause, code} {
		if word != "" {
			return word
		}
	}
	return ""
}
