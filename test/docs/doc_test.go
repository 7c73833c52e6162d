// Package docs_test keeps the documentation true: every configuration in it is
// parsed, every command is run on real servers and must print what the page
// shows, every message, test, file and option that it names must exist, and the
// reference is what the code says.
//
// How a page is written so that this can be done:
//
//   - A block of yaml is a configuration or a part of one. Where the line before
//     it ends with the name of a file and a colon, the commands behind it find
//     that file.
//   - A block of console has commands behind $ and what they print. All of a
//     page run in one shell. "…" stands for anything, alone on a line for any
//     number of lines; times, and the seconds in tables, are not compared.
//   - https://search.example:9200, https://s3.example and https://git.example are
//     the servers of tests; names of indices and buckets are made unique.
//
// `go test ./test/docs -update` writes into pages what was printed, and the
// reference anew.
package docs_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what is printed into the pages, and the reference anew")

// programs is the directory of the built binary.
var programs string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sluice-docs-")
	if err != nil {
		panic(err)
	}
	programs = dir
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "sluice"), "sluice/cmd/sluice")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// root is the root of the module.
const root = "../.."

// page is a page of the documentation.
type page struct {
	path   string // from the root, with slashes
	lines  []string
	blocks []*block
}

// block is a fenced block. Its text is that of the lines from first to end.
type block struct {
	language   string
	file       string // that it is the text of; "": of none
	first, end int
	lines      []string
}

var named = regexp.MustCompile("`([\\w./-]+)`:$")

// pages reads all of docs, and README.md.
func pages(t *testing.T) (out []*page) {
	t.Helper()
	paths := []string{"README.md"}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			path, err := filepath.Rel(root, f)
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, filepath.ToSlash(path))
		}
	}
	if len(paths) < 10 {
		t.Fatalf("got %q, want all pages", paths)
	}
	for _, path := range paths {
		out = append(out, read(t, path))
	}
	return out
}

func read(t *testing.T, path string) *page {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	p := &page{path: path, lines: strings.Split(string(text), "\n")}
	var open *block
	before := ""
	for i, line := range p.lines {
		switch language, fence := strings.CutPrefix(line, "```"); {
		case fence && open == nil:
			open = &block{language: language, first: i + 1}
			if m := named.FindStringSubmatch(before); m != nil {
				open.file = m[1]
			}
		case fence:
			open.end, open.lines = i, p.lines[open.first:i]
			p.blocks, open, before = append(p.blocks, open), nil, ""
		case open == nil && line != "":
			before = line
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block has no end", path, open.first)
	}
	return p
}

// prose is the lines of a page outside of its blocks, the others empty.
func (p *page) prose() []string {
	out := slices.Clone(p.lines)
	for _, b := range p.blocks {
		for i := b.first; i < b.end; i++ {
			out[i] = ""
		}
	}
	return out
}

func (b *block) text() string { return strings.Join(b.lines, "\n") + "\n" }

// TestEveryBlockIsOfAKindThatIsChecked knows which blocks other tests look at.
func TestEveryBlockIsOfAKindThatIsChecked(t *testing.T) {
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if !slices.Contains([]string{"yaml", "console", "json"}, b.language) {
				t.Errorf("%s:%d: nobody checks a block of %q", p.path, b.first, b.language)
			}
		}
	}
}
