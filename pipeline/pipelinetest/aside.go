package pipelinetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/pipeline"
)

// AsideCase is a sink of objects under test whose key is rolled, has {pass},
// and begins with Prefix and a field.
type AsideCase struct {
	Open    func(t *testing.T) pipeline.Sink     // makes the sink anew, over the same place
	Objects func(t *testing.T) map[string]string // what is in that place, by key
	Prefix  string
}

// TestAside checks what a sink of objects makes of a lane that is aside:
//
//   - each document is an object of its own, under the prefix and its key, as
//     no transform has seen it, and counts no records;
//   - a lane that failed goes on after the last document that was saved;
//   - the next pass replaces the documents of the one before.
func TestAside(t *testing.T, c AsideCase) {
	s := &asideSuite{AsideCase: c, store: &Store{World: &World{}}, fail: 3}
	if res, err := s.run(t); !errors.Is(err, errUpstream) || res.Complete {
		t.Fatalf("complete %v, %v, want %v", res.Complete, err, errUpstream)
	}
	if status, _ := s.p.Status(); !status.Lanes[1].State.Ended {
		t.Errorf("the lane of data is not ended, want it to go on when that of documents fails")
	}
	s.fail = -1
	s.complete(t)
	if s.first != 3 {
		t.Errorf("the second run began at document %d, want 3", s.first)
	}
	s.version++
	s.complete(t)
}

// documents is how many there are.
const documents = 6

// asideSuite is a source of a lane of documents and one of data.
type asideSuite struct {
	AsideCase
	store   *Store
	p       *pipeline.Pipeline
	fail    int // document before which reading fails
	first   int // document that was read first
	version int // of all documents
}

func (s *asideSuite) run(t *testing.T) (pipeline.Result, error) {
	t.Helper()
	upper := pipeline.Filter(func(_ context.Context, dst io.Writer, src io.Reader) error {
		b, err := io.ReadAll(src)
		if err == nil {
			_, err = dst.Write(bytes.ToUpper(b))
		}
		return err
	})
	s.p = &pipeline.Pipeline{Name: "suite", Source: s, Sink: s.AsideCase.Open(t), Store: s.store, Lanes: 1, Depth: 1,
		Stages: []pipeline.Stage{{Name: "upper", Transform: upper.Transform(2)}}}
	return s.p.Run(t.Context())
}

// complete makes a run that completes a pass, and looks what is there.
func (s *asideSuite) complete(t *testing.T) {
	t.Helper()
	res, err := s.run(t)
	if err != nil || !res.Complete {
		t.Fatalf("complete %v, %v, want a complete pass", res.Complete, err)
	}
	if c := res.Counts; c.Written != 2 || c.Unknown != 0 || c.ObjectsWritten != documents+1 {
		t.Errorf("counts %+v, want 2 records in one object, and %d documents", c, documents)
	}
	data := 0
	got := s.Objects(t)
	for n := range documents {
		key := s.Prefix + documentKey(n)
		if got[key] != s.document(n) {
			t.Errorf("%s: got %q, want %q", key, got[key], s.document(n))
		}
		delete(got, key)
	}
	for key, content := range got {
		data++
		if content != "ONE\nTWO\n" || !strings.HasPrefix(key, s.Prefix) {
			t.Errorf("%s: got %q, want the data alone, as the transform made it", key, content)
		}
	}
	if data != int(res.Pass) {
		t.Errorf("got %d objects of data, want one of each pass", data)
	}
}

func documentKey(n int) string { return fmt.Sprintf("about-%d/_index.json", n) }

// document is some text; the longest is larger than a block.
func (s *asideSuite) document(n int) string {
	return fmt.Sprintf("document %d, version %d\n", n, s.version) + strings.Repeat("x", n*160<<10)
}

// Open implements [pipeline.Source].
func (s *asideSuite) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }

// Plan implements [pipeline.Reader].
func (s *asideSuite) Plan(context.Context) ([]pipeline.Lane, error) {
	return []pipeline.Lane{{Name: "_about", ID: "about", Parts: 1, Aside: true}, {Name: "a", ID: "a", Parts: 1}}, nil
}

// Read implements [pipeline.Reader].
func (s *asideSuite) Read(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	quota := pipeline.NewQuota(2)
	if !lane.Aside {
		b, err := quota.Block(ctx)
		if err != nil {
			return err
		}
		b.Write([]byte("one\ntwo\n"))
		it := b.Item("a", pipeline.Position{Token: "end"}, 2)
		it.Meta = &pipeline.Meta{Index: "i"}
		return pipeline.Send(ctx, out, it)
	}
	s.first, _ = strconv.Atoi(from.Token)
	for n := s.first; n < documents; n++ {
		if n == s.fail {
			return s.failed(ctx)
		}
		it, err := s.item(ctx, quota, n)
		if err != nil {
			return err
		}
		if err := pipeline.Send(ctx, out, it); err != nil {
			return err
		}
	}
	return nil
}

// failed waits until all that was sent is done: a failure gives up what is on
// its way.
func (s *asideSuite) failed(ctx context.Context) error {
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		if status, ok := s.p.Status(); ok && status.Lanes[0].State.Pos.Token == strconv.Itoa(s.fail) {
			return errUpstream
		}
		if _, _, err := pipeline.Receive(ctx, look.C); err != nil {
			return err
		}
	}
}

// item is a document, in a block or as a stream.
func (s *asideSuite) item(ctx context.Context, quota *pipeline.Quota, n int) (*pipeline.Item, error) {
	pos, content := pipeline.Position{Token: strconv.Itoa(n + 1)}, []byte(s.document(n))
	if n%2 > 0 {
		return &pipeline.Item{Key: documentKey(n), Pos: pos, Size: int64(len(content)), Body: pipeline.BodyFunc(
			func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })}, nil
	}
	b, err := quota.Block(ctx)
	if err == nil {
		err = b.Reserve(ctx, len(content))
	}
	if err != nil {
		return nil, err
	}
	b.Write(content)
	return b.Item(documentKey(n), pos, 0), nil
}

// Close implements [pipeline.Reader].
func (s *asideSuite) Close() error { return nil }
