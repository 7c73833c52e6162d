package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// goFiles parses the Go files of a folder and those below it: the tests, or all
// others.
func goFiles(folder string, tests bool) (out []*ast.File) {
	err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") != tests {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		out = append(out, file)
		return err
	})
	if err != nil {
		panic("docs: " + err.Error()) // the code has been built
	}
	return out
}

// verb is what stands for a value in a text of the code.
var verb = regexp.MustCompile(`%[-+# 0]*[\d.*]*[a-zA-Z]`)

// messages is the texts that stand in the code, with "…" for values.
func messages() map[string]bool {
	out := map[string]bool{}
	for _, folder := range []string{"cmd", "internal", "pipeline", "sinks", "sources", "transforms"} {
		for _, file := range goFiles(folder, false) {
			ast.Inspect(file, func(n ast.Node) bool {
				if e, ok := n.(ast.Expr); ok {
					if text, ok := constant(e); ok {
						out[verb.ReplaceAllString(text, "…")] = true
						return false
					}
				}
				return true
			})
		}
	}
	return out
}

// constant is the text of literals that are joined, "…" between what is not.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		a, isText := constant(e.X)
		b, isToo := constant(e.Y)
		if e.Op != token.ADD || !isText && !isToo {
			return "", false
		}
		if !isText {
			a = "…"
		}
		if !isToo {
			b = "…"
		}
		return a + b, true
	}
	return "", false
}

// shown is a message in a page: bold code.
var shown = regexp.MustCompile("\\*\\*`([^`]+)`\\*\\*")

// TestEveryMessageStandsInTheCode looks for what troubleshooting explains.
func TestEveryMessageStandsInTheCode(t *testing.T) {
	all, n := messages(), 0
	for _, p := range pages(t) {
		for i, line := range p.prose() {
			for _, m := range shown.FindAllStringSubmatch(line, -1) {
				n++
				if !stands(m[1], all) {
					t.Errorf("%s:%d: no text of the code is %q", p.path, i+1, m[1])
				}
			}
		}
	}
	if n < 30 {
		t.Errorf("got %d messages, want those of troubleshooting", n)
	}
}

// stands reports whether a message, with … for values, is a part of a text.
func stands(message string, all map[string]bool) bool {
	for text := range all {
		rest, ok := text, true
		for part := range strings.SplitSeq(message, "…") {
			if _, rest, ok = strings.Cut(rest, part); !ok {
				break
			}
		}
		if ok {
			return true
		}
	}
	return false
}

// aTest is a test that a page names, and the command that runs it.
var (
	aTest    = regexp.MustCompile("`((?:Test|Fuzz)\\w+)`")
	aFolder  = regexp.MustCompile(`\./[\w./-]*`)
	aPattern = regexp.MustCompile(`-run '?([\w|^$]+)'?`)
)

// testsOf lists the tests of a folder by name.
func testsOf(folder string) map[string]bool {
	out := map[string]bool{}
	for _, file := range goFiles(folder, true) {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				out[f.Name.Name] = true
			}
		}
	}
	return out
}

// TestEveryTestThatIsNamedExists looks for tests, and for what commands run.
func TestEveryTestThatIsNamedExists(t *testing.T) {
	all, n := testsOf("."), 0
	for _, p := range pages(t) {
		for i, line := range p.prose() {
			for _, m := range aTest.FindAllStringSubmatch(line, -1) {
				n++
				if !all[m[1]] {
					t.Errorf("%s:%d: there is no %s", p.path, i+1, m[1])
				}
			}
		}
		for _, b := range p.blocks {
			for _, s := range steps(b) {
				if strings.Contains(s.command, "go test ") {
					tested(t, p, s.command)
				}
			}
		}
	}
	if n < 30 {
		t.Errorf("got %d tests, want those of the guarantees", n)
	}
}

// tested checks that a command runs the tests that it says.
func tested(t *testing.T, p *page, command string) {
	t.Helper()
	there := map[string]bool{}
	for _, folder := range aFolder.FindAllString(command, -1) {
		for name := range testsOf(strings.TrimSuffix(folder, "/...")) {
			there[name] = true
		}
	}
	m := aPattern.FindStringSubmatch(command)
	if m == nil {
		return
	}
	for pattern := range strings.SplitSeq(m[1], "|") {
		found := false
		for name := range there {
			found = found || regexp.MustCompile(pattern).MatchString(name)
		}
		if !found {
			t.Errorf("%s: %s: %s is no test of these packages", p.path, command, pattern)
		}
	}
}

// TestEveryPlantedBugThatIsNamedExists looks for test/mutations.
func TestEveryPlantedBugThatIsNamedExists(t *testing.T) {
	named := regexp.MustCompile(`test/mutations/([\w*-]+)\.patch`)
	for _, p := range pages(t) {
		for i, line := range p.lines {
			for _, m := range named.FindAllStringSubmatch(line, -1) {
				if found, err := filepath.Glob(filepath.Join(root, "test/mutations", m[1]+".patch")); err != nil || len(found) == 0 {
					t.Errorf("%s:%d: there is no %s, %v", p.path, i+1, m[1], err)
				}
			}
		}
	}
}

// aPath is a file or folder of the repository, as code.
var aPath = regexp.MustCompile("`((?:bench|cmd|deploy|internal|pipeline|sinks|sources|test|transforms)/[\\w./-]+)`")

// TestEveryPathThatIsNamedExists looks for files and folders.
func TestEveryPathThatIsNamedExists(t *testing.T) {
	for _, p := range pages(t) {
		for i, line := range p.prose() {
			for _, m := range aPath.FindAllStringSubmatch(line, -1) {
				if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
					t.Errorf("%s:%d: %v", p.path, i+1, err)
				}
			}
		}
	}
}

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`^#+ (.*)$`)
	noAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestEveryLinkLeadsSomewhere follows links to files and to headings.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	anchors := map[string]map[string]bool{}
	for _, p := range pages(t) {
		anchors[p.path] = map[string]bool{"": true}
		for _, line := range p.prose() {
			if m := heading.FindStringSubmatch(line); m != nil {
				anchors[p.path][strings.ReplaceAll(noAnchor.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
			}
		}
	}
	for _, p := range pages(t) {
		for i, line := range p.prose() {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				to, anchor, _ := strings.Cut(m[1], "#")
				if strings.Contains(to, "://") {
					continue
				}
				path := p.path
				if to != "" {
					path = filepath.ToSlash(filepath.Join(filepath.Dir(p.path), to))
				}
				if _, err := os.Stat(filepath.Join(root, path)); err != nil {
					t.Errorf("%s:%d: %v", p.path, i+1, err)
				} else if known, ok := anchors[path]; ok && !known[anchor] {
					t.Errorf("%s:%d: %s has no heading %q", p.path, i+1, path, anchor)
				}
			}
		}
	}
}
