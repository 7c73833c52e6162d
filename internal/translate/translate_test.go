package translate_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"sluice/internal/translate"
)

// bases are command lines by tool, to which each flag is added.
var bases = map[string][]string{
	"elasticdump": {
		"--input=http://a:9200/i --output=http://b:9200/j",
		"--input=http://a:9200/i --output=d/i.json",
		"--input=http://a:9200/i --output=s3://b/i.json",
		"--input=d/i.json --output=http://b:9200/j",
		"--input=s3://b/i.json --output=http://b:9200/j",
	},
	"multielasticdump": {
		"--input=http://a:9200 --output=d",
		"--input=http://a:9200 --output=s3://b/d",
		"--direction=load --input=d --output=http://a:9200",
		"--direction=load --input=s3://b/d --output=http://a:9200",
	},
	"esm": {
		"-s http://a:9200 -x i -d http://b:9200 -y j",
		"-s http://a:9200 -x i -o i.json",
		"-i i.json -d http://b:9200 -y j",
	},
	"es-to-s3-dumper": {"-index-name=i -s3-bucket=b"},
}

// valuesOf are values of flags that do not take just any.
var valuesOf = map[string]string{
	"limit": "7", "size": "7", "offset": "7", "maxRows": "7", "compressionLevel": "7", "parallel": "7", "fileSize": "7mb",
	"headers": `{"X-A":"b"}`, "input-headers": `{"X-A":"b"}`, "output-headers": `{"X-A":"b"}`,
	"searchBody": `{"query":{"ids":{"values":["1"]}}}`, "type": "mapping", "direction": "dump", "includeType": "data", "ignoreType": "settings",
	"match": "^a$", "s3SSLEnabled": "false", "ignore-es-write-errors": "false", "bulkAction": "create",
	"workers": "7", "sliced_scroll_size": "7", "bulk_size": "7", "rename": "a:b", "log": "debug", "input_file_type": "log_line",
	"max-docs": "7", "max-file-size": "7", "inputSocksPort": "7", "es-url": "http://c:9200",
}

// implied are flags that say what is done anyway, or have no effect alone.
var implied = map[string]string{
	"searchAfter":          "pages go on so",
	"tlsAuth":              "without certificates it is nothing",
	"fsCompress":           "from files, decompress finds out",
	"s3Compress":           "from objects, decompress finds out",
	"handleVersion":        "into a cluster versions are looked at where records have them",
	"ignore-errors":        "into a cluster there are dead letters",
	"openSearchServerless": "the engine is found out",
	"matchType":            "all of them are found",
	"direction":            "as it is",
	"includeType":          "of files, documents alone are loaded",
	"ignoreType":           "of files, documents alone are loaded",
	"match":                "",
	"input":                "",
	"output":               "",
	"compressionLevel":     "",
}

func translated(t *testing.T, tool *translate.Tool, args []string) string {
	t.Helper()
	none := func(string) ([]byte, error) { return []byte("user=a\npassword=b\n"), nil }
	r, err := tool.Translate(translate.Input{Args: args, ReadFile: none})
	if err != nil {
		return "error: " + err.Error()
	}
	return r.Text
}

func TestNoFlagIsDroppedInSilence(t *testing.T) {
	for _, tool := range translate.Tools() {
		for _, base := range bases[tool.Name] {
			without := translated(t, tool, strings.Fields(base))
			if strings.HasPrefix(without, "error") {
				t.Fatalf("%s: %s", base, without)
			}
			for _, name := range tool.Flags() {
				value, ok := valuesOf[name]
				if !ok {
					value = "7x"
				}
				if _, ok := implied[name]; ok || slices.ContainsFunc(strings.Fields(base), func(a string) bool { return strings.HasPrefix(a, "--"+name+"=") }) {
					continue
				}
				if translated(t, tool, append(strings.Fields(base), "--"+name+"="+value)) == without {
					t.Errorf("%s %s: nothing is said of --%s=%s", tool.Name, base, name, value)
				}
			}
		}
	}
}

func TestCommandLinesThatAreNotUnderstood(t *testing.T) {
	for _, c := range []struct{ tool, args, want string }{
		{"elasticdump", "--inptu=http://a/i", "--inptu is no option of elasticdump"},
		{"elasticdump", "--Scroll-Time=5m", "--Scroll-Time is no option of elasticdump; did you mean --scrollTime?"},
		{"elasticdump", "--s3SecretAccesKey=hunter2", "--s3SecretAccesKey is no option of elasticdump"},
		{"elasticdump", "-phunter2", "-p is no option of elasticdump, all of which begin with --"},
		{"elasticdump", "docker run --rm elasticdump", "docker is no option of elasticdump: give what stands behind the name of the program or image"},
		{"elasticdump", "--input=http://a/i hunter2", "one of the arguments is no option of elasticdump, nor the value of one; it is not shown here"},
		{"elasticdump", "--output=a.json", "--input is missing"},
		{"elasticdump", "--input=http://me:hun%zzter2@a/i --output=a", "--input: that is no URL of a cluster; in a password write %40 for @, %2F for /, %3A for :, %23 for #"},
		{"elasticdump", "--input=http://a/i --output=b --headers=hunter2", "--headers is no JSON object of texts"},
		{"elasticdump", "--input=http://a/i --output=b --fileSize=big", `--fileSize: "big" is no size such as 10mb`},
		{"elasticdump", "--input=http://a/i --output=b --inputTransport=./x.js", "--inputTransport: code of elasticdump cannot be run; transforms (rename, set, drop_fields, filter, jq) change records"},
		{"elasticdump", "--input=a --output=b", "neither --input nor --output is a cluster: sluice copy copies files and objects"},
		{"multielasticdump", "--direction=up --input=http://a --output=b", "--direction=up: dump goes from a cluster into files or a bucket, load back"},
		{"esm", "-s http://a -z", "-z is no option of esm"},
		{"esm", "-s", "-s wants a value"},
		{"esm", "--source --dest=a", "--source wants a value"},
		{"esm", "-s http://a", "esm wants --source or --input_file, and --dest or --output_file"},
		{"esm", "-s http://a -d http://b -w many", "--workers is no number"},
		{"es-to-s3-dumper", "-s3-bukcet=a", "-s3-bukcet is no option of es-to-s3-dumper"},
		{"git-sync", "--anything", "--anything is no option of git-sync, all of which begin with --"},
	} {
		tool := translate.Find(c.tool)
		if got := translated(t, tool, strings.Fields(c.args)); got != "error: "+c.want && c.tool != "git-sync" {
			t.Errorf("%s %s:\ngot  %s\nwant error: %s", c.tool, c.args, got, c.want)
		}
	}
}

func TestExpressionsBecomeWildcards(t *testing.T) {
	for expr, want := range map[string]string{
		"^.*$": "*", "": "*", "logs": "*logs*", "^logs-": "logs-*", "-index$": "*-index", "^.*-index$": "*-index", "^a$": "a", "^(logs|metrics)-.*$": "logs-* metrics-*",
		"^logs-(a|b)$": "logs-a logs-b", "^Logs$": "logs", `^a\.b$`: "a.b", "^(a)(b|)$": "ab a",
		"a.b": "!", "^a+$": "!", "[^a]": "!", "a^b": "!", "(": "!", "^$": "!", `^a\*$`: "!", "(a|b|c)(a|b|c)(a|b|c)(a|b|c)xy": "!",
	} {
		got, ok := translate.Wildcards(expr)
		if !ok {
			got = []string{"!"}
		}
		slices.Sort(got)
		wanted := strings.Fields(want)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("%q: got %q, want %q", expr, got, want)
		}
	}
}

func TestEachMoveIsAConfiguration(t *testing.T) {
	for _, m := range translate.Moves() {
		parses(t, m.Write(nil).Text)
		given := map[string]string{}
		for _, o := range m.Options() {
			given[o.Name] = "given"
		}
		for name := range given {
			if strings.HasSuffix(name, "-url") {
				given[name] = "https://given.example/team/a.git"
			}
			if strings.HasSuffix(name, "-endpoint") {
				given[name] = "https://given.example"
			}
		}
		r := m.Write(given)
		parses(t, r.Text)
		if len(r.Examples) > 0 {
			t.Errorf("%s: %q although all was given", m.Name, r.Examples)
		}
		if got := strings.Count(r.Text, "given"); got < len(given) {
			t.Errorf("%s: %d of %d options are in\n%s", m.Name, got, len(given), r.Text)
		}
	}
}

func FuzzTextsSurvive(f *testing.F) {
	for _, s := range []string{"a", "", "yes", "1.5", "${A}", "$$", "a: b", "a #b", "*a", `"'`, "ü\n\x01", "a\\b", "- a", "0x1F", "5m", ".", "~", "2024-01-01", "[a]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || s == "" {
			t.Skip()
		}
		text := translate.Moves()[3].Write(map[string]string{"source-bucket": s}).Text
		var got struct {
			Pipelines map[string]struct {
				Source map[string]struct{ Bucket any }
			}
		}
		if err := yaml.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%q: %v\n%s", s, err, text)
		}
		value, _ := got.Pipelines["s3-to-s3"].Source["s3"].Bucket.(string)
		if strings.ReplaceAll(value, "$$", "$") != s || strings.Contains(strings.ReplaceAll(value, "$$", ""), "$") {
			t.Errorf("%q: got %q", s, value)
		}
	})
}

func FuzzCommandLines(f *testing.F) {
	f.Add(0, "--input=http://a:9200/i\n--output=s3://b/c\n--searchBody={}")
	f.Add(1, "--match=^(a|b)$\n--input=http://a\n--output=d")
	f.Add(2, "-s=http://a\n-fw5\n-d\nhttp://b\n--rename=a:b")
	f.Add(3, "-s3-bucket\nb\n-index-name=a,-b")
	f.Fuzz(func(t *testing.T, n int, line string) {
		tools := translate.Tools()
		tool := tools[uint(n)%uint(len(tools))]
		r, err := tool.Translate(translate.Input{Args: strings.Split(line, "\n"), ReadFile: func(string) ([]byte, error) { return []byte("user=a"), nil }})
		if err != nil || !utf8.ValidString(line) {
			return
		}
		var any map[string]any
		if err := yaml.Unmarshal([]byte(r.Text), &any); err != nil {
			t.Fatalf("%q: %v\n%s", line, err, r.Text)
		}
	})
}
