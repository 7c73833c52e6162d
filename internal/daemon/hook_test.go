package daemon_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/daemon"
	"sluice/internal/ops"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// told is what a hook was told.
type told struct {
	Pipeline string
	Outcome  string
	Time     time.Time
	Pass     int64
	Records  struct{ Read, Written int64 }
	Error    string
}

// listener is a server that hooks tell, and what it answers.
type listener struct {
	*httptest.Server
	mu      sync.Mutex
	answers []int // then 200
	told    []told
	headers []http.Header
}

func newListener(t *testing.T, answers ...int) *listener {
	l := &listener{answers: answers}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body told
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Method != http.MethodPost {
			t.Errorf("got %s, %v, want a POST of JSON", r.Method, err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.told, l.headers = append(l.told, body), append(l.headers, r.Header)
		if len(l.answers) > 0 {
			w.WriteHeader(l.answers[0])
			io.WriteString(w, "no room")
			l.answers = l.answers[1:]
		}
	}))
	t.Cleanup(func() {
		l.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return l
}

func (l *listener) hook(after string) daemon.Hook {
	return daemon.Hook{After: after, Webhook: &daemon.Webhook{URL: unit.Secret(l.URL + "/T0P/s3cret"), Token: "t0ken"}, Timeout: unit.Duration(20 * time.Second), Retries: 3}
}

// once makes one pass of a pipeline with hooks.
func once(t *testing.T, fail error, hooks ...daemon.Hook) (ops.Snapshot, string) {
	t.Helper()
	f := newFake("p")
	f.hooks = hooks
	if fail != nil {
		f.read = func(context.Context, chan<- *pipeline.Item) error { return fail }
	}
	log := &safe{}
	d := &daemon.Daemon{Log: logger(log), Board: new(ops.Board), Once: true}
	if err := d.Open(t.Context(), []daemon.Job{f.job()}); err != nil {
		t.Fatal(err)
	}
	if err := d.Run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return d.Board.Watches()[0].Snapshot(), log.String()
}

func TestAHookGetsTheReportOfThePass(t *testing.T) {
	l := newListener(t)
	once(t, nil, l.hook("any"), l.hook("failed"), l.hook("partial"))
	if len(l.told) != 1 {
		t.Fatalf("told %d times, want once: it was complete", len(l.told))
	}
	got, h := l.told[0], l.headers[0]
	if got.Pipeline != "p" || got.Outcome != "complete" || got.Pass != 1 || got.Records.Read != 1 || got.Records.Written != 1 || time.Since(got.Time) > time.Minute {
		t.Errorf("got %+v, want the report", got)
	}
	if h.Get("Authorization") != "Bearer t0ken" || h.Get("Content-Type") != "application/json" {
		t.Errorf("got %v, want the token and the type", h)
	}
	once(t, errors.New("no route"), l.hook("complete"), l.hook("failed"))
	if len(l.told) != 2 || l.told[1].Outcome != "failed" || l.told[1].Error != "source: lane a: no route" {
		t.Errorf("got %+v, want the failure too, once", l.told)
	}
}

func TestAHookThatFailsIsTriedAgainAndIsNoFailureOfThePass(t *testing.T) {
	l := newListener(t, 503, 429)
	s, log := once(t, nil, l.hook("any"))
	if len(l.told) != 3 || s.Care.Hooks != 0 || strings.Contains(log, "ERROR") {
		t.Errorf("told %d times, %+v, want success at the third\n%s", len(l.told), s.Care, log)
	}
	l = newListener(t, 503, 503, 503)
	h := l.hook("any")
	h.Retries = 1
	s, log = once(t, nil, h)
	if len(l.told) != 2 || s.Care.Hooks != 1 || s.Last != ops.Complete || !strings.Contains(log, "503 Service Unavailable: no room") {
		t.Errorf("told %d times, %+v, want one failure after 2 tries\n%s", len(l.told), s, log)
	}
	l = newListener(t, 404)
	if s, log = once(t, nil, l.hook("any")); len(l.told) != 1 || s.Care.Hooks != 1 {
		t.Errorf("told %d times, want once: 404 is for good\n%s", len(l.told), log)
	}
}

func TestTheAddressOfAHookIsNotShown(t *testing.T) {
	l := newListener(t)
	h := l.hook("any")
	h.Retries = 0
	l.Close()
	s, log := once(t, nil, h)
	if s.Care.Hooks != 1 || strings.Contains(log, "s3cret") || strings.Contains(log, "t0ken") || !strings.Contains(log, "connection refused") {
		t.Errorf("got %s, want what is wrong, without the address", log)
	}
}

func TestACommandGetsTheReport(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	h := daemon.Hook{After: "any", Command: []string{"sh", "-c", `cat >"$1"; echo "$SLUICE_PIPELINE $SLUICE_OUTCOME" >>"$1"`, "sh", out}, Timeout: unit.Duration(20 * time.Second)}
	if s, log := once(t, nil, h); s.Care.Hooks != 0 {
		t.Fatal(log)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var got told
	if err := json.NewDecoder(strings.NewReader(string(text))).Decode(&got); err != nil || got.Outcome != "complete" || !strings.HasSuffix(string(text), "}p complete\n") {
		t.Errorf("got %s, %v, want the report and the environment", text, err)
	}
	h.Command = []string{"sh", "-c", "echo the mail server is gone >&2; exit 3"}
	if s, log := once(t, nil, h); s.Care.Hooks != 1 || !strings.Contains(log, "command sh: exit status 3: the mail server is gone") {
		t.Errorf("got %+v, want it failed\n%s", s.Care, log)
	}
}

// TestAHookThatHangsIsKilledWithAllItStarted: the next pass does not wait longer.
func TestAHookThatHangsIsKilledWithAllItStarted(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	h := daemon.Hook{After: "any", Command: []string{"sh", "-c", `sleep 3600 & echo $! >"$1"; wait`, "sh", pid}, Timeout: unit.Duration(300 * time.Millisecond), Retries: 5}
	began := time.Now()
	s, log := once(t, nil, h)
	if took := time.Since(began); took > 5*time.Second || s.Care.Hooks != 1 || !strings.Contains(log, "killed after its timeout") {
		t.Errorf("took %v, %+v, want it killed\n%s", took, s.Care, log)
	}
	number, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	lives := func() bool {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(number)) + "/stat")
		return err == nil && !strings.Contains(string(stat), ") Z ")
	}
	for deadline := time.Now().Add(5 * time.Second); lives(); time.Sleep(10 * time.Millisecond) { // the kernel takes a moment
		if time.Now().After(deadline) {
			t.Fatal("what it started lives")
		}
	}
}

// TestOfFailuresInARowTheFirstIsTold, and none of a pass that was stopped.
func TestOfFailuresInARowTheFirstIsTold(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	f := newFake("p")
	f.every = time.Hour
	f.hooks = []daemon.Hook{{After: "any", Command: []string{"sh", "-c", `echo "$SLUICE_OUTCOME" >>"$1"`, "sh", out}, Timeout: unit.Duration(20 * time.Second)}}
	tries := make(chan int, 1)
	tries <- 0
	f.read = func(ctx context.Context, _ chan<- *pipeline.Item) error {
		n := <-tries
		tries <- n + 1
		if n < 3 {
			return errors.New("no route")
		}
		if n == 4 {
			<-ctx.Done()
		}
		return nil
	}
	r := start(t, nil, f)
	for n := 0; n < 5; { // the fifth is asked for, and stopped
		if s := r.snapshot(t, "p"); s.Last == ops.Complete {
			r.RunNow("p")
		}
		time.Sleep(10 * time.Millisecond)
		n = <-tries
		tries <- n
	}
	r.stop()
	text, err := os.ReadFile(out)
	if want := "failed\ncomplete\n"; err != nil || string(text) != want {
		t.Errorf("told %q, %v, want %q", text, err, want)
	}
}

func TestWhatIsWrongInAHookIsSaid(t *testing.T) {
	for want, h := range map[string]daemon.Hook{
		"needs a command or a webhook": {},
		"both command and webhook":     {Command: []string{"true"}, Webhook: &daemon.Webhook{URL: "https://host/path"}},
		"no address":                   {Webhook: &daemon.Webhook{URL: "host/path"}},
	} {
		if got := h.Problems(); len(got) != 1 || !strings.Contains(got[0].Message, want) {
			t.Errorf("got %v, want %q", got, want)
		}
	}
	if got := (daemon.Hook{Command: []string{"true"}}).Problems(); got != nil {
		t.Errorf("got %v, want none", got)
	}
}

// TestPassesThatFindNothingNewAreNotTold: a pipeline that follows has one each
// second.
func TestPassesThatFindNothingNewAreNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake("p")
		f.every, f.empty = time.Second, true
		f.hooks = []daemon.Hook{{After: "any", Command: []string{"/nowhere"}, Timeout: unit.Duration(time.Second)}}
		r := start(t, nil, f)
		time.Sleep(time.Minute)
		if s := r.snapshot(t, "p"); s.Care.Hooks != 0 || s.Pass < 59 {
			t.Errorf("got %+v, want no hook in %d passes", s.Care, s.Pass)
		}
	})
}
