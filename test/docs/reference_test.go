package docs_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sluice/internal/config"
)

// part is a section of a page of the reference: the options below a path, but
// what is in some groups.
type part struct {
	title, path string
	without     []string
}

// generated says how a page of the reference begins, and what follows is made of.
func generated() map[string]struct {
	text  string
	parts []part
} {
	return map[string]struct {
		text  string
		parts []part
	}{
		"options.md":    {ofFiles, []part{{"The file", "", []string{"pipelines"}}, {"A pipeline", "pipelines.*.", []string{"source", "transforms", "sink", "sinks", "dead_letters", "hooks"}}, {"Dead letters", "pipelines.*.dead_letters.", []string{"s3", "search"}}, {"Hooks", "pipelines.*.hooks.", nil}}},
		"search.md":     {ofSearch, []part{{"Source", "pipelines.*.source.opensearch.", nil}, {"Sink", "pipelines.*.sink.opensearch.", nil}, {"Dead letters in an index", "pipelines.*.dead_letters.search.", nil}}},
		"s3.md":         {ofS3, []part{{"Source", "pipelines.*.source.s3.", nil}, {"Sink", "pipelines.*.sink.s3.", nil}, {"Dead letters in a bucket", "pipelines.*.dead_letters.s3.", nil}}},
		"file.md":       {"# file\n\nA directory, or files by a pattern.\n", []part{{"Source", "pipelines.*.source.file.", nil}, {"Sink", "pipelines.*.sink.file.", nil}}},
		"git.md":        {ofGit, []part{{"Source", "pipelines.*.source.git.", nil}, {"Sink", "pipelines.*.sink.git.", nil}}},
		"generate.md":   {"# generate\n\nMade-up records, to try things.\n", []part{{"Source", "pipelines.*.source.generate.", nil}}},
		"transforms.md": {ofTransforms, transforms()},
		"metrics.md":    {ofMetrics + metrics(), nil},
	}
}

const (
	ofFiles = `# Options of the file and of pipelines

A file has options of the process, and pipelines below their names. [config.yaml](../../config.yaml) has all of them in their places.
Sizes are written as 64MiB or 500KB, durations as 30s or 1h30m. In a value, ${NAME} and ${NAME:-default} stand for variables of the
environment, and $$ for a dollar; inside { } and [ ] they need quotes. A secret may be kept in a file: password_file for password.
`
	ofSearch = `# opensearch, elasticsearch

Both names are the same kind; what the engine is, is found out. See [an index into a bucket](../how-to/search-to-s3.md),
[objects into an index](../how-to/s3-to-search.md), [follow an index](../how-to/follow-an-index.md).
`
	ofS3 = `# s3

Any store that speaks S3. See [objects into an index](../how-to/s3-to-search.md), [a bucket into another](../how-to/s3-to-s3.md).
`
	ofGit = `# git

It runs git 2.36 or later. See [a bucket as the history of a branch](../how-to/s3-to-git.md),
[a repository into a bucket](../how-to/git-to-s3.md).
`
	ofTransforms = `# Transforms

What changes items on the way, in the order of the list. A transform without options may be given by its name alone.
Which may follow which is checked: records (behind lines, or from a search source), or bytes (objects, and what is compressed).
`
	ofMetrics = `# Metrics

What /metrics serves at the address of the option http, in the text format of Prometheus, beside the metrics of the Go runtime
and the process. Names that end with _total are counters of this process. Names that begin with git_sync are there with
metrics: {git_sync: true}.

| name | labels | meaning |
|---|---|---|
`
)

// TestTheReferenceIsWhatTheCodeSays compares each page with the code.
func TestTheReferenceIsWhatTheCodeSays(t *testing.T) {
	for name, page := range generated() {
		want := page.text
		for _, p := range page.parts {
			want += p.table()
		}
		path := filepath.Join(root, "docs/reference", name)
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s is not what the code says: go test ./test/docs -update (%v)", name, err)
		}
	}
}

// TestEveryOptionIsInTheReference finds options that no part lists. Those of
// elasticsearch are those of opensearch, and those of sinks those of sink.
func TestEveryOptionIsInTheReference(t *testing.T) {
	same := strings.NewReplacer(".elasticsearch.", ".opensearch.")
	for _, o := range config.Reference() {
		path, found := same.Replace(o.Path), false
		for _, page := range generated() {
			found = found || slices.ContainsFunc(page.parts, func(p part) bool { _, ok := p.name(path); return ok })
		}
		if !found && !o.Group {
			t.Errorf("%s is in no part", o.Path)
		}
	}
}

// transforms is a part for each.
func transforms() (out []part) {
	for _, kind := range kinds("pipelines.*.transforms.") {
		out = append(out, part{kind, "pipelines.*.transforms." + kind + ".", nil})
	}
	return out
}

// kinds lists the names right below a path.
func kinds(path string) (out []string) {
	for _, o := range config.Reference() {
		if name, ok := strings.CutPrefix(o.Path, path); ok {
			name, _, _ = strings.Cut(name, ".")
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// name is what the part calls an option, if it lists it.
func (p part) name(path string) (string, bool) {
	name, ok := strings.CutPrefix(path, p.path)
	first, inside, _ := strings.Cut(name, ".")
	return name, ok && (inside == "" || !slices.Contains(p.without, first))
}

// table lists the options of the part.
func (p part) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n", p.title)
	rows := 0
	for _, o := range config.Reference() {
		name, ok := p.name(o.Path)
		if !ok {
			continue
		}
		if rows++; rows == 1 {
			b.WriteString("| option | default | meaning |\n|---|---|---|\n")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, standard(o), marked(o.Doc))
	}
	if rows == 0 {
		b.WriteString("It has no options.\n")
	}
	return b.String()
}

// standard is what an option is if it is not given, and what else it takes.
func standard(o config.Option) string {
	var parts []string
	switch {
	case o.Required:
		parts = append(parts, "**required**")
	case o.Default != "":
		parts = append(parts, "`"+o.Default+"`")
	}
	if o.Enum != "" {
		parts = append(parts, "of "+strings.ReplaceAll(o.Enum, "|", ", "))
	}
	if o.Secret {
		parts = append(parts, "secret")
	}
	return strings.Join(parts, "; ")
}

// wordBegins is an underscore that Markdown could take for emphasis.
var wordBegins = regexp.MustCompile(`(^|[^\w{])_`)

// marked is text as Markdown shows it as it is, in a cell.
func marked(text string) string {
	text = strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;", "[", `\[`).Replace(text)
	return wordBegins.ReplaceAllString(text, `$1\_`)
}

// metrics lists what internal/ops describes to Prometheus.
func metrics() string {
	var b strings.Builder
	type metric struct{ name, labels, help string }
	var all []metric
	for _, file := range goFiles("internal/ops", false) {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				texts := literals(n.Args)
				switch f := n.Fun.(type) {
				case *ast.Ident:
					prefix, ok := map[string]string{"desc": "sluice_", "syncDesc": "git_sync_"}[f.Name]
					if ok && len(texts) >= 2 {
						all = append(all, metric{prefix + texts[0], strings.Join(append([]string{"pipeline"}, texts[2:]...), ", "), texts[1]})
					}
				case *ast.SelectorExpr:
					if f.Sel.Name == "NewDesc" && len(texts) == 2 {
						all = append(all, metric{texts[0], "", texts[1]})
					}
				}
			case *ast.CompositeLit:
				if s, ok := n.Type.(*ast.SelectorExpr); ok && strings.HasSuffix(s.Sel.Name, "Opts") && len(n.Elts) > 1 {
					if texts := literals(n.Elts); len(texts) > 1 {
						all = append(all, metric{texts[0], "", texts[1]})
					}
				}
			}
			return true
		})
	}
	slices.SortFunc(all, func(a, b metric) int { return cmp.Compare(a.name, b.name) })
	for _, m := range all {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.name, m.labels, marked(m.help))
	}
	return b.String()
}

// literals gives the texts among expressions, or among the values of a literal.
func literals(of []ast.Expr) (out []string) {
	for _, e := range of {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			e = kv.Value
		}
		if lit, ok := e.(*ast.BasicLit); ok {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				out = append(out, text)
			}
		}
	}
	return out
}
