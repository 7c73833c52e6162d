package pipelinetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"sluice/pipeline"
)

// SourceCase is a source under test.
type SourceCase struct {
	Open      func(t *testing.T) pipeline.Source // makes the source anew, over the same unchanged data
	Parallel  int                                // of the pass; 0: 1
	Positions int                                // positions of a lane that are read from, evenly spread; 0: all
	Ignore    []goleak.Option                    // goroutines that may outlive a reader: those of the server in this process
}

// TestSource checks what the frame relies on in every source:
//
//   - lanes have names, and IDs, of their own;
//   - reading again, from the beginning or from any position, by another
//     reader of the same pass, gives the same remaining items: keys, versions,
//     positions, bytes;
//   - sizes and numbers of records are those of the bodies;
//   - what a [pipeline.Counter] says of a lane is what is read from it;
//   - a position inside an item gives that item first;
//   - a body opens again, with the same bytes, also from a mark in bytes;
//   - a context that ends ends Read with an error; items sent stay readable;
//   - Close after a read that was cut leaves no goroutine.
func TestSource(t *testing.T, c SourceCase) {
	s := &sourceSuite{SourceCase: c, pass: pipeline.Pass{
		Pipeline: "suite", Number: 1, Parallel: max(1, c.Parallel), Store: &Store{World: &World{}}}}
	first := s.open(t)
	plan, err := first.Plan(t.Context())
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	s.pass.Lanes = plan
	t.Run("lanes have names and IDs of their own", s.plan)
	for _, lane := range plan {
		all := s.read(t, first, lane, pipeline.Position{})
		t.Run("lane "+lane.Name, func(t *testing.T) {
			t.Run("count", func(t *testing.T) { s.count(t, lane, all) })
			t.Run("positions", func(t *testing.T) { s.positions(t, lane, all) })
			t.Run("inside an item", func(t *testing.T) { s.inside(t, lane, all) })
			t.Run("bodies", func(t *testing.T) { s.bodies(t, lane) })
			t.Run("cut", func(t *testing.T) { s.cut(t, lane, len(all)) })
		})
	}
}

type sourceSuite struct {
	SourceCase
	pass pipeline.Pass
}

// open opens the pass as another process would.
func (s *sourceSuite) open(t *testing.T) pipeline.Reader {
	t.Helper()
	pass := s.pass
	r, err := s.Open(t).Open(t.Context(), &pass)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return r
}

func (s *sourceSuite) plan(t *testing.T) {
	names, ids := map[string]bool{}, map[string]bool{}
	for _, l := range s.pass.Lanes {
		if l.Name == "" || names[l.Name] {
			t.Errorf("lane %q: no name, or not the only one of that name", l.Name)
		}
		if l.ID == "" || ids[l.ID] {
			t.Errorf("lane %q: ID %q is empty, or not the only one", l.Name, l.ID)
		}
		if l.Part < 0 || l.Part >= max(1, l.Parts) {
			t.Errorf("lane %q: part %d of %d", l.Name, l.Part, l.Parts)
		}
		names[l.Name], ids[l.ID] = true, true
	}
}

// seen is what there is to know of an item.
type seen struct {
	Key, Version, Index string
	Pos                 pipeline.Position
	Delete              bool
	Size                int64
	Records             int64
	Sum                 string
}

// read reads a lane from a position to its end.
func (s *sourceSuite) read(t *testing.T, r pipeline.Reader, lane pipeline.Lane, from pipeline.Position) (all []seen) {
	t.Helper()
	out, end := make(chan *pipeline.Item), make(chan error, 1)
	go func() {
		err := r.Read(t.Context(), lane, from, out)
		close(out)
		end <- err
	}()
	for it := range out {
		all = append(all, look(t, it))
		it.Release()
	}
	if err := <-end; err != nil {
		t.Fatalf("read lane %s from %+v: %v", lane.Name, from, err)
	}
	return all
}

func look(t *testing.T, it *pipeline.Item) seen {
	t.Helper()
	v := seen{Key: it.Key, Version: it.Version, Pos: it.Pos, Delete: it.Delete, Size: it.Size, Records: it.Records}
	v.Pos.Hint = "" // two positions that differ only there are the same place
	if it.Meta != nil {
		v.Index = it.Meta.Index
	}
	if it.Body == nil {
		return v
	}
	b := content(t, it.Body.Open)
	if it.Size >= 0 && it.Size != int64(len(b)) {
		t.Errorf("%s: size %d, body %d bytes", it.Key, it.Size, len(b))
	}
	if n := bytes.Count(b, []byte("\n")); it.Records >= 0 && it.Records != int64(n) {
		t.Errorf("%s: %d records, body %d lines", it.Key, it.Records, n)
	}
	if block, ok := it.Body.(*pipeline.Block); ok && (len(b) == 0 || b[len(b)-1] != '\n') {
		t.Errorf("%s: block of %d bytes does not end with a whole record", it.Key, len(block.B()))
	}
	v.Sum = fmt.Sprintf("%x", sha256.Sum256(b))
	return v
}

func content(t *testing.T, open func(context.Context) (io.ReadCloser, error)) []byte {
	t.Helper()
	body, err := open(t.Context())
	if err != nil {
		t.Fatalf("open body: %v", err)
	}
	b, err := io.ReadAll(body)
	if cerr := body.Close(); err != nil || cerr != nil {
		t.Fatalf("body: read %v, close %v", err, cerr)
	}
	return b
}

// count compares what a counter says of a lane with what was read.
func (s *sourceSuite) count(t *testing.T, lane pipeline.Lane, all []seen) {
	c, ok := s.open(t).(pipeline.Counter)
	if !ok || lane.Aside {
		return
	}
	var objects, size int64
	for _, one := range all {
		if one.Key != "" {
			objects, size = objects+1, size+one.Size
		}
	}
	n, bytes, ok, err := c.Count(t.Context(), lane, pipeline.Position{})
	if n != objects || bytes != size || !ok || err != nil {
		t.Errorf("got %d objects, %d bytes, %t, %v, want %d, %d", n, bytes, ok, err, objects, size)
	}
	if len(all) == 0 {
		return
	}
	n, bytes, ok, err = c.Count(t.Context(), lane, all[len(all)-1].Pos)
	if n != 0 || bytes != 0 || !ok || err != nil {
		t.Errorf("got %d objects, %d bytes, %t, %v behind the last item", n, bytes, ok, err)
	}
}

// positions reads on from the beginning and from positions of the lane.
func (s *sourceSuite) positions(t *testing.T, lane pipeline.Lane, all []seen) {
	step := 1
	if s.Positions > 0 {
		step = max(1, len(all)/s.Positions)
	}
	for i := 0; i <= len(all); i += step {
		var from pipeline.Position
		if i > 0 {
			from = all[i-1].Pos
		}
		if i > 0 && from == (pipeline.Position{}) {
			continue // no unit may end here, so nobody reads on from here
		}
		got := s.read(t, s.open(t), lane, from)
		if diff := cmp.Diff(append([]seen(nil), all[i:]...), got); diff != "" {
			t.Fatalf("read on after item %d, at %+v (-first +again):\n%s", i, from, diff)
		}
	}
}

// inside reads on inside the second stream: it comes first.
func (s *sourceSuite) inside(t *testing.T, lane pipeline.Lane, all []seen) {
	if len(all) < 2 || all[1].Records >= 0 {
		t.Skip("no streams")
	}
	from := all[0].Pos
	from.Inner, from.Key, from.Version = "1", all[1].Key, all[1].Version
	got := s.read(t, s.open(t), lane, from)
	if diff := cmp.Diff(all[1:], got); diff != "" {
		t.Fatalf("read on inside %s (-first +again):\n%s", from.Key, diff)
	}
}

// bodies opens the first bodies of a lane again, and from a mark.
func (s *sourceSuite) bodies(t *testing.T, lane pipeline.Lane) {
	s.taking(t, lane, func(it *pipeline.Item) {
		if it.Body == nil {
			return
		}
		want := content(t, it.Body.Open)
		if got := content(t, it.Body.Open); !bytes.Equal(got, want) {
			t.Errorf("%s: opened again: %d bytes, want the same %d", it.Key, len(got), len(want))
		}
		b, ok := it.Body.(pipeline.OpenFrom)
		if !ok {
			return
		}
		at := len(want) / 2
		got := content(t, func(ctx context.Context) (io.ReadCloser, error) { return b.OpenFrom(ctx, strconv.Itoa(at)) })
		if !bytes.Equal(got, want[at:]) {
			t.Errorf("%s: from byte %d on: %d bytes, want the last %d", it.Key, at, len(got), len(want)-at)
		}
	})
}

// cut ends the context of a Read that has sent one item and cannot send more.
func (s *sourceSuite) cut(t *testing.T, lane pipeline.Lane, items int) {
	before := append(s.Ignore, goleak.IgnoreCurrent())
	t.Run("read", func(t *testing.T) {
		err := s.taking(t, lane, func(it *pipeline.Item) { look(t, it) })
		if items > 1 && err == nil {
			t.Error("the context of Read ended before the lane did: no error")
		}
	})
	goleak.VerifyNone(t, before...)
}

// taking calls f with the first item of a lane after it has ended the context
// of Read, and returns what Read did.
func (s *sourceSuite) taking(t *testing.T, lane pipeline.Lane, f func(*pipeline.Item)) error {
	t.Helper()
	r := s.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, end := make(chan *pipeline.Item), make(chan error, 1)
	go func() { end <- r.Read(ctx, lane, pipeline.Position{}, out) }()
	select {
	case it := <-out:
		cancel()
		f(it)
		it.Release()
	case err := <-end:
		return err
	}
	select {
	case err := <-end:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("Read goes on 10 s after its context ended")
		return nil
	}
}
