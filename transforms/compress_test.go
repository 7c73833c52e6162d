package transforms_test

import (
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/transforms"
)

func compressors() map[string]kind.Transform {
	three := 3
	all := map[string]kind.Transform{"gzip, 3 workers": &transforms.Gzip{Level: 6, Workers: &three}}
	for _, l := range []int{1, 6, 9} {
		all[fmt.Sprint("gzip ", l)] = gz(l)
	}
	for _, l := range []string{"fastest", "default", "better", "best"} {
		all["zstd "+l] = zst(l)
	}
	return all
}

// decoded decompresses with another library, or with the same one in one step.
func decoded(t *testing.T, name string, b []byte) []byte {
	t.Helper()
	var got []byte
	var err error
	if strings.HasPrefix(name, "gzip") {
		var r *stdgzip.Reader
		if r, err = stdgzip.NewReader(bytes.NewReader(b)); err == nil {
			got, err = io.ReadAll(r)
		}
	} else {
		d, _ := zstd.NewReader(nil)
		defer d.Close()
		got, err = d.DecodeAll(b, nil)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return got
}

func TestEqualBlocksGiveEqualMembersWhichTogetherAreAFile(t *testing.T) {
	for name, k := range compressors() {
		tr, before := build(t, k), []byte(nil)
		for range 2 {
			var want, file []byte
			n := 0
			run(t, tr, 12, func(i int) []byte {
				want = append(want, records(i*50)...)
				return records(i * 50)
			}, func(it *pipeline.Item) {
				b := it.Body.(*pipeline.Block).B()
				if it.Size != int64(len(b)) || it.Records != int64(n*50) || it.Pos.Token != "t" {
					t.Errorf("%s: %+v", name, it)
				}
				file = append(file, b...)
				n++
			})
			if got := decoded(t, name, file); !bytes.Equal(got, want) {
				t.Fatalf("%s: got %d bytes, want %d", name, len(got), len(want))
			}
			if before != nil && !bytes.Equal(file, before) {
				t.Errorf("%s: the same blocks give other bytes", name)
			}
			before = file
		}
	}
}

// run gives n blocks to a transform and each that it gives to take.
func run(t testing.TB, tr pipeline.Transform, n int, content func(int) []byte, take func(*pipeline.Item)) {
	t.Helper()
	in, out, failed := make(chan *pipeline.Item), make(chan *pipeline.Item), make(chan error, 1)
	q := pipeline.NewQuota(4)
	go func() {
		for i := range n {
			in <- block(t, q, content(i))
		}
		close(in)
	}()
	go func() {
		failed <- tr.Run(t.Context(), in, out)
		close(out)
	}()
	for it := range out {
		take(it)
		it.Release()
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
}

func TestMembersHaveNoNameAndNoTime(t *testing.T) {
	b := one(t, gz(1), records(1))
	if want := "\x1f\x8b\x08\x00\x00\x00\x00\x00"; string(b[:8]) != want || b[9] != 255 {
		t.Errorf("got % x", b[:10])
	}
}

func TestStreamsAreCompressedWhileTheyAreRead(t *testing.T) {
	want := noise(2 << 20 / slower) // more than a window
	for name, k := range compressors() {
		var before []byte
		for _, small := range []int{0, 777} { // the bytes do not depend on the reads
			it := pass(t, build(t, k), item("k", bytesBody{b: want, small: small}, int64(len(want))))[0]
			if it.Size != -1 {
				t.Errorf("%s: size %d", name, it.Size)
			}
			file, err := read(t, it.Body)
			if err != nil || !bytes.Equal(decoded(t, name, file), want) {
				t.Fatalf("%s: %d bytes, %v", name, len(file), err)
			}
			if before != nil && !bytes.Equal(file, before) {
				t.Errorf("%s: other reads give other bytes", name)
			}
			before = file
		}
		broken := errors.New("reset")
		it := pass(t, build(t, k), item("k", bytesBody{b: want, end: broken}, -1))[0]
		if _, err := read(t, it.Body); !errors.Is(err, broken) {
			t.Errorf("%s: a broken body gives %v", name, err)
		}
	}
}

// The programs that users have.
func TestOtherProgramsReadWhatIsWritten(t *testing.T) {
	want := join(records(5000), noise(100_000), records(3000))
	g, _ := members(t, want, gz(1), gz(6), gz(9))
	z, _ := members(t, want, zst("fastest"), zst("default"), zst("better"), zst("best"))
	const py = "import gzip, sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())"
	for _, c := range []struct {
		file []byte
		ext  string
		args []string
	}{
		{g, ".gz", []string{"gzip", "-dc"}}, {g, ".gz", []string{"zcat"}}, {z, ".zst", []string{"zstd", "-dc"}},
		{g, ".gz", []string{"python3", "-c", py}},
	} {
		if got := output(t, nil, c.args[0], append(c.args[1:], temp(t, c.file, c.ext))...); !bytes.Equal(got, want) {
			t.Errorf("%s: got %d bytes, want %d", c.args[0], len(got), len(want))
		}
	}
}

func TestWhatOtherProgramsWriteIsRead(t *testing.T) {
	want := join(records(5000), noise(100_000), records(3000))
	for _, args := range [][]string{
		{"gzip", "-c"}, {"gzip", "-9c"}, {"gzip", "-c", "--rsyncable"}, {"zstd", "-c"}, {"zstd", "-19c"}, {"zstd", "-1c", "--no-check"},
		{"zstd", "-c", "-T2", "-B200000"}, {"bzip2", "-c"},
	} {
		name := temp(t, want, ".json") // its name and time are in the header of gzip
		file := output(t, nil, args[0], append(args[1:], name)...)
		file = join(file, file)
		if got, err := expand(t, decompress(), "k", file, int64(len(file))); err != nil || !bytes.Equal(got, join(want, want)) {
			t.Errorf("%s: got %d bytes, %v, want %d", args, len(got), err, 2*len(want))
		}
	}
}

func temp(t *testing.T, b []byte, ext string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file"+ext)
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// output is what a program writes; nil if there is no such program here.
func output(t *testing.T, in []byte, name string, args ...string) []byte {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skip(err)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	return out
}

func TestErrorsThatTheSinkMeetsNameStageAndItem(t *testing.T) {
	g := one(t, gz(1), records(9))
	for want, c := range map[string]struct {
		stages []pipeline.Stage
		body   bytesBody
	}{
		"sink: lane a: unpack: logs/a.gz: body ended at byte 40 of": {[]pipeline.Stage{stage(t, "unpack", gunzip())}, bytesBody{b: g[:40]}},
		"sink: lane a: pack: logs/a.gz: reset":                      {[]pipeline.Stage{stage(t, "pack", gz(1))}, bytesBody{b: g, end: errors.New("reset")}},
		"lines: lane a: at 0: unpack: logs/a.gz: body ended":        {[]pipeline.Stage{stage(t, "unpack", gunzip()), stage(t, "lines", &transforms.Lines{})}, bytesBody{b: g[:40]}},
		"sink: lane a: pack: logs/a.gz: unpack: logs/a.gz: body":    {[]pipeline.Stage{stage(t, "unpack", gunzip()), stage(t, "pack", zst("fastest"))}, bytesBody{b: g[:40]}},
	} {
		e := &ends{items: []func() *pipeline.Item{func() *pipeline.Item { return item("logs/a.gz", c.body, int64(len(g))) }}}
		_, err := e.pipeline(&pipelinetest.Store{World: &pipelinetest.World{}}, c.stages...).Run(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestRecordsComeBackThroughAllStages(t *testing.T) {
	var want bytes.Buffer
	e := &ends{}
	q := pipeline.NewQuota(3)
	for i := range 20 {
		want.Write(records(i * 300))
		e.items = append(e.items, func() *pipeline.Item { return block(t, q, records(i*300)) })
	}
	p := e.pipeline(&pipelinetest.Store{World: &pipelinetest.World{}}, stage(t, "gzip", gz(1)), stage(t, "gunzip", gunzip()),
		stage(t, "zstd", zst("default")), stage(t, "decompress", decompress()), stage(t, "lines", &transforms.Lines{}))
	res, err := p.Run(t.Context())
	if err != nil || !res.Complete || res.Counts.Read != res.Counts.Written || res.Counts.Read != 20*19/2*300 || e.got.String() != want.String() {
		t.Errorf("%+v, %v, %d bytes, want %d", res, err, e.got.Len(), want.Len())
	}
}
