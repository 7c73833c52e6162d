package transforms_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/transforms"
)

// members compresses parts of b of many sizes, and says where each begins.
func members(t testing.TB, b []byte, kinds ...kind.Transform) (file []byte, begins map[int64]int64) {
	rnd := rand.New(rand.NewPCG(1, 2))
	begins = map[int64]int64{}
	var by []pipeline.Transform
	for _, k := range kinds {
		by = append(by, build(t, k))
	}
	for out, k := 0, 0; out < len(b); k++ {
		n := min(rnd.IntN(100_000)*(k%4)/3, len(b)-out) // a quarter of them empty
		begins[int64(len(file))] = int64(out)
		file = append(file, oneBy(t, by[k%len(by)], b[out:out+n])...)
		out += n
	}
	return file, begins
}

// noise is bytes that cannot be compressed, between records.
func noise(n int) []byte {
	b := make([]byte, n)
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return join(records(3000), b, records(3000))
}

func TestAMarkIsWhereAMemberBegins(t *testing.T) {
	want := noise(1 << 20 / slower)
	for _, c := range []struct {
		kind  kind.Transform
		kinds []kind.Transform
	}{
		{gunzip(), []kind.Transform{gz(1), gz(5), gz(9)}},
		{unzstd(), []kind.Transform{zst("fastest"), zst("better"), zst("best")}},
		{decompress(), []kind.Transform{gz(1)}},
		{decompress(), []kind.Transform{zst("default")}},
	} {
		file, begins := members(t, want, c.kinds...)
		for _, body := range []pipeline.Body{
			bytesBody{b: file}, bytesBody{b: file, small: 1000}, notEntered{bytesBody{b: file}},
		} {
			b := pass(t, build(t, c.kind), item("k", body, int64(len(file))))[0].Body
			marks := marksOf(t, b, begins, len(want))
			if len(marks) < len(begins)/2 {
				t.Errorf("%s: %d marks of %d members", c.kind.Identity(), len(marks), len(begins))
			}
			for mark, at := range marks {
				r, err := b.(pipeline.OpenFrom).OpenFrom(t.Context(), mark)
				if err != nil {
					t.Fatal(err)
				}
				if again, out := r.(pipeline.Marker).Mark(); again != mark || out != at {
					t.Errorf("%s: entered at %q, %d: mark %q, %d", c.kind.Identity(), mark, at, again, out)
				}
				got, err := io.ReadAll(r)
				if err != nil || !bytes.Equal(got, want[at:]) {
					t.Fatalf("%s: from %q: got %d bytes, %v, want %d", c.kind.Identity(), mark, len(got), err, len(want)-int(at))
				}
				r.Close()
			}
		}
	}
}

// marksOf reads a body and gives the marks that it passes.
func marksOf(t *testing.T, b pipeline.Body, begins map[int64]int64, size int) map[string]int64 {
	t.Helper()
	r, err := b.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	marks, read, buf := map[string]int64{}, int64(0), make([]byte, 9973)
	for {
		n, err := r.Read(buf)
		read += int64(n)
		if mark, at := r.(pipeline.Marker).Mark(); mark != "" {
			var in, out int64
			if _, err := fmt.Sscanf(mark[len("gzip:"):], "%d:%d", &in, &out); err != nil || out != at || at > read {
				t.Fatalf("mark %q at %d of %d, %v", mark, at, read, err)
			}
			if begin, ok := begins[in]; !ok || begin != at {
				t.Fatalf("mark %q, want %d", mark, begin)
			}
			marks[mark] = at
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if read != int64(size) {
		t.Fatalf("read %d bytes, want %d", read, size)
	}
	return marks
}

func TestABodyIsNotEnteredAtWhatIsNoMark(t *testing.T) {
	b := pass(t, build(t, gunzip()), item("k", bytesBody{b: one(t, gz(1), records(2))}, -1))[0].Body
	for _, mark := range []string{"", "1", "gzip", "gzip:1", "gzip:-1:2", "zstd:0:0", "gzip:1:1", "plain:0:0"} {
		if r, err := b.(pipeline.OpenFrom).OpenFrom(t.Context(), mark); err == nil {
			r.Close()
			t.Errorf("%q: no error", mark)
		}
	}
}

func TestALaneGoesOnAtAMember(t *testing.T) {
	content := records(50_000)
	for name, c := range map[string]struct {
		kind, by kind.Transform
		body     func(bytesBody) pipeline.Body
		most     float64 // of the file, to be read again
	}{
		"gunzip":               {gunzip(), gz(1), nil, 0.7},
		"unzstd":               {unzstd(), zst("fastest"), nil, 0.7},
		"decompress":           {decompress(), zst("default"), nil, 0.7},
		"decompress, plain":    {decompress(), nil, nil, 0.7},
		"a body without marks": {gunzip(), gz(1), func(b bytesBody) pipeline.Body { return notEntered{b} }, 1},
	} {
		file := content
		if c.by != nil {
			file, _ = members(t, content, c.by)
		}
		var read int64
		var starts []int64
		e := &ends{items: []func() *pipeline.Item{func() *pipeline.Item {
			b := bytesBody{b: file, read: &read, starts: &starts}
			it := item("a.gz", b, int64(len(file)))
			if c.body != nil {
				it.Body = c.body(b)
			}
			return it
		}}, failAt: len(content)/pipeline.BlockSize*2/3 + 1}
		p := e.pipeline(&pipelinetest.Store{World: &pipelinetest.World{}}, stage(t, "expand", c.kind), stage(t, "lines", &transforms.Lines{}))
		if _, err := p.Run(t.Context()); err == nil {
			t.Fatalf("%s: the disk was never full", name)
		}
		read = 0
		res, err := p.Run(t.Context())
		if err != nil || !res.Complete || res.Counts.Read != 50_000 || res.Counts.Written != 50_000 || e.got.String() != string(content) {
			t.Fatalf("%s: %+v, %v, %d bytes of %d", name, res, err, e.got.Len(), len(content))
		}
		if again := float64(read) / float64(len(file)); again > c.most || again == 0 || (starts[1] == 0) != (c.most == 1) {
			t.Errorf("%s: read %.0f %% again, opened at %d", name, again*100, starts)
		}
	}
}

func TestDoublyCompressedFilesAreEnteredByOffsetsOfTheInnerFile(t *testing.T) {
	want := noise(1 << 20 / slower)
	inner, begins := members(t, want, gz(1))
	outer, _ := members(t, inner, gz(1))
	it := pass(t, build(t, gunzip()), item("k", bytesBody{b: outer}, int64(len(outer))))[0]
	b := pass(t, build(t, gunzip()), it)[0].Body
	for mark, at := range marksOf(t, b, begins, len(want)) {
		r, err := b.(pipeline.OpenFrom).OpenFrom(t.Context(), mark)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want[at:]) {
			t.Errorf("from %q: got %d bytes, %v, want %d", mark, len(got), err, len(want)-int(at))
		}
		r.Close()
	}
}
