package s3_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"sluice/internal/kind"
	"sluice/internal/objects"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sources/s3"
	"sluice/transforms"
)

// numbered gives n lines of a text.
func numbered(text string, n int) []byte {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%s %07d\n", text, i)
	}
	return []byte(b.String())
}

// taker is a sink that keeps what it gets, and fails once.
type taker struct {
	got  strings.Builder
	seen func(block string) error
}

func (k *taker) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return k, nil }
func (k *taker) Finish(context.Context) error                                  { return nil }
func (k *taker) Close() error                                                  { return nil }

func (k *taker) Write(ctx context.Context, _ pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		b := string(it.Body.(*pipeline.Block).B())
		if err := k.seen(b); err != nil {
			return err
		}
		k.got.WriteString(b)
		if err := it.Done(); err != nil {
			return err
		}
	}
}

// An object is replaced while it is split into lines. What is in its place is
// taken from its beginning, in the same run, and a crash inside of that does not
// make the pass complete.
func TestWhatTakesThePlaceOfAHalfDeliveredObjectIsTakenFromItsBeginning(t *testing.T) {
	f := newFake(t)
	old, now := numbered("old", 400_000), numbered("now", 200_000)
	f.put("a", old)
	f.put("b", []byte("b\n"))
	crash := errors.New("crash")
	failed := false
	sink := &taker{}
	sink.seen = func(b string) error {
		switch {
		case strings.HasPrefix(b, "old"):
			f.put("a", now)
		case strings.HasPrefix(b, "now 0100") && !failed, strings.Contains(b, "now 0150") && !failed:
			failed = true
			return crash
		}
		return nil
	}
	letters := &pipelinetest.Letters{World: &pipelinetest.World{}, Durable: map[string]string{}}
	store := &pipelinetest.Store{World: &pipelinetest.World{}}
	decompress, err := (&transforms.Decompress{MaxRatio: 1000, MaxWindow: 8 << 20}).Build(kind.Env{})
	if err != nil {
		t.Fatal(err)
	}
	run := func() (pipeline.Result, error) {
		p := &pipeline.Pipeline{
			Name: "t", Source: buildWith(t, s3.Config{Config: f.config}), Sink: sink, Store: store, Dead: letters, GiveUp: true, Lanes: 1,
			Stages: []pipeline.Stage{{Name: "decompress", Transform: decompress}, {Name: "lines", Transform: pipeline.Lines{}}},
		}
		return p.Run(t.Context())
	}
	if _, err := run(); !errors.Is(err, crash) {
		t.Fatalf("got %v, want the crash", err)
	}
	res, err := run()
	if err != nil || !res.Complete || res.Counts.GivenUp != 1 || len(letters.Durable) != 1 {
		t.Errorf("got %v, complete %v, %d given up, %d letters, want one", err, res.Complete, res.Counts.GivenUp, len(letters.Durable))
	}
	got := sink.got.String()
	first, rest, _ := strings.Cut(got, "now")
	if want := string(now) + "b\n"; "now"+rest != want || first == "" || !strings.HasPrefix(string(old), first) {
		t.Errorf("got %d bytes of the old one and then %d, want %d", len(first), len(rest)+3, len(want))
	}
}

func TestNotesOfWhatAnObjectPassesStayWhenItIsReplaced(t *testing.T) {
	f := newFake(t)
	f.put("a", []byte("old"))
	it, client := s3.ItemOf(t.Context(), s3.Config{Config: f.config, After: s3.After{Delete: true}}, objects.Object{Key: "a", ETag: f.objects["a"].etag, Size: 3})
	defer client.Close()
	before := pipeline.Row{Bucket: "source.known", Key: "0"}
	it.Notes = append([]pipeline.Row{before}, it.Notes...)
	f.put("a", []byte("new one"))
	if b, err := content(t.Context(), it); string(b) != "new one" || err != nil {
		t.Fatalf("got %q, %v", b, err)
	}
	if len(it.Notes) != 2 || it.Notes[0].Key != "0" || string(it.Notes[1].Value) != f.objects["a"].etag {
		t.Errorf("got notes %q, want the one before it, and its own with the new version", it.Notes)
	}
}
