package test_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is a Go file of this module that is not a test.
type source struct {
	path string // from the root of the module, with slashes
	pkg  string // folder
	file *ast.File
	set  *token.FileSet
}

// sources parses all of them. Programs that are no part of Sluice (test,
// bench) are among them.
func sources(t *testing.T) (out []source) {
	t.Helper()
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || path == "bin" || path == "out") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		out = append(out, source{path, filepath.ToSlash(filepath.Dir(path)), file, set})
		return nil
	})
	if err != nil || len(out) < 50 {
		t.Fatalf("got %d files, %v, want all of Sluice", len(out), err)
	}
	return out
}

func (s source) line(p token.Pos) int { return s.set.Position(p).Line }

// within reports whether a package is one of the folders or lies below it.
func within(pkg string, folders ...string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return pkg == f || strings.HasPrefix(pkg, f+"/") })
}

// lawful reports whether a package may import another. Paths of this module
// begin at its root; outside says that the other is none of its packages.
func lawful(pkg, other string, outside bool) bool {
	std := outside && !strings.Contains(strings.Split(other, "/")[0], ".")
	kinds := []string{"sources", "sinks", "transforms"}
	switch {
	case within(pkg, "test", "bench", "cmd", "internal/config") || std:
		return true // they see everything
	case pkg == "pipeline":
		return strings.HasPrefix(other, "golang.org/x/sync/")
	case outside:
		return true
	case within(other, "test") && strings.HasSuffix(pkg, "test"): // helpers of tests
		return true
	case within(other, "cmd", "internal/config", "internal/ops", "internal/daemon", "test", "bench"):
		return within(pkg, "internal/ops", "internal/daemon") && within(other, "internal/ops")
	case slices.Contains(kinds, pkg):
		return other == "internal/kind" || within(other, pkg, "internal") || other == "pipeline" // the tables
	case within(pkg, kinds...), within(pkg, "internal"):
		return other == "pipeline" || within(other, "internal")
	case within(pkg, "pipeline"):
		return within(other, "pipeline")
	}
	return false
}

func TestPackagesImportWhatTheyMay(t *testing.T) {
	for _, s := range sources(t) {
		for _, i := range s.file.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			other, ours := strings.CutPrefix(path, "sluice/")
			if !lawful(s.pkg, other, !ours) {
				t.Errorf("%s:%d: %s may not import %s", s.path, s.line(i.Pos()), s.pkg, path)
			}
		}
	}
}

func TestTheLawIsNotEmpty(t *testing.T) {
	for _, test := range []struct {
		pkg, other string
		outside    bool
		want       bool
	}{
		{"pipeline", "context", true, true},
		{"pipeline", "golang.org/x/sync/errgroup", true, true},
		{"pipeline", "github.com/klauspost/compress/gzip", true, false},
		{"pipeline", "internal/unit", false, false},
		{"pipeline/pipelinetest", "pipeline", false, true},
		{"sources/s3", "internal/objects", false, true},
		{"sources/s3", "sinks/s3", false, false},
		{"sources/s3", "sources/file", false, false},
		{"sources/s3", "internal/config", false, false},
		{"sources/s3", "internal/ops", false, false},
		{"sources", "sources/s3", false, true},
		{"sources", "sinks/s3", false, false},
		{"transforms", "pipeline", false, true},
		{"transforms", "sinks", false, false},
		{"internal/search", "sources/search", false, false},
		{"internal/search", "internal/config", false, false},
		{"internal/state", "pipeline", false, true},
		{"internal/state", "test/servers", false, false},
		{"internal/objects/objectstest", "test/servers", false, true},
		{"internal/config", "sinks", false, true},
		{"internal/daemon", "internal/ops", false, true},
		{"internal/ops", "internal/daemon", false, false},
		{"internal/letters", "internal/daemon", false, false},
		{"cmd/sluice", "internal/config", false, true},
	} {
		if got := lawful(test.pkg, test.other, test.outside); got != test.want {
			t.Errorf("%s imports %s: got %v, want %v", test.pkg, test.other, got, test.want)
		}
	}
}

func TestGoroutinesAreStartedInPipelineAlone(t *testing.T) {
	for _, s := range sources(t) {
		if within(s.pkg, "pipeline", "test", "bench") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if g, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s:%d: a go statement outside of package pipeline; use an errgroup in the function that waits", s.path, s.line(g.Pos()))
			}
			return true
		})
	}
}

func TestFilesAndFunctionsAreShort(t *testing.T) {
	const mostFile, mostFunc = 400, 70
	for _, s := range sources(t) {
		if n := s.line(s.file.FileEnd) - 1; n > mostFile {
			t.Errorf("%s has %d lines, want at most %d", s.path, n, mostFile)
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.line(f.End()) - s.line(f.Pos()) + 1; n > mostFunc {
				t.Errorf("%s:%d: %s has %d lines, want at most %d", s.path, s.line(f.Pos()), f.Name.Name, n, mostFunc)
			}
			if f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s:%d: an init function; name what is to be made where it is used", s.path, s.line(f.Pos()))
			}
		}
	}
}

func TestEveryPackageAndExportedNameIsDocumented(t *testing.T) {
	documented := map[string]bool{}
	all := sources(t)
	for _, s := range all {
		documented[s.pkg] = documented[s.pkg] || s.file.Doc != nil
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && f.Name.IsExported() && f.Doc == nil && ast.IsExported(receiver(f)) {
				t.Errorf("%s:%d: %s has no comment", s.path, s.line(f.Pos()), f.Name.Name)
			}
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE && g.Doc == nil {
				undocumented(t, s, g)
			}
		}
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no comment", pkg)
		}
	}
}

// receiver is the name of the type of a method, or that of the function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	typ := f.Recv.List[0].Type
	if p, ok := typ.(*ast.StarExpr); ok {
		typ = p.X
	}
	if p, ok := typ.(*ast.IndexExpr); ok {
		typ = p.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func undocumented(t *testing.T, s source, g *ast.GenDecl) {
	t.Helper()
	for _, spec := range g.Specs {
		if ts := spec.(*ast.TypeSpec); ts.Name.IsExported() && ts.Doc == nil && ts.Comment == nil {
			t.Errorf("%s:%d: %s has no comment", s.path, s.line(ts.Pos()), ts.Name.Name)
		}
	}
}
