package ops_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"golang.org/x/sync/errgroup"

	"sluice/internal/ops"
	"sluice/pipeline"
)

func TestTheWorstOutcomeIsThatOfAll(t *testing.T) {
	for _, c := range []struct {
		has  []ops.Outcome
		want ops.Outcome
	}{
		{nil, ops.Complete},
		{[]ops.Outcome{ops.Complete, ops.Partial}, ops.Partial},
		{[]ops.Outcome{ops.Partial, ops.Stopped, ops.Complete}, ops.Stopped},
		{[]ops.Outcome{ops.Stopped, ops.Failed, ops.Partial}, ops.Failed},
	} {
		rs := ops.Reports{}
		for i, o := range c.has {
			rs[string(rune('a'+i))] = ops.Report{Outcome: o}
		}
		if got := rs.Outcome(); got != c.want {
			t.Errorf("%v: got %s, want %s", c.has, got, c.want)
		}
	}
}

func TestWhatDoesNotAddUpIsNeverComplete(t *testing.T) {
	ended := pipeline.LaneStatus{State: pipeline.LaneState{Ended: true}}
	for name, c := range map[string]struct {
		res   pipeline.Result
		lanes []pipeline.LaneStatus
		want  ops.Outcome
	}{
		"all written":         {pipeline.Result{Complete: true, Counts: pipeline.Counts{Read: 2, Created: 1, Written: 2, Filtered: 1}}, []pipeline.LaneStatus{ended}, ops.Complete},
		"a record missing":    {pipeline.Result{Complete: true, Counts: pipeline.Counts{Read: 3, Written: 2}}, []pipeline.LaneStatus{ended}, ops.Failed},
		"missing and stopped": {pipeline.Result{Counts: pipeline.Counts{Read: 3, Written: 2}}, nil, ops.Failed},
		"nobody counted":      {pipeline.Result{Complete: true, Counts: pipeline.Counts{Read: 3, Unknown: 1}}, []pipeline.LaneStatus{ended}, ops.Complete},
		"an object vanished":  {pipeline.Result{Complete: true, Counts: pipeline.Counts{GivenUp: 1}}, []pipeline.LaneStatus{ended}, ops.Partial},
		"a lane not ended":    {pipeline.Result{Complete: true}, []pipeline.LaneStatus{ended, {}}, ops.Failed},
	} {
		if got := ops.NewReport(c.res, pipeline.Status{Lanes: c.lanes}, nil); got.Outcome != c.want {
			t.Errorf("%s: got %s (%s), want %s", name, got.Outcome, got.Error, c.want)
		}
	}
}

func TestTheReportHasTheNamesThatScriptsRead(t *testing.T) {
	counts := pipeline.Counts{
		Read: 7, Created: 1, Written: 5, Filtered: 2, Dead: 1, Skipped: 3, GivenUp: 4, Deleted: 6,
		BytesRead: 10, BytesWritten: 11, ObjectsRead: 12, ObjectsWritten: 13,
	}
	lanes := []pipeline.LaneStatus{{State: pipeline.LaneState{Ended: true}}, {}}
	r := ops.NewReport(pipeline.Result{Pass: 8, Counts: counts}, pipeline.Status{Lanes: lanes, Retries: map[string]int64{"503": 9}}, io.ErrShortWrite)
	r.Seconds = 1.5
	var b bytes.Buffer
	if err := (ops.Reports{"p": r}).Write(&b); err != nil {
		t.Fatal(err)
	}
	got := new(bytes.Buffer)
	if err := json.Compact(got, b.Bytes()); err != nil {
		t.Fatal(err)
	}
	want := `{"outcome":"failed","pipelines":{"p":{"outcome":"failed","pass":8,` +
		`"records":{"read":7,"created":1,"written":5,"filtered":2,"dead":1},"bytes":{"read":10,"written":11},` +
		`"objects":{"read":12,"written":13,"skipped":3,"deleted":6,"vanished":4},` +
		`"lanes":{"total":2,"ended":1},"retries":{"503":9},"seconds":1.5,"error":"short write"}}}`
	if got.String() != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAReportFileIsReplacedWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	for _, o := range []ops.Outcome{ops.Failed, ops.Complete} {
		rs := ops.Reports{"p": {Outcome: o, Pass: 7, Records: ops.Records{Read: 3, Written: 3}}}
		if err := rs.WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Outcome   string
		Pipelines map[string]struct {
			Outcome string
			Pass    int
			Records map[string]int
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if p := got.Pipelines["p"]; got.Outcome != "complete" || p.Pass != 7 || p.Records["written"] != 3 {
		t.Errorf("got %s", text)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("got %v beside the report, want nothing", entries)
	}
	if err := (ops.Reports{}).WriteFile(filepath.Join(path, "no")); err == nil {
		t.Error("got no error for a place that cannot be written")
	}
}

func TestAReportToADeviceDoesNotReplaceIt(t *testing.T) {
	link := filepath.Join(t.TempDir(), "null")
	if err := os.Symlink(os.DevNull, link); err != nil {
		t.Fatal(err)
	}
	if err := (ops.Reports{}).WriteFile(link); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("got %v, %v, want the link as it was", info, err)
	}
}

func TestTheSummaryNamesWhatToDo(t *testing.T) {
	rs := ops.Reports{
		"logs":  {Outcome: ops.Complete, Records: ops.Records{Read: 1234567, Written: 1234567}, Bytes: ops.Bytes{Read: 3 << 30, Written: 812 << 20}, Seconds: 10},
		"audit": {Outcome: ops.Failed, Error: "sink: lane a: 503\nsink: lane b: 503"},
		"old":   {Outcome: ops.Partial, Records: ops.Records{Read: 3, Written: 1, Dead: 2}},
	}
	var b bytes.Buffer
	if err := rs.Summary(&b, []string{"logs", "audit", "old", "absent"}, ops.Style{Again: "run again to resume", Letters: map[string]string{"old": "dead/old"}}); err != nil {
		t.Fatal(err)
	}
	want := `PIPELINE  OUTCOME   RECORDS IN        OUT  BYTES IN      OUT  OBJECTS IN  OUT  DEAD  SECONDS  RECORDS/S
logs      complete   1,234,567  1,234,567  3.00 GiB  812 MiB           0    0     0     10.0          0
audit     failed             0          0       0 B      0 B           0    0     0      0.0          -
old       partial            3          1       0 B      0 B           0    0     2      0.0          -

audit: failed: sink: lane a: 503
  sink: lane b: 503
  When the cause is gone: run again to resume.

old: complete but for 2 dead letters: see dead/old for the reasons.
`
	if got := b.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	b.Reset()
	rs.Summary(&b, []string{"audit"}, ops.Style{Color: true})
	if got := b.String(); !strings.Contains(got, "\x1b[31mfailed \x1b[0m") {
		t.Errorf("got %q, want a red outcome", got)
	}
}

func TestTheSummaryOfANarrowTerminalIsParagraphs(t *testing.T) {
	rs := ops.Reports{"logs": {Outcome: ops.Complete, Records: ops.Records{Read: 1234567, Written: 1234567}, Bytes: ops.Bytes{Read: 3 << 30, Written: 812 << 20}, Seconds: 10}}
	want := `logs: complete
  records  1,234,567 in, 1,234,567 out
  bytes    3.00 GiB in, 812 MiB out
  objects  0 in, 0 out
  dead     0
  speed    10.0 s, 0 records/s
`
	for _, width := range []int{0, 60, 200} {
		var b bytes.Buffer
		if err := rs.Summary(&b, []string{"logs"}, ops.Style{Width: width}); err != nil {
			t.Fatal(err)
		}
		if got, narrow := b.String(), width == 60; (got == want) != narrow || !narrow && !strings.HasPrefix(got, "PIPELINE") {
			t.Errorf("width %d: got:\n%s", width, got)
		}
	}
}

func TestProgressIsALineEveryTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := watch(&source{n: 40, expect: 40}, &sink{}, newStore())
		var b bytes.Buffer
		ctx, stop := context.WithCancel(t.Context())
		var g errgroup.Group
		g.Go(func() error { ops.Lines(ctx, ops.NewLogger(&b, true, slog.LevelInfo), ops.NewBoard(w)); return nil })
		w.Pass(ctx)
		time.Sleep(time.Minute) // nothing runs: nothing is shown
		stop()
		g.Wait()
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		if len(lines) < 3 || len(lines) > 4 {
			t.Fatalf("got %d lines, want one each 10 s of 40 s:\n%s", len(lines), &b)
		}
		var got struct {
			Msg, Pipeline, Eta string
			Records            int `json:"records"`
			Rate               int `json:"records_per_second"`
			Percent            int
		}
		if err := json.Unmarshal([]byte(lines[2]), &got); err != nil {
			t.Fatal(err)
		}
		if got.Msg != "progress" || got.Pipeline != "p" || got.Records < 29 || got.Records > 30 || got.Percent < 72 || got.Percent > 75 || got.Eta == "" {
			t.Errorf("got %s", lines[2])
		}
	})
}

func site(s ops.Site, others ...prometheus.Collector) http.Handler {
	if s.Board == nil {
		s.Board = new(ops.Board)
	}
	s.Metrics = ops.Registry(s.Build, s.Board, s.Memory, others...)
	return s.Handler()
}

func TestMetricsFollowTheWatch(t *testing.T) {
	var w *ops.Watch
	synctest.Test(t, func(t *testing.T) {
		w = watch(&source{n: 3}, &sink{dead: 1}, newStore())
		w.Pass(t.Context())
	})
	rec := httptest.NewRecorder()
	site(ops.Site{Build: ops.Build{Version: `v"1`, Commit: "c", Go: "g"}, Board: ops.NewBoard(w), Memory: 80 << 20}).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	got := rec.Body.String()
	for _, want := range []string{
		`sluice_build_info{commit="c",go="g",version="v\"1"} 1`,
		`sluice_records_total{pipeline="p",what="written"} 2`, `sluice_records_total{pipeline="p",what="dead"} 1`,
		`sluice_bytes_total{pipeline="p",what="read"} `, `sluice_objects_total{pipeline="p",what="vanished"} 0`,
		`sluice_retries_total{cause="503",pipeline="p"} 3`, `sluice_lanes{pipeline="p",state="ended"} 1`,
		`sluice_pass{pipeline="p"} 1`, `sluice_last_save_timestamp_seconds{pipeline="p"} 9.466848`, // the year 2000 of synctest
		`sluice_passes_total{outcome="partial",pipeline="p"} 1`, `sluice_passes_total{outcome="failed",pipeline="p"} 0`,
		`# TYPE sluice_bytes_total counter`, `# TYPE sluice_lanes gauge`, `go_goroutines `, `process_start_time_seconds `,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got no %s in\n%s", want, got)
		}
	}
	problems, err := promlint.New(rec.Body).Lint()
	if err != nil {
		t.Error(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestReadinessFollowsTheState(t *testing.T) {
	st := newStore()
	w := watch(&source{n: 0}, &sink{}, st)
	h := site(ops.Site{Board: ops.NewBoard(w)})
	ask := func(path string) int {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		return rec.Code
	}
	if got := ask("/readyz"); got != http.StatusOK {
		t.Errorf("got %d, want ready", got)
	}
	st.fail(io.ErrShortWrite)
	w.Pass(t.Context())
	if got := ask("/readyz"); got != http.StatusServiceUnavailable {
		t.Errorf("got %d, want unready", got)
	}
	if got := ask("/healthz"); got != http.StatusOK {
		t.Errorf("got %d, want alive", got)
	}
}

// TestADegradedDestinationDoesNotFlipReadiness: to be taken out of service would
// help nobody.
func TestADegradedDestinationDoesNotFlipReadiness(t *testing.T) {
	w := watch(&source{n: 0, fail: io.ErrClosedPipe}, &sink{}, newStore())
	if r := w.Pass(t.Context()); r.Outcome != ops.Failed {
		t.Fatalf("got %s, want failed", r.Outcome)
	}
	w.Care(func(c *ops.Care) { c.Failures, c.Stalled = 9, &ops.Stall{} })
	b := ops.NewBoard(w)
	b.Loaded(io.ErrUnexpectedEOF) // the configuration before it is in use
	rec := httptest.NewRecorder()
	site(ops.Site{Board: b}).ServeHTTP(rec, httptest.NewRequest("GET", "/readyz", nil))
	if rec.Code != http.StatusOK {
		t.Errorf("got %d %s, want ready", rec.Code, rec.Body)
	}
}

// TestTheFieldsOfTheLogAreDocumented: those of the lines that others read.
func TestTheFieldsOfTheLogAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/details/watching.md")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	log := ops.NewLogger(&b, true, slog.LevelInfo)
	ops.Report{Outcome: ops.Failed, Error: "no"}.Log(log, "p")
	synctest.Test(t, func(t *testing.T) {
		w := watch(&source{n: 20, expect: 20}, &sink{}, newStore())
		ctx, stop := context.WithCancel(t.Context())
		var g errgroup.Group
		g.Go(func() error { ops.Lines(ctx, log, ops.NewBoard(w)); return nil })
		w.Pass(ctx)
		stop()
		g.Wait()
	})
	for line := range strings.Lines(b.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		for name := range fields {
			if !bytes.Contains(page, []byte("`"+name+"`")) {
				t.Errorf("%s of %s is not in docs/details/watching.md", name, fields["msg"])
			}
		}
	}
}

func TestServingEndsWithItsContext(t *testing.T) {
	ln, err := ops.Listen(t.Context(), ":0")
	if err != nil {
		t.Fatal(err)
	}
	if ip := ln.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
		t.Errorf("got %v, want this machine only", ip)
	}
	if _, err := ops.Listen(t.Context(), ln.Addr().String()); err == nil || !strings.HasPrefix(err.Error(), "http: listen tcp") {
		t.Errorf("got %v, want an error that names the port", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error { return ops.Serve(ctx, ln, site(ops.Site{Board: new(ops.Board)})) })
	resp, err := http.Get("http://" + ln.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	stop()
	if err := g.Wait(); err != nil {
		t.Errorf("got %v, want no error", err)
	}
}

// wide is a sink of three directories.
type wide struct{ *sink }

func (wide) Directories() int64 { return 3 }

func TestMetricsHaveTheNamesOfGitSyncOnRequest(t *testing.T) {
	ask := func(b *ops.Board) string {
		rec := httptest.NewRecorder()
		site(ops.Site{Board: b}, ops.GitSync{Board: b}).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
		return rec.Body.String()
	}
	plain, synced := ops.NewWatch("plain"), ops.NewWatch("p")
	b := ops.NewBoard(plain)
	synctest.Test(t, func(t *testing.T) {
		plain.Use(newPipeline(&source{n: 1}, &sink{}, newStore()), nil)
		plain.Pass(t.Context())
		b.Add(synced)
		if got := ask(b); strings.Contains(got, "git_sync_") {
			t.Errorf("nothing is known of p: got\n%s", got)
		}
		broken := &source{n: 3, fail: errors.New("500")}
		synced.Use(newPipeline(broken, wide{&sink{}}, newStore()), nil)
		synced.Pass(t.Context())
		broken.fail = nil
		synced.Pass(t.Context())
	})
	got := ask(b)
	for _, want := range []string{
		`git_sync_duration_seconds_count{pipeline="p"} 2`, `git_sync_duration_seconds_sum{pipeline="p"} `, `git_sync_duration_seconds_bucket{pipeline="p",le="0.005"} `, `git_sync_duration_seconds_bucket{pipeline="p",le="2.5"} 1`, `git_sync_duration_seconds_bucket{pipeline="p",le="3600"} 2`,
		`git_sync_errors_total{pipeline="p"} 1`, `git_sync_last_success_timestamp{pipeline="p"} 9.466848`, `# TYPE git_sync_files_processed_total counter`, `git_sync_clusters_backed_up{pipeline="p"} 3`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got no %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, `_sum{pipeline="plain"}`) || strings.Contains(got, `_up{pipeline="plain"}`) {
		t.Errorf("a sink without directories: got\n%s", got)
	}
	if b.Remove(synced); strings.Contains(ask(b), "git_sync_") {
		t.Error("a pipeline that was removed has metrics")
	}
}
