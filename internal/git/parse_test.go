package git_test

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"strings"
	"testing"

	"sluice/internal/git"
)

const id = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"

func TestAPathIsQuotedAsGitUnquotesIt(t *testing.T) {
	for path, want := range map[string]string{
		"a/b.yaml":         `"a/b.yaml"`,
		"a b":              `"a b"`,
		`q"\`:              `"q\042\134"`,
		"\x01\n\t\x7f":     `"\001\012\011\177"`,
		"\xc3\xa9\xff":     `"\303\251\377"`,
		"":                 `""`,
		"-x":               `"-x"`,
		"100644 a/b M D :": `"100644 a/b M D :"`,
	} {
		if got := string(git.AppendPath(nil, path)); got != want {
			t.Errorf("%q: got %s, want %s", path, got, want)
		}
	}
}

// FuzzAQuotedPathIsPlainAndReadsBack also holds against strconv, which reads the
// octal that git reads.
func FuzzAQuotedPathIsPlainAndReadsBack(f *testing.F) {
	for _, seed := range []string{"a/b", "\"", "\\101", "\n", "\xff\x00", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got := git.AppendPath([]byte("M "), path)[2:]
		for _, c := range got {
			if c < ' ' || c > '~' {
				t.Fatalf("%q: got %q, which is not plain", path, got)
			}
		}
		if back, err := strconv.Unquote(string(got)); err != nil || back != path {
			t.Fatalf("%q: %q reads back as %q, %v", path, got, back, err)
		}
	})
}

func FuzzAnEntryIsReadOrRefused(f *testing.F) {
	for _, seed := range []string{"100644 blob " + id + "\ta\tb", "100755 blob " + id + "      12\ta", "160000 commit " + id + "       -\tsub", "", "\t", "1 b c\td"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := git.ParseEntry(text)
		if err != nil {
			return
		}
		if !bytes.HasSuffix(text, []byte("\t"+e.Path)) || e.Path == "" || e.Size < -1 {
			t.Fatalf("%q: got %+v", text, e)
		}
		if !strings.Contains(string(text), string(e.OID)) || len(e.OID) != 40 && len(e.OID) != 64 {
			t.Fatalf("%q: got id %q", text, e.OID)
		}
	})
}

func FuzzAChangeIsReadOrRefused(f *testing.F) {
	zero := strings.Repeat("0", 40)
	for _, seed := range []string{":100644 100644 " + id + " " + id + " M\x00a\x00", ":000000 100644 " + zero + " " + id + " A\x00b c\x00", ":100644 000000 " + id + " " + zero + " D\x00c\x00", ":\x00", "x", "\x00\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := git.ReadChange(bufio.NewReaderSize(bytes.NewReader(text), 16))
		if err == io.EOF {
			t.Fatalf("%q: a change that is cut is an end", text)
		}
		if err == nil && (c.Path == "" || !bytes.Contains(text, []byte(c.Path+"\x00"))) {
			t.Fatalf("%q: got %+v", text, c)
		}
	})
}

func TestWhatWasSentIsReadFromTheProgress(t *testing.T) {
	for text, want := range map[string]int64{
		"": 0,
		"Writing objects:  50% (1/2)\rWriting objects: 100% (2/2), 261 bytes | 261.00 KiB/s, done.\nTotal 2":           261,
		"Writing objects: 100% (2/2), 1.50 KiB | 1 KiB/s\rWriting objects: 100% (2/2), 2.00 MiB | 1.00 MiB/s, done.\n": 2 << 20,
		"Writing objects: 100% (2/2), x y, done.\n":                                                                    0,
		"Writing objects: 100% (2/2), done.\n":                                                                         0,
	} {
		if got := git.Written([]byte(text)); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}
