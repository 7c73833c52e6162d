// Package faultproxy stands between a client and a real HTTP server, and does
// what networks, load balancers and servers do on a bad day: it answers errors
// in the server's place, loses replies of requests that were carried out, cuts
// bodies in their middle, and waits.
//
// Requests are forwarded as they came, Host included, so signatures hold.
package faultproxy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Rule says which requests fail, and how. Of several rules that match, the one
// that was added first and is not used up applies.
type Rule struct {
	// Which: all that is set must match.
	Method string                   // "PUT"; "": any
	Path   string                   // part of the decoded path
	Query  string                   // part of the raw query
	Match  func(*http.Request) bool // whatever else; must not read the body
	Skip   int                      // this many that match pass first
	Times  int                      // so many fail; 0: one; below 0: all

	// What happens. Without any of Status, Cut, CutAfter and Edit, the request
	// is only delayed.
	Do       func()               // called first
	Late     bool                 // Status and Cut come after the server has done the work; its reply is lost
	Status   int                  // the answer, in the server's place
	Header   map[string]string    // of that answer
	Body     string               // of that answer
	Cut      bool                 // the connection is closed without an answer; Go's client tries a GET again by itself then
	CutAfter int64                // the connection is closed after so many bytes of the reply's body
	Delay    time.Duration        // before the answer; with CutAfter, before the cut
	Edit     func(*http.Response) // changes the server's reply; it may replace Body

	mu   sync.Mutex
	hits int // requests that matched
}

// Hits is how many requests the rule was applied to.
func (r *Rule) Hits() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := max(0, r.hits-r.Skip)
	if r.Times < 0 {
		return n
	}
	return min(n, max(1, r.Times))
}

// takes reports whether the rule applies to a request.
func (r *Rule) takes(req *http.Request) bool {
	if r.Method != "" && r.Method != req.Method ||
		!strings.Contains(req.URL.Path, r.Path) ||
		!strings.Contains(req.URL.RawQuery, r.Query) ||
		r.Match != nil && !r.Match(req) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Times >= 0 && r.hits >= r.Skip+max(1, r.Times) {
		return false
	}
	r.hits++
	return r.hits > r.Skip
}

// Proxy forwards to one server. Its methods may be called at any time.
type Proxy struct {
	URL string // where it listens

	target    *url.URL
	transport *http.Transport
	end       context.Context
	server    *httptest.Server
	mu        sync.Mutex
	rules     []*Rule
	requests  []string
}

// New starts a proxy to the server at target, a URL. It ends with the test.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	end, cancel := context.WithCancel(context.Background())
	p := &Proxy{target: u, end: end, transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}}
	s := httptest.NewServer(p)
	p.URL, p.server = s.URL, s
	t.Cleanup(func() {
		cancel()
		p.Stop()
		p.transport.CloseIdleConnections()
	})
	return p
}

// Stop cuts all connections and takes no more, like a node that has died. It
// must not be called from a rule of the same proxy.
func (p *Proxy) Stop() {
	p.server.CloseClientConnections()
	p.server.Close()
}

// Add puts a rule behind those that are there, and returns it.
func (p *Proxy) Add(r *Rule) *Rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, r)
	return r
}

// Clear removes all rules and forgets all requests.
func (p *Proxy) Clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules, p.requests = nil, nil
}

// Requests gives what was asked so far, each as "GET /path?query", that
// contains all the parts.
func (p *Proxy) Requests(parts ...string) (list []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
next:
	for _, r := range p.requests {
		for _, part := range parts {
			if !strings.Contains(r, part) {
				continue next
			}
		}
		list = append(list, r)
	}
	return list
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	rule := p.rule(req)
	if rule == nil {
		rule = &Rule{}
	}
	if rule.Do != nil {
		rule.Do()
	}
	if rule.CutAfter == 0 && !rule.Late {
		p.wait(req, rule.Delay)
	}
	if !rule.Late && (rule.Cut || rule.Status != 0) {
		if !rule.Cut { // an answer before the end of the body may be lost: net/http then closes the connection
			io.Copy(io.Discard, req.Body)
		}
		rule.answer(w)
		return
	}
	reply, err := p.forward(req)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer reply.Body.Close()
	if rule.Late {
		io.Copy(io.Discard, reply.Body)
		p.wait(req, rule.Delay)
		rule.answer(w)
		return
	}
	if rule.Edit != nil {
		rule.Edit(reply)
	}
	for k, v := range reply.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(reply.StatusCode)
	if rule.CutAfter > 0 {
		io.CopyN(w, reply.Body, rule.CutAfter)
		http.NewResponseController(w).Flush()
		p.wait(req, rule.Delay)
		panic(http.ErrAbortHandler)
	}
	if _, err := io.Copy(w, reply.Body); err != nil {
		panic(http.ErrAbortHandler) // a body that the server cut is cut here too
	}
}

// rule notes a request and finds what is to happen to it.
func (p *Proxy) rule(req *http.Request) *Rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, req.Method+" "+req.URL.RequestURI())
	for _, r := range p.rules {
		if r.takes(req) {
			return r
		}
	}
	return nil
}

// answer gives the answer of the rule, or none.
func (r *Rule) answer(w http.ResponseWriter) {
	if r.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	for k, v := range r.Header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(r.Status)
	io.WriteString(w, r.Body)
}

// forward sends the request to the server as it is. It has read the body
// before: net/http closes it when an answer begins, and a transport that is
// still looking for its end then would take that for a failure.
func (p *Proxy) forward(req *http.Request) (*http.Response, error) {
	out := req.Clone(req.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI = p.target.Scheme, p.target.Host, ""
	out.Header.Del("Expect")
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	if out.Body = io.NopCloser(bytes.NewReader(body)); req.ContentLength == 0 {
		out.Body = nil
	}
	return p.transport.RoundTrip(out)
}

// wait waits. A request whose client or test has ended meanwhile ends too: the
// server must not get it when nobody expects that any more.
func (p *Proxy) wait(req *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
		return
	case <-req.Context().Done():
	case <-p.end.Done():
	}
	panic(http.ErrAbortHandler)
}
