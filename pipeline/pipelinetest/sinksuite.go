package pipelinetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sluice/pipeline"
)

// SinkCase is a sink under test, and the place that it writes to.
type SinkCase struct {
	Open     func(t *testing.T) pipeline.Sink // makes the sink anew, as another process would, over the same place
	Contents func(t *testing.T) []string      // the records in that place, with their newlines, in any order
	Index    string                           // that the records of the suite name; "": suite
	Streams  bool                             // items are streams; else blocks of records
	Refused  string                           // a record that can never be delivered, with its newline; "": there is none
	Ignore   []goleak.Option                  // goroutines that may outlive a writer: those of the server in this process
}

// TestSink checks what the frame relies on in every sink. place makes a case
// whose place is empty, once for each of these:
//
//   - what is done is durable, at any time;
//   - at the end everything is there, once, also of lanes without items, and of
//     items without positions;
//   - a failure before the sink ends Write soon and makes nothing done that is
//     not durable; the next run completes the pass;
//   - so does a stop;
//   - Finish may be called again, to the same effect;
//   - a record that can never be delivered is a dead letter, or an error;
//   - Close leaves no goroutine.
func TestSink(t *testing.T, place func(t *testing.T) SinkCase) {
	for name, f := range map[string]func(*sinkSuite, *testing.T){
		"what is done is durable":        (*sinkSuite).durable,
		"a failure upstream":             (*sinkSuite).failure,
		"a stop":                         (*sinkSuite).stop,
		"finish again":                   (*sinkSuite).finishAgain,
		"a record that is refused":       (*sinkSuite).refused,
		"a refused record ends the lane": (*sinkSuite).refusedWithoutLetters,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSinkSuite(place(t))
			before := append(s.Ignore, goleak.IgnoreCurrent())
			f(s, t)
			if !t.Failed() {
				goleak.VerifyNone(t, before...)
			}
		})
	}
}

// sinkSuite is a source, a store and letters that outlive runs.
type sinkSuite struct {
	SinkCase
	store    *Store
	letters  map[string]string
	lanes    map[string]int                                             // items of a lane
	before   func(ctx context.Context, lane pipeline.Lane, n int) error // an item is sent
	p        *pipeline.Pipeline
	sent     atomic.Int64
	noLetter bool
	whole    bool   // every item has a position; else two of three
	extra    string // the last line of the second item of lane a
}

func newSinkSuite(c SinkCase) *sinkSuite {
	if c.Index == "" {
		c.Index = "suite"
	}
	return &sinkSuite{SinkCase: c, store: &Store{World: &World{}}, letters: map[string]string{},
		lanes: map[string]int{"a": 40, "b": 17, "c": 0}}
}

// run makes one run, as a process would.
func (s *sinkSuite) run(ctx context.Context, t *testing.T) (pipeline.Result, error) {
	t.Helper()
	s.p = &pipeline.Pipeline{Name: "suite", Source: s, Sink: s.SinkCase.Open(t), Store: s.store, Lanes: 3, Depth: 1, Grace: 20 * time.Second}
	if !s.noLetter {
		s.p.Dead = &Letters{World: s.store.World, Durable: s.letters}
	}
	return s.p.Run(ctx)
}

// Open implements [pipeline.Source].
func (s *sinkSuite) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) {
	return suiteReader{s}, nil
}

type suiteReader struct{ *sinkSuite }

// Plan implements [pipeline.Reader].
func (r suiteReader) Plan(context.Context) (plan []pipeline.Lane, err error) {
	for _, name := range []string{"a", "b", "c"} {
		plan = append(plan, pipeline.Lane{Name: name, ID: "id " + name, Part: len(plan), Parts: 3})
	}
	return plan, nil
}

// Read implements [pipeline.Reader].
func (r suiteReader) Read(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	quota := pipeline.NewQuota(3)
	first, _ := strconv.Atoi(from.Token)
	for n := first; n < r.lanes[lane.Name]; n++ {
		if r.before != nil {
			if err := r.before(ctx, lane, n); err != nil {
				return err
			}
		}
		it, err := r.item(ctx, quota, lane, n)
		if err != nil {
			return err
		}
		if !r.whole && n%3 == 1 && n < r.lanes[lane.Name]-1 {
			it.Pos = pipeline.Position{}
		}
		if err := pipeline.Send(ctx, out, it); err != nil {
			return err
		}
		r.sent.Add(1)
	}
	return nil
}

func (r suiteReader) item(ctx context.Context, quota *pipeline.Quota, lane pipeline.Lane, n int) (*pipeline.Item, error) {
	pos := pipeline.Position{Token: fmt.Sprint(n + 1)}
	lines := r.content(lane.Name, n)
	content := []byte(strings.Join(lines, ""))
	meta := &pipeline.Meta{Index: r.Index, ContentType: "application/x-ndjson"}
	if r.Streams {
		it := &pipeline.Item{Key: fmt.Sprintf("%s-%04d.ndjson", lane.Name, n), Version: "v1", Pos: pos, Size: int64(len(content)), Records: -1, Meta: meta}
		it.Body = pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
		return it, nil
	}
	b, err := quota.Block(ctx)
	if err != nil {
		return nil, err
	}
	b.Write(content)
	it := b.Item(r.Index, pos, int64(len(lines)))
	it.Meta = meta
	return it, nil
}

// Close implements [pipeline.Reader].
func (r suiteReader) Close() error { return nil }

// content is the lines of an item.
func (s *sinkSuite) content(lane string, n int) (lines []string) {
	for i := range 7 {
		lines = append(lines, fmt.Sprintf(`{"_index":"%s","_id":"%s-%d-%d","_source":{"text":"%s"}}`+"\n", s.Index, lane, n, i, strings.Repeat("x", n*i)))
	}
	if lane == "a" && n == 1 && s.extra != "" {
		lines = append(lines, s.extra)
	}
	return lines
}

// all is the lines of the first items of a lane, without what is refused.
func (s *sinkSuite) all(lane string, items int) (lines []string) {
	for n := range items {
		lines = append(lines, s.content(lane, n)...)
	}
	return slices.DeleteFunc(lines, func(l string) bool { return l == s.extra })
}

// expect checks that the place holds each record once, and nothing else.
func (s *sinkSuite) expect(t *testing.T) {
	t.Helper()
	var want []string
	for lane, items := range s.lanes {
		want = append(want, s.all(lane, items)...)
	}
	got := s.Contents(t)
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the place does not hold what was sent (-want +got):\n%s", diff)
	}
}

// done checks that what the sink has called done is durable.
func (s *sinkSuite) done(t *testing.T) {
	t.Helper()
	status, _ := s.p.Status()
	there := map[string]bool{}
	for _, line := range s.Contents(t) {
		there[line] = true
	}
	for _, l := range status.Lanes {
		items, _ := strconv.Atoi(l.State.Pos.Token)
		for _, line := range s.all(l.Name, items) {
			if !there[line] {
				t.Errorf("lane %s is done up to item %d, but is not durable: %s", l.Name, items, line)
				return
			}
		}
	}
}

// complete makes a run that completes the pass.
func (s *sinkSuite) complete(t *testing.T) {
	t.Helper()
	res, err := s.run(t.Context(), t)
	if err != nil || !res.Complete {
		t.Fatalf("complete %v, %v, want a complete pass", res.Complete, err)
	}
	want := int64(0)
	for lane, items := range s.lanes {
		want += int64(len(s.all(lane, items)))
	}
	if c := res.Counts; !s.Streams && c.Written != want {
		t.Errorf("counts %+v, want %d written", c, want)
	}
	s.expect(t)
}

func (s *sinkSuite) durable(t *testing.T) {
	s.before = func(_ context.Context, lane pipeline.Lane, n int) error {
		if lane.Name == "a" && n%10 == 9 {
			s.done(t)
		}
		return nil
	}
	s.complete(t)
}

var errUpstream = errors.New("the source failed")

func (s *sinkSuite) failure(t *testing.T) {
	s.before = func(_ context.Context, lane pipeline.Lane, n int) error {
		if lane.Name == "a" && n == 20 {
			return errUpstream
		}
		return nil
	}
	begin := time.Now()
	res, err := s.run(t.Context(), t)
	if !errors.Is(err, errUpstream) || res.Complete {
		t.Errorf("complete %v, %v, want %v", res.Complete, err, errUpstream)
	}
	if d := time.Since(begin); d > 15*time.Second {
		t.Errorf("Write returned %s after the failure", d)
	}
	s.done(t)
	s.before = nil
	s.complete(t)
}

func (s *sinkSuite) stop(t *testing.T) {
	s.whole = true
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s.before = func(ctx context.Context, lane pipeline.Lane, n int) error {
		if lane.Name == "a" && n == 20 {
			stop()
			<-ctx.Done()
			return context.Cause(ctx)
		}
		return nil
	}
	res, err := s.run(ctx, t)
	if err != nil || res.Complete {
		t.Errorf("complete %v, %v, want a clean stop", res.Complete, err)
	}
	s.done(t)
	status, _ := s.p.Status()
	if at := status.Lanes[0].State.Pos.Token; at != "20" {
		t.Errorf("lane a is done up to item %q, want all 20 that were sent before the stop", at)
	}
	s.before = nil
	s.complete(t)
}

func (s *sinkSuite) finishAgain(t *testing.T) {
	ended := false
	s.store.Check = func(rows map[string]map[string][]byte) {
		ended = bytes.Contains(rows["lanes"]["a"], []byte(`"Ended":true`)) && bytes.Contains(rows["lanes"]["b"], []byte(`"Ended":true`)) && bytes.Contains(rows["lanes"]["c"], []byte(`"Ended":true`))
	}
	s.p = nil
	failing := &failOnce{Store: s.store, when: func(rows []pipeline.Row) bool { return ended && rows[0].Bucket == "pass" }}
	p := &pipeline.Pipeline{Name: "suite", Source: s, Sink: s.SinkCase.Open(t), Store: failing, Lanes: 3, Depth: 1}
	if res, err := p.Run(t.Context()); !errors.Is(err, ErrOnce) || res.Complete {
		t.Fatalf("complete %v, %v, want the error of the store after Finish", res.Complete, err)
	}
	s.complete(t)
}

// failOnce fails the first Put that when says so of.
type failOnce struct {
	*Store
	when   func([]pipeline.Row) bool
	failed bool
}

// Put implements [pipeline.Store].
func (f *failOnce) Put(rows ...pipeline.Row) error {
	if len(rows) > 0 && !f.failed && f.when(rows) {
		f.failed = true
		return ErrOnce
	}
	return f.Store.Put(rows...)
}

func (s *sinkSuite) refused(t *testing.T) {
	if s.Refused == "" {
		t.Skip("it refuses no record")
	}
	s.extra = s.Refused
	s.complete(t)
	if len(s.letters) != 1 {
		t.Fatalf("%d dead letters, want one", len(s.letters))
	}
	for identity, l := range s.letters {
		if want := s.Index + ": " + s.Refused; l != want {
			t.Errorf("dead letter %q: %q, want %q", identity, l, want)
		}
	}
}

func (s *sinkSuite) refusedWithoutLetters(t *testing.T) {
	if s.Refused == "" {
		t.Skip("it refuses no record")
	}
	s.extra, s.noLetter = s.Refused, true
	res, err := s.run(t.Context(), t)
	if err == nil || res.Complete || !strings.Contains(err.Error(), "sink: lane a: ") || !strings.Contains(err.Error(), "record 7") {
		t.Errorf("complete %v, error %v, want one that names the sink, the lane and the record", res.Complete, err)
	}
	s.done(t)
}
