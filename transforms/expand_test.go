package transforms_test

import (
	"bytes"
	stdgzip "compress/gzip"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/transforms"
)

// bzipped is "hello\n" by bzip2(1).
const bzipped = "QlpoOTFBWSZTWcHAgOIAAAFBAAAQAkSgADDNAMNGKZcXckU4UJDBwIDi"

// file is a compressed file of two members.
type file struct {
	name   string
	kind   kind.Transform
	b      []byte
	second int // where the second member begins
	want   []byte
}

func files(t testing.TB) []file {
	a, b := records(12), records(7)
	g1, g2 := one(t, gz(1), a), one(t, gz(9), b)
	z1, z2 := one(t, zst("fastest"), a), one(t, zst("best"), b)
	want := join(a, b)
	n1, n2 := named(t, a), named(t, b)
	return []file{
		{"gunzip named", gunzip(), join(n1, n2), len(n1), want},
		{"gunzip", gunzip(), join(g1, g2), len(g1), want},
		{"unzstd", unzstd(), join(z1, z2), len(z1), want},
		{"decompress gzip", decompress(), join(g1, g2), len(g1), want},
		{"decompress zstd", decompress(), join(z1, z2), len(z1), want},
	}
}

// named compresses bytes as a member with all that a header may hold.
func named(t testing.TB, b []byte) []byte {
	var out bytes.Buffer
	w := stdgzip.NewWriter(&out)
	w.Header = stdgzip.Header{Name: "a name", Comment: "and a comment", Extra: []byte("and more"), ModTime: time.Unix(1e9, 0), OS: 3}
	if _, err := w.Write(b); errors.Join(err, w.Close()) != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestFilesOfSeveralMembersAreReadWhole(t *testing.T) {
	for _, f := range files(t) {
		for _, size := range []int64{-1, int64(len(f.b))} {
			got, err := expand(t, f.kind, "k", f.b, size)
			if err != nil || !bytes.Equal(got, f.want) {
				t.Errorf("%s: got %d bytes, %v, want %d", f.name, len(got), err, len(f.want))
			}
		}
	}
}

func TestAFileCutAnywhereIsNeverAnEnd(t *testing.T) {
	for _, f := range files(t) {
		for cut := range f.b {
			got, err := expand(t, f.kind, "k", f.b[:cut], int64(len(f.b)))
			if !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, pipeline.ErrGone) || !bytes.HasPrefix(f.want, got) {
				t.Fatalf("%s cut at %d: got %d bytes, %v", f.name, cut, len(got), err)
			}
		}
	}
}

func TestAFileOfUnknownSizeCutAnywhereButBetweenMembersIsNeverAnEnd(t *testing.T) {
	for _, f := range files(t) {
		for cut := 1; cut < len(f.b); cut++ {
			got, err := expand(t, f.kind, "k", f.b[:cut], -1)
			switch {
			case cut == f.second && err == nil: // nothing says that there was more
			case f.kind.Identity() == "decompress" && cut < 4 && err == nil && len(got) == cut: // nothing says what it was
			case !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, pipeline.ErrGone) || !bytes.HasPrefix(f.want, got):
				t.Fatalf("%s cut at %d: got %d bytes, %v", f.name, cut, len(got), err)
			}
		}
	}
}

func TestAFileThatEndsEarlyAtTheSourceCannotBeHad(t *testing.T) {
	for _, f := range files(t) {
		for cut := 4; cut < len(f.b); cut++ {
			if cut == f.second {
				continue
			}
			_, err := expand(t, f.kind, "k", f.b[:cut], int64(cut))
			if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, pipeline.ErrGone) {
				t.Fatalf("%s cut at %d: %v", f.name, cut, err)
			}
		}
	}
}

func TestAnErrorOfTheSourceIsGivenAsItIs(t *testing.T) {
	reset := errors.New("reset")
	for _, f := range files(t) {
		for cut := range f.b {
			it := item("k", bytesBody{b: f.b[:cut], end: reset}, -1)
			_, err := read(t, pass(t, build(t, f.kind), it)[0].Body)
			if !errors.Is(err, reset) || errors.Is(err, pipeline.ErrGone) {
				t.Fatalf("%s broken at %d: %v", f.name, cut, err)
			}
		}
	}
}

func TestALengthThatTheSourceFindsWrongIsAnError(t *testing.T) {
	for _, f := range files(t) {
		it := item("k", bytesBody{b: f.b, end: io.ErrUnexpectedEOF}, -1)
		if _, err := read(t, pass(t, build(t, f.kind), it)[0].Body); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", f.name, err)
		}
		if _, err := expand(t, f.kind, "k", f.b, int64(len(f.b)-1)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s, longer than it should be: %v", f.name, err)
		}
	}
}

func TestAFlippedBitIsNeverOtherOutput(t *testing.T) {
	for _, f := range files(t) {
		for i := 0; i < len(f.b)*8; i += 2*slower - 1 { // every bit, or one in 15
			b := bytes.Clone(f.b)
			b[i/8] ^= 1 << (i % 8)
			got, err := expand(t, f.kind, "k", b, int64(len(b)))
			if err == nil && !bytes.Equal(got, f.want) && !bytes.Equal(got, b) {
				t.Fatalf("%s: bit %d of byte %d flipped: %d other bytes and no error", f.name, i%8, i/8, len(got))
			}
			if err == nil && f.name != "decompress gzip" && f.name != "decompress zstd" && bytes.Equal(got, b) {
				t.Fatalf("%s: byte %d flipped: passed on", f.name, i/8)
			}
		}
	}
}

func TestDamageIsSaidOnce(t *testing.T) {
	g := one(t, gz(1), records(3))
	broken := bytes.Clone(g)
	broken[len(broken)-6] ^= 1
	_, err := expand(t, gunzip(), "logs/a.gz", join(g, broken), -1)
	want := fmt.Sprintf("logs/a.gz: member at byte %d: gzip: invalid checksum: cannot be had", len(g))
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestWhatMayFollowTheLastMember(t *testing.T) {
	g, z := one(t, gz(1), records(3)), one(t, zst("default"), records(3))
	zeros := make([]byte, 100_000)
	skip := append([]byte("\x5a\x2a\x4d\x18\x05\x00\x00\x00"), "hello"...)
	for name, c := range map[string]struct {
		kind kind.Transform
		b    []byte
		want string // of the error; "": none
	}{
		"zeros":                     {gunzip(), join(g, g, g, zeros), ""},
		"one zero":                  {gunzip(), join(g, zeros[:1]), ""},
		"zeros, then something":     {gunzip(), join(g, zeros, []byte{1}), "neither gzip nor zeros"},
		"zeros, then a member":      {gunzip(), join(g, zeros, g), "neither gzip nor zeros"},
		"garbage":                   {gunzip(), join(g, []byte("garbage")), "behind the member is not gzip"},
		"one byte of garbage":       {gunzip(), join(g, []byte("\n")), "behind the member is not gzip"},
		"a frame of zstd":           {gunzip(), join(g, z), "behind the member is not gzip"},
		"zeros only":                {gunzip(), zeros, "not gzip"},
		"text":                      {gunzip(), []byte("hello\n"), "not gzip"},
		"nothing":                   {gunzip(), nil, "empty, which is not gzip"},
		"zstd nothing":              {unzstd(), nil, "empty, which is not zstd"},
		"zstd text":                 {unzstd(), []byte("hello\n"), "not zstd"},
		"zstd garbage":              {unzstd(), join(z, []byte("garbage")), "behind the frame is not zstd"},
		"zstd zeros":                {unzstd(), join(z, zeros), "behind the frame is not zstd"},
		"skippable frames":          {unzstd(), join(skip, z, skip, skip, z, z, skip), ""},
		"a skippable frame cut":     {unzstd(), join(z, skip[:len(skip)-1]), "unexpected EOF"},
		"decompress zeros":          {decompress(), join(g, zeros), ""},
		"decompress skippable":      {decompress(), join(skip, z, z), ""},
		"decompress skippable only": {decompress(), skip, ""},
	} {
		want := bytes.Repeat(records(3), max(bytes.Count(c.b, g), bytes.Count(c.b, z)))
		got, err := expand(t, c.kind, "k", c.b, int64(len(c.b)))
		switch {
		case c.want == "" && (err != nil || !bytes.Equal(got, want)):
			t.Errorf("%s: got %d bytes, %v, want %d", name, len(got), err, len(want))
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, pipeline.ErrGone)):
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestWhatExpandsTooMuchIsAnError(t *testing.T) {
	zeros := make([]byte, 4<<20)
	lines := bytes.Repeat([]byte(`{"message":"the same line again and again, as a broken program writes it"}`+"\n"), 30_000)
	for name, c := range map[string]struct {
		kind kind.Transform
		b    []byte
		bomb bool
	}{
		"zeros by gzip":           {gunzip(), one(t, gz(9), zeros), true},
		"zeros by zstd":           {unzstd(), one(t, zst("best"), zeros), true},
		"zeros, decompress":       {decompress(), one(t, zst("fastest"), zeros), true},
		"less than a MiB":         {unzstd(), one(t, zst("best"), zeros[:1<<20]), false},
		"one line, again":         {gunzip(), one(t, gz(1), lines), false},
		"one line, again, by 100": {&transforms.Gunzip{MaxRatio: 100}, one(t, gz(1), lines), true},
		"records":                 {&transforms.Gunzip{MaxRatio: 30}, one(t, gz(6), records(20_000)), false},
	} {
		got, err := expand(t, c.kind, "k", c.b, int64(len(c.b)))
		if bomb := err != nil; bomb != c.bomb {
			t.Errorf("%s: %d bytes to %d: %v", name, len(c.b), len(got), err)
		}
		if c.bomb && (!strings.Contains(err.Error(), "raise max_ratio") || !errors.Is(err, pipeline.ErrGone) || len(got) > 2<<20) {
			t.Errorf("%s: %d bytes were given, %v", name, len(got), err)
		}
	}
}

func TestAWindowThatIsTooLargeIsAnErrorThatNamesTheOption(t *testing.T) {
	header := func(descriptor byte, rest ...byte) []byte {
		return join([]byte("\x28\xb5\x2f\xfd"), []byte{descriptor}, rest, []byte{1, 0, 0})
	}
	single := binary.LittleEndian.AppendUint64(nil, 1<<40)
	for want, b := range map[string][]byte{
		"window of 16777216 bytes, which is more than max_window (8MiB)": header(0, 14<<3),
		"window of 1099511627776 bytes":                                  header(3<<6|1<<5, single...),
		"dictionary 7":                                                   header(1, 0, 7),
	} {
		if _, err := expand(t, unzstd(), "k", b, -1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if got, err := expand(t, &transforms.Unzstd{MaxRatio: 1000, MaxWindow: 16 << 20}, "k", header(0, 14<<3), -1); err != nil || len(got) > 0 {
		t.Errorf("raised: %d bytes, %v", len(got), err)
	}
}

func TestDecompressGoesByTheBytes(t *testing.T) {
	text := "{\"a\":\"é\"}\n"
	g, z := string(one(t, gz(1), []byte(text))), string(one(t, zst("fastest"), []byte(text)))
	bz, _ := base64.StdEncoding.DecodeString(bzipped)
	for name, c := range map[string]struct{ key, encoding, b, want string }{
		"gzip":                           {"a.json", "", g, text},
		"zstd":                           {"a", "", z, text},
		"bzip2":                          {"a", "", string(bz), "hello\n"},
		"two files of bzip2":             {"a", "", string(bz) + string(bz), "hello\nhello\n"},
		"gzip named zstd":                {"a.zst", "", g, text},
		"text":                           {"a.json", "", text, text},
		"nothing":                        {"a.json.gz", "gzip", "", ""},
		"text named gzip":                {"a.json.gz", "", text, text},
		"text cut inside a rune":         {"a.json.gz", "", strings.Repeat("é", 1000)[1:], "error"},
		"a long text named gzip":         {"a.json.GZ", "", "x" + strings.Repeat("é", 1000), "x" + strings.Repeat("é", 1000)},
		"BZh in a text":                  {"a", "", "BZh91 is a licence plate", "BZh91 is a licence plate"},
		"binary":                         {"a.bin", "", "\x00\x01\xff", "\x00\x01\xff"},
		"binary named gzip":              {"a.gz", "", "\x00\x01\xff", "error"},
		"binary of the encoding gzip":    {"a", "gzip", "\x00\x01\xff", "error"},
		"binary of the encoding aws":     {"a", "aws-chunked", "\x00\x01\xff", "\x00\x01\xff"},
		"gzip of the encoding gzip":      {"a", "gzip", g, text},
		"garbage that begins like gzip":  {"a", "", "\x1f\x8b garbage", "error"},
		"garbage that begins like bzip2": {"a", "", string(bz[:20]) + "garbage", "error"},
		"bzip2 cut":                      {"a", "", string(bz[:len(bz)-1]), "error"},
	} {
		it := item(c.key, saying{bytesBody{b: []byte(c.b)}, c.encoding}, int64(len(c.b)))
		got, err := read(t, pass(t, build(t, decompress()), it)[0].Body)
		if c.want == "error" && !errors.Is(err, pipeline.ErrGone) || c.want != "error" && (err != nil || string(got) != c.want) {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, c.want)
		}
	}
}

// saying is a body whose readers know the encoding.
type saying struct {
	pipeline.Body
	encoding string
}

type sayingReader struct {
	io.ReadCloser
	encoding string
}

func (r sayingReader) ContentEncoding() string { return r.encoding }
func (b saying) Open(ctx context.Context) (io.ReadCloser, error) {
	r, err := b.Body.Open(ctx)
	return sayingReader{r, b.encoding}, err
}

func TestBlocksAreExpandedTooAndComeBack(t *testing.T) {
	q := pipeline.NewQuota(1)
	for range 3 { // the one block of the quota must come back
		it := block(t, q, one(t, gz(1), records(5)))
		it = pass(t, build(t, gunzip()), it)[0]
		got, err := read(t, it.Body)
		if err != nil || !bytes.Equal(got, records(5)) || it.Size != -1 {
			t.Fatalf("%d bytes, %v, size %d", len(got), err, it.Size)
		}
		it.Release()
		it.Release()
	}
}

func TestItemsWithoutABodyPassUnchanged(t *testing.T) {
	for _, k := range []kind.Transform{gz(1), zst("default"), gunzip(), unzstd(), decompress()} {
		it := &pipeline.Item{Key: "k", Delete: true, Size: 0, Pos: pipeline.Position{Token: "t"}}
		want := *it
		if got := pass(t, build(t, k), it)[0]; fmt.Sprint(*got) != fmt.Sprint(want) {
			t.Errorf("%s: got %+v", k.Identity(), got)
		}
	}
}

func TestAReaderThatIsClosedGivesNothing(t *testing.T) {
	b := pass(t, build(t, gunzip()), item("k", bytesBody{b: one(t, gz(1), records(5))}, -1))[0].Body
	r, err := b.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	if n, err := r.Read(make([]byte, 10)); n != 0 || err == nil {
		t.Errorf("got %d, %v", n, err)
	}
}
