package config_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"sluice/internal/config"
	"sluice/sinks"
	"sluice/sources"
	"sluice/transforms"
)

const referenceFile = "../../config.yaml"

// commentedOut is an option that is not given: # and no blank.
var commentedOut = regexp.MustCompile(`(?m)^( *)#([^ #\n])`)

func reference(t *testing.T) (asItIs, allGiven string) {
	t.Helper()
	text, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), commentedOut.ReplaceAllString(string(text), "$1$2")
}

// value is what a variable of the reference holds: x, unless it must be a key.
func value(name, x string) string {
	if name == "GITHUB_APP_KEY" {
		return appKey()
	}
	return x
}

var appKey = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
})

// sluice reads with the kinds of Sluice, in an environment where each variable is
// set or none.
func sluice(env bool) config.Options {
	return config.Options{
		Workers:  4,
		Env:      func(name string) (string, bool) { return value(name, "x"), env },
		ReadFile: func(string) ([]byte, error) { return nil, os.ErrNotExist },
	}
}

func TestTheReferenceRunsAsItIs(t *testing.T) {
	asItIs, _ := reference(t)
	f, err := config.Parse("config.yaml", []byte(asItIs), sluice(false))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Pipelines) != 2 || f.Pipelines[0].Name != "dump" || f.Pipelines[1].Name != "load" {
		t.Fatalf("got %d pipelines, want dump and load", len(f.Pipelines))
	}
	for _, p := range f.Pipelines {
		fitted, err := config.Fit(f.Memory, p)
		if err != nil {
			t.Fatal(err)
		}
		if fitted[0].Lanes < 2 {
			t.Errorf("%s: got %d lanes of %v in %v, want at least 2", p.Name, fitted[0].Lanes, fitted[0].Needs, f.Memory)
		}
	}
}

func TestTheReferenceParsesWithEveryOptionGiven(t *testing.T) {
	_, allGiven := reference(t)
	f, err := config.Parse("config.yaml", []byte(allGiven), sluice(true))
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Pipelines) < 3 {
		t.Errorf("got %d pipelines, want those that are not given too", len(f.Pipelines))
	}
}

// noFiles takes the options away that name certificates, which are read when a
// stage is built.
var noFiles = regexp.MustCompile(`(?m)^ *(ca|cert|key): /etc/.*\n`)

func TestEveryExampleFitsIntoTheDefaultMemory(t *testing.T) {
	_, allGiven := reference(t)
	f, err := config.Parse("config.yaml", []byte(noFiles.ReplaceAllString(allGiven, "")), sluice(true))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Pipelines {
		fitted, err := config.Fit(80<<20, p)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, want := len(fitted[0].Needs), len(p.Transforms)+2; got != want {
			t.Errorf("%s: got the needs of %d stages, want %d", p.Name, got, want)
		}
	}
}

// sameAs maps a kind, or a list of conditions, to another with the same options,
// which are explained once.
var sameAs = strings.NewReplacer(".elasticsearch.", ".opensearch.", ".dead_letters.s3.", ".sink.s3.",
	".dead_letters.search.index", ".dead_letters.search.index", ".dead_letters.search.", ".sink.opensearch.",
	".filter.any.", ".filter.where.", ".route.rules.where.", ".filter.where.", ".route.rules.any.", ".filter.where.")

func TestTheReferenceExplainsEveryOptionOnce(t *testing.T) {
	asItIs, allGiven := reference(t)
	options := map[string]config.Option{}
	for _, o := range config.Reference() {
		same := sameAs.Replace(o.Path)
		known, ok := options[same]
		if o.Path = same; ok && known != o {
			t.Fatalf("%s: got %+v and %+v, want kinds with the same options", same, known, o)
		}
		options[same] = o
	}
	page := annotated{strings.Split(asItIs, "\n")}
	explained := map[string]int{}
	mentions := mentioned(t, allGiven)
	for i := len(mentions) - 1; i >= 0; i-- {
		m := mentions[i]
		o, ok := options[m.path]
		first := true
		for _, before := range mentions[:i] {
			first = first && before.path != m.path
		}
		if ok && *update {
			page.explain(m.line, o, first)
		}
		if ok && page.explains(m.line, o) {
			explained[m.path]++
		}
	}
	if *update {
		if err := os.WriteFile(referenceFile, []byte(strings.Join(page.lines, "\n")), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for path, o := range options {
		if !strings.HasSuffix(o.Doc, ".") {
			t.Errorf("%s: got %q, want a sentence", path, o.Doc)
		}
		if n := explained[path]; n != 1 {
			t.Errorf("%s is explained %d times, want once, as\n# %s\nname: value  # %s", path, n, o.Doc, note(o))
		}
	}
}

// mention is an option in the reference: its path, and its line from 0.
type mention struct {
	path string
	line int
}

// mentioned lists the options of a text in order.
func mentioned(t *testing.T, text string) (out []mention) {
	t.Helper()
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(n ast.Node, path string)
	walk = func(n ast.Node, path string) {
		switch n := n.(type) {
		case *ast.MappingNode:
			for _, v := range n.Values {
				at := strings.TrimPrefix(path+"."+v.Key.GetToken().Value, ".")
				if path == "pipelines" {
					at = "pipelines.*"
				}
				out = append(out, mention{sameAs.Replace(at), v.Key.GetToken().Position.Line - 1})
				walk(v.Value, at)
			}
		case *ast.SequenceNode:
			for _, v := range n.Values {
				walk(v, path)
			}
		}
	}
	walk(file.Docs[0].Body, "")
	return out
}

// annotated is the lines of the reference.
type annotated struct{ lines []string }

// explains reports whether the comment above a line is what the option means,
// and the one behind it its default.
func (a *annotated) explains(line int, o config.Option) bool {
	above := a.above(line)
	var words []string
	for _, l := range a.lines[above:line] {
		words = append(words, strings.TrimPrefix(strings.TrimSpace(l), "# "))
	}
	_, behind, _ := strings.Cut(a.lines[line], "  # ")
	return strings.Join(words, " ") == o.Doc && behind == note(o)
}

// above is where the comment above a line begins.
func (a *annotated) above(line int) int {
	for line > 0 && strings.HasPrefix(strings.TrimSpace(a.lines[line-1]), "# ") {
		line--
	}
	return line
}

// explain writes the comments of the option, or takes them away.
func (a *annotated) explain(line int, o config.Option, want bool) {
	text, _, _ := strings.Cut(a.lines[line], "  # ")
	text = strings.TrimRight(text, " ")
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	var out []string
	if want {
		current := indent + "#"
		for word := range strings.FieldsSeq(o.Doc) {
			if len(current)+1+len(word) > 100 {
				out, current = append(out, current), indent+"#"
			}
			current += " " + word
		}
		out = append(out, current)
		if note(o) != "" {
			text += strings.Repeat(" ", max(0, 38-len(text))) + "  # " + note(o)
		}
	}
	above := a.above(line)
	a.lines = append(a.lines[:above:above], append(append(out, text), a.lines[line+1:]...)...)
}

// note is what stands behind an option: its default and what else it takes.
func note(o config.Option) string {
	switch {
	case o.Required:
		return "required"
	case len(o.Enum) > 0 && o.Default == "":
		return "any of " + strings.ReplaceAll(o.Enum, "|", ", ")
	case len(o.Enum) > 0:
		var others []string
		for e := range strings.SplitSeq(o.Enum, "|") {
			if e != o.Default {
				others = append(others, e)
			}
		}
		if o.Default == "" {
			return strings.Join(others, " or ")
		}
		return "default " + o.Default + ", else " + strings.Join(others, " or ")
	case o.Default != "":
		return "default " + o.Default
	}
	return ""
}

func TestEveryKindStandsInTheReference(t *testing.T) {
	_, allGiven := reference(t)
	f, err := config.Parse("config.yaml", []byte(allGiven), sluice(true))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range f.Pipelines {
		seen["source "+p.Source.Kind], seen["sink "+p.Sink.Kind] = true, true
		for _, tr := range p.Transforms {
			seen["transform "+tr.Kind] = true
		}
	}
	for _, kind := range kinds() {
		if !seen[kind] {
			t.Errorf("the reference has no %s", kind)
		}
	}
}

func TestNoIdentityHasASecret(t *testing.T) {
	_, allGiven := reference(t)
	o := sluice(true)
	o.Env = func(name string) (string, bool) { return value(name, "hunter2"), true }
	f, err := config.Parse("config.yaml", []byte(allGiven), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Pipelines {
		for part, id := range p.Identity() {
			if strings.Contains(id, "hunter2") || id == "" && part != "transforms" {
				t.Errorf("%s: got identity %q of its %s, want one without secrets", p.Name, id, part)
			}
		}
	}
}

// kinds lists the kinds of Sluice as "sink s3".
func kinds() (out []string) {
	for name := range sources.Kinds {
		out = append(out, "source "+name)
	}
	for name := range transforms.Kinds {
		out = append(out, "transform "+name)
	}
	for name := range sinks.Kinds {
		out = append(out, "sink "+name)
	}
	return out
}
