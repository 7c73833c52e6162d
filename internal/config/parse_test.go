package config_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/config"
	"sluice/internal/unit"
)

func mustParse(t *testing.T, text string) *config.File {
	t.Helper()
	f, err := config.Parse("test.yaml", []byte(text), options())
	if err != nil {
		t.Fatalf("got errors, want none:\n%v", err)
	}
	return f
}

// onePipeline is a file with one pipeline and a source of these options.
func onePipeline(search string) string {
	return "pipelines:\n  a:\n    source: {opensearch: " + search + "}\n    sink: {file: {path: out}}\n"
}

func source(t *testing.T, text string) *search {
	t.Helper()
	return mustParse(t, onePipeline(text)).Pipelines[0].Source.Options.(*search)
}

func TestWhatIsNotGivenHasItsDefault(t *testing.T) {
	f := mustParse(t, `
pipelines:
  b: {source: {opensearch: {url: x, index: y}}, sink: {s3: {bucket: b, key: "{lane}"}}}
  a: {source: generate, sink: {file: {path: out}}, transforms: [gzip, {lines: }, {gzip: {level: 9}}]}
`)
	if f.State != "./state" || f.Memory != 80<<20 || f.HTTP != "" {
		t.Errorf("got state %q, memory %v, http %q, want ./state, 80MiB, none", f.State, f.Memory, f.HTTP)
	}
	if len(f.Pipelines) != 2 || f.Pipelines[0].Name != "b" || f.Pipelines[1].Name != "a" || f.Pipelines[1].Line != 4 {
		t.Fatalf("got pipelines %+v, want b and a, in the order of the file", f.Pipelines)
	}
	b, a := f.Pipelines[0], f.Pipelines[1]
	if b.Lanes != 4 || b.Every != 0 || b.OnError != "stop" || b.MaxRecord != 8<<20 || time.Duration(b.Grace) != 8*time.Second || b.DeadLetters != nil {
		t.Errorf("got %+v, want the defaults of a pipeline", b)
	}
	s := b.Source.Options.(*search)
	if s.Page != nil || s.Wait != unit.Duration(5*time.Minute) || s.TLS.Insecure {
		t.Errorf("got %+v, want the defaults of the source", s)
	}
	if o := b.Sink.Options.(*bucketSink); o.Roll.Bytes != 64<<20 || o.Overwrite != "own" || o.Part != 8<<20 {
		t.Errorf("got %+v, want the defaults of the sink", o)
	}
	var names []string
	for _, tr := range a.Transforms {
		names = append(names, tr.Name)
	}
	if diff := cmp.Diff([]string{"gzip", "lines", "gzip-2"}, names); diff != "" {
		t.Errorf("names of stages differ (-want +got):\n%s", diff)
	}
	if l := a.Transforms[2].Options.(*gzip).Level; l != 9 {
		t.Errorf("got level %d, want 9", l)
	}
}

func TestEveryTypeOfOptionIsSet(t *testing.T) {
	f := mustParse(t, `
state: /var/lib/sluice
memory: 1GiB
http: 127.0.0.1:9600
pipelines:
  archive.logs-2_x:
    source:
      opensearch:
        url: [http://one:9200, "http://two:9200"]
        index: "2024"
        username: true-ish
        password: hunter2
        tls: {insecure: true}
        page: 500
        wait: 1h30m
    sink:
      s3: {bucket: b, key: "{lane}", roll: {bytes: 10000000, records: 5}, overwrite: never}
    dead_letters: {file: {path: ./dead}}
    lanes: 8
    every: 90s
    on_error: dead_letter
    max_record: 32MiB
    grace: 0s
`)
	p := f.Pipelines[0]
	s := p.Source.Options.(*search)
	want := []string{"http://one:9200", "http://two:9200"}
	if !slices.Equal(s.URL, want) || s.Index != "2024" || s.Username != "true-ish" || s.Password.Reveal() != "hunter2" || !s.TLS.Insecure || *s.Page != 500 || s.Wait != unit.Duration(90*time.Minute) {
		t.Errorf("got %+v, want what the file says", s)
	}
	o := p.Sink.Options.(*bucketSink)
	if o.Bucket != "b" || o.Roll.Bytes != 10000000 || o.Roll.Records != 5 || o.Overwrite != "never" {
		t.Errorf("got %+v, want what the file says", o)
	}
	if p.DeadLetters.File.Path != "./dead" || p.Lanes != 8 || p.Every != unit.Duration(90*time.Second) || p.OnError != "dead_letter" || p.MaxRecord != 32<<20 || p.Grace != 0 {
		t.Errorf("got %+v, want what the file says", p)
	}
}

func TestVariablesAreFilledIntoValuesOnly(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`"${INDEX}"`, "logs"},
		{`'${INDEX}-*'`, "logs-*"},
		{`${INDEX}-${LEVEL}`, "logs-3"}, // not inside braces
		{`"${NOBODY:-none}"`, "none"},
		{`"${EMPTY:-none}"`, "none"},
		{`"x${EMPTY}"`, "x"},
		{`"${INDEX:-none}"`, "logs"},
		{`"${NOBODY:-}x"`, "x"},
		{`"$${INDEX} costs 5$$"`, "${INDEX} costs 5$"},
		{`"a: {b} # ${INDEX}"`, "a: {b} # logs"},
	} {
		text := "pipelines:\n  a:\n    source: generate\n    sink:\n      file:\n        path: " + test.text + "\n"
		if got := mustParse(t, text).Pipelines[0].Sink.Options.(*file).Path; got != test.want {
			t.Errorf("%s: got %q, want %q", test.text, got, test.want)
		}
	}
	if _, err := config.Parse("x", []byte("\"${INDEX}\": 1"), options()); !strings.Contains(err.Error(), `unknown key "${INDEX}"`) {
		t.Errorf("got %v, want a key as it stands", err)
	}
}

func TestAVariableReadsAsWhatIsWanted(t *testing.T) {
	f := mustParse(t, `
memory: "${NOBODY:-100MiB}"
pipelines:
  a:
    source: {opensearch: {url: ["${INDEX}"], index: "${LEVEL}", password: "${PASSWORD}", page: "${LEVEL}", tls: {insecure: "${NOBODY:-true}"}}}
    sink: {file: {path: out}}
`)
	s := f.Pipelines[0].Source.Options.(*search)
	if f.Memory != 100<<20 || s.URL[0] != "logs" || s.Index != "3" || s.Password.Reveal() != "hunter2" || *s.Page != 3 || !s.TLS.Insecure {
		t.Errorf("got %+v, want the values of the variables", s)
	}
}

func TestASecretComesFromAFileWithoutItsLastNewline(t *testing.T) {
	for path, want := range map[string]string{"/run/secret": "hunter2", "/run/two": "hunter2\n"} {
		if got := source(t, "{url: x, index: y, password_file: "+path+"}").Password.Reveal(); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestTextThatMayBeLongComesFromAFile(t *testing.T) {
	for path, want := range map[string]string{"query: inline": "inline", "query_file: /run/two": "hunter2\n"} {
		if got := source(t, "{url: x, index: y, "+path+"}").Query; got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	for wrong, want := range map[string]string{
		"query_file: /none":                 "query: open /none",
		"query: a, query_file: /run/secret": "both query and query_file are given",
		"index_file: /run/secret":           `unknown key "index_file"`,
	} {
		text := "pipelines: {a: {source: {opensearch: {url: x, index: y, " + wrong + "}}, sink: {file: {path: o}}}}"
		if _, err := config.Parse("x", []byte(text), options()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error that says %q", wrong, err, want)
		}
	}
}

func TestAliasesAndMergedKeysStandForWhatTheyName(t *testing.T) {
	f := mustParse(t, `
pipelines:
  a:
    source: {opensearch: &cluster {url: x, index: one, password: hunter2}}
    sink: &out {file: {path: out}}
  b:
    source: {opensearch: {<<: *cluster, index: two}}
    sink: *out
`)
	a, b := f.Pipelines[0].Source.Options.(*search), f.Pipelines[1].Source.Options.(*search)
	if a.Index != "one" || b.Index != "two" || b.URL[0] != "x" || b.Password.Reveal() != "hunter2" {
		t.Errorf("got %+v and %+v, want the same cluster and other indices", a, b)
	}
	if p := f.Pipelines[1].Sink.Options.(*file).Path; p != "out" {
		t.Errorf("got path %q, want out", p)
	}
}

func TestAliasesThatMultiplyAreRefused(t *testing.T) {
	text := "pipelines:\n  p0: &p0 {source: {generate: {}}, sink: {file: {path: x}}, transforms: &t [" + strings.Repeat("lines, ", 1000) + "]}\n"
	for i := 1; i < 200; i++ {
		text += fmt.Sprintf("  p%d: *p0\n", i)
	}
	_, err := config.Parse("test.yaml", []byte(text), options())
	if err == nil || !strings.Contains(err.Error(), "too much for a configuration") {
		t.Errorf("got %v, want an error that says that this is too much", err)
	}
}

func TestWhatWasMadeToHurtIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"a large file":        "# " + strings.Repeat("x", 1<<20),
		"a mapping in itself": "pipelines: &a {<<: *a}",
		"a list in itself":    "pipelines: &a [*a]",
		"deep brackets":       strings.Repeat("[", 50_000),
		"deep braces":         strings.Repeat("{a: ", 20_000),
		"deep dashes":         strings.Repeat("- ", 50_000),
		"deep questions":      strings.Repeat("? ", 50_000),
		"deep tags":           strings.Repeat("!a ", 30_000),
		"deep anchors":        strings.Repeat("&a ", 30_000),
		"no text":             "pipelines: \xff",
		"a null byte":         "pipelines: \x00",
	} {
		_, err := config.Parse("test.yaml", []byte(text), options())
		var errs config.Errors
		if !errors.As(err, &errs) || errs[0].Line < 1 || errs[0].Col < 1 {
			t.Errorf("%s: got %v, want an error with a position", name, err)
		}
	}
}

func TestErrorsAreSortedAndHaveAPosition(t *testing.T) {
	_, err := config.Parse("test.yaml", []byte("x: 1\npipelines: {é: {lanes: 0, sink: {}}, a: {}}\n"), options())
	var errs config.Errors
	if !errors.As(err, &errs) || len(errs) < 5 {
		t.Fatalf("got %v, want at least 5 errors", err)
	}
	for i, e := range errs {
		if e.File != "test.yaml" || e.Line == 0 || e.Col == 0 || e.Excerpt == "" {
			t.Errorf("got %+v, want a file, a position and an excerpt", e)
		}
		if i > 0 && (e.Line < errs[i-1].Line || e.Line == errs[i-1].Line && e.Col < errs[i-1].Col) {
			t.Errorf("error %d at %d:%d stands after %d:%d", i, e.Line, e.Col, errs[i-1].Line, errs[i-1].Col)
		}
	}
}

func TestALongLineIsCutAroundTheCaret(t *testing.T) {
	text := "pipelines: {" + strings.Repeat(" ", 300) + "a: {lanes: 0}," + strings.Repeat(" ", 300) + "}"
	_, err := config.Parse("test.yaml", []byte(text), options())
	for line := range strings.Lines(err.Error()) {
		if n := len([]rune(line)); n > 130 {
			t.Errorf("got a line of %d characters, want at most 130: %s", n, line)
		}
	}
	if !strings.Contains(err.Error(), "lanes: 0") {
		t.Errorf("got %v, want an excerpt with what is wrong", err)
	}
}

func TestOnlySoManyErrorsAreShown(t *testing.T) {
	text := "pipelines:\n"
	for i := range 70 {
		text += fmt.Sprintf("  a%d: {source: generate, sink: {file: {path: x}}, lanes: 0}\n", i)
	}
	_, err := config.Parse("test.yaml", []byte(text), options())
	if got := err.Error(); strings.Count(got, "too small") != 50 || !strings.HasSuffix(got, "\nand 20 more") {
		t.Errorf("got %s, want 50 errors and 20 more", got)
	}
}

func TestTheIdentityNamesBothEndsAndNoSecret(t *testing.T) {
	f := mustParse(t, `
pipelines:
  a:
    source: {opensearch: {url: x, index: logs, password: hunter2}}
    transforms: [lines, {gzip: {level: 3}}]
    sink: {s3: {bucket: archive, key: "{lane}", secret_key: hunter2}}
`)
	got := f.Pipelines[0].Identity()
	want := map[string]string{"source": "opensearch x/logs", "transforms": "lines, gzip level 3", "sink": "s3 archive"}
	if !maps.Equal(got, want) {
		t.Errorf("got identity %q, want %q", got, want)
	}
}
