package ops_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sluice/internal/ops"
	"sluice/internal/unit"
)

// control notes what it is asked for.
type control struct{ asked []string }

func (c *control) do(what, name string) error {
	switch name {
	case "p":
		c.asked = append(c.asked, what)
		return nil
	case "paused":
		return fmt.Errorf("%s: %w", name, ops.ErrPaused)
	}
	return fmt.Errorf("%s: %w", name, ops.ErrUnknown)
}

func (c *control) Pause(name string) error  { return c.do("pause", name) }
func (c *control) Resume(name string) error { return c.do("resume", name) }
func (c *control) RunNow(name string) error { return c.do("run", name) }

// asking is a request and what is to become of it.
type asking struct {
	method, path, host string
	headers            map[string]string
	want               int
}

func (a asking) run(t *testing.T, h http.Handler) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequest(a.method, "http://"+a.host+a.path, nil)
	for name, value := range a.headers {
		req.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	if rec.Code != a.want {
		t.Errorf("%s %s at %s with %v: got %d %s, want %d", a.method, a.path, a.host, a.headers, rec.Code, rec.Body, a.want)
	}
	if got := rec.Header().Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("got %q, want nothing that lets other pages read", got)
	}
	return rec
}

func guarded(g ops.Guard) (http.Handler, *control) {
	c := &control{}
	return site(ops.Site{Control: c, Guard: g, Log: slog.New(slog.DiscardHandler), Pprof: true, Board: ops.NewBoard(ops.NewWatch("p"))}), c
}

const token = "correct horse"

var (
	plain  = map[string]string{}
	asks   = map[string]string{"X-Sluice": "1"}
	shows  = map[string]string{"X-Sluice": "1", "Authorization": "Bearer " + token}
	wrong  = map[string]string{"X-Sluice": "1", "Authorization": "Bearer correct"}
	basic  = map[string]string{"X-Sluice": "1", "Authorization": "Basic " + token}
	nobody = map[string]string{"X-Sluice": "1", "Authorization": "Bearer "}
	unseen = map[string]string{"Authorization": "Bearer " + token}
)

func TestAWebPageCannotReachAServerOfThisMachine(t *testing.T) {
	h, c := guarded(ops.Guard{Loopback: true})
	for _, a := range []asking{
		{"POST", "/api/v1/pipelines/p/pause", "127.0.0.1:9600", plain, http.StatusForbidden}, // a form of another page
		{"POST", "/api/v1/pipelines/p/pause", "evil.example:9600", asks, http.StatusMisdirectedRequest},
		{"POST", "/api/v1/pipelines/p/pause", "127.0.0.1.evil.example", asks, http.StatusMisdirectedRequest},
		{"OPTIONS", "/api/v1/pipelines/p/pause", "127.0.0.1:9600", plain, http.StatusMethodNotAllowed},
		{"GET", "/api/v1/pipelines", "evil.example", plain, http.StatusMisdirectedRequest},
		{"GET", "/api/v1/pipelines/p", "evil.example", plain, http.StatusMisdirectedRequest},
		{"GET", "/debug/pprof/heap", "evil.example", plain, http.StatusMisdirectedRequest},
		{"GET", "/api/v1/pipelines/p/pause", "127.0.0.1:9600", asks, http.StatusMethodNotAllowed},
	} {
		a.run(t, h)
	}
	if len(c.asked) > 0 {
		t.Errorf("got %v, want nothing asked for", c.asked)
	}
	for _, host := range []string{"127.0.0.1:9600", "localhost:9600", "localhost", "[::1]:9600", "127.1.2.3"} {
		asking{"POST", "/api/v1/pipelines/p/run", host, asks, http.StatusNoContent}.run(t, h)
	}
	asking{"GET", "/metrics", "sluice.example:9600", plain, http.StatusOK}.run(t, h)
}

func TestOthersThanThisMachineNeedTheToken(t *testing.T) {
	h, c := guarded(ops.Guard{Token: token})
	for _, headers := range []map[string]string{plain, asks, wrong, basic, nobody, {"X-Sluice": "1", "Authorization": token}} {
		want := http.StatusUnauthorized
		asking{"POST", "/api/v1/pipelines/p/pause", "sluice:9600", headers, want}.run(t, h)
		asking{"GET", "/debug/pprof/heap", "sluice:9600", headers, want}.run(t, h)
	}
	asking{"POST", "/api/v1/pipelines/p/pause", "sluice:9600", unseen, http.StatusForbidden}.run(t, h)
	if len(c.asked) > 0 {
		t.Errorf("got %v, want nothing asked for", c.asked)
	}
	for _, action := range []string{"pause", "resume", "run"} {
		asking{"POST", "/api/v1/pipelines/p/" + action, "sluice:9600", shows, http.StatusNoContent}.run(t, h)
	}
	if got := strings.Join(c.asked, " "); got != "pause resume run" {
		t.Errorf("got %s, want each once", got)
	}
	asking{"GET", "/api/v1/pipelines", "sluice:9600", plain, http.StatusOK}.run(t, h)
}

func TestWithoutATokenOthersCanChangeNothing(t *testing.T) {
	h, c := guarded(ops.Guard{})
	for _, headers := range []map[string]string{plain, asks, shows, nobody} {
		asking{"POST", "/api/v1/pipelines/p/pause", "sluice:9600", headers, http.StatusForbidden}.run(t, h)
		asking{"GET", "/debug/pprof/heap", "sluice:9600", headers, http.StatusForbidden}.run(t, h)
	}
	if len(c.asked) > 0 {
		t.Errorf("got %v, want nothing asked for", c.asked)
	}
}

func TestATokenIsNeededOnThisMachineTooIfThereIsOne(t *testing.T) {
	h, _ := guarded(ops.Guard{Loopback: true, Token: token})
	asking{"POST", "/api/v1/pipelines/p/run", "127.0.0.1:9600", asks, http.StatusUnauthorized}.run(t, h)
	asking{"POST", "/api/v1/pipelines/p/run", "127.0.0.1:9600", shows, http.StatusNoContent}.run(t, h)
}

func TestTheGuardKnowsWhoCanConnect(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1:0": true, "[::1]:0": true, "0.0.0.0:0": false} {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Logf("%s: %v", addr, err) // no IPv6 here
			continue
		}
		if got := ops.GuardFor(ln, unit.Secret("")).Loopback; got != want {
			t.Errorf("%s: got only this machine %v, want %v", addr, got, want)
		}
		ln.Close()
	}
}

func TestWhatCannotBeDoneIsSaid(t *testing.T) {
	h, _ := guarded(ops.Guard{Loopback: true})
	for path, want := range map[string]int{
		"/api/v1/pipelines/q/pause":    http.StatusNotFound,
		"/api/v1/pipelines/paused/run": http.StatusConflict,
		"/api/v1/pipelines/p/delete":   http.StatusNotFound,
	} {
		rec := asking{"POST", path, "localhost", asks, want}.run(t, h)
		if !strings.HasPrefix(rec.Body.String(), `{"error":"`) {
			t.Errorf("%s: got %s, want why", path, rec.Body)
		}
	}
	asking{"GET", "/api/v1/pipelines/q", "localhost", plain, http.StatusNotFound}.run(t, h)
	if errors.Is(ops.ErrPaused, ops.ErrUnknown) {
		t.Error("got one error for two things")
	}
}

func TestNoBodyIsTaken(t *testing.T) {
	h, _ := guarded(ops.Guard{Loopback: true})
	req := httptest.NewRequest("POST", "http://localhost/api/v1/pipelines/p/run", strings.NewReader(strings.Repeat("x", 5000)))
	req.Header.Set("X-Sluice", "1")
	rec := httptest.NewRecorder()
	if h.ServeHTTP(rec, req); rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d, want the body refused", rec.Code)
	}
}

func TestProfilesAreServedByFlagOnly(t *testing.T) {
	asking{"GET", "/debug/pprof/heap", "localhost", plain, http.StatusNotFound}.run(t, site(ops.Site{Guard: ops.Guard{Loopback: true}}))
	h, _ := guarded(ops.Guard{Loopback: true})
	asking{"GET", "/debug/pprof/heap", "localhost", plain, http.StatusOK}.run(t, h)
	asking{"GET", "/debug/pprof/cmdline", "localhost", plain, http.StatusNotFound}.run(t, h)
}
