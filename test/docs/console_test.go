package docs_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// elsewhere is commands that are not run here: how they begin, and why. Nothing
// is shown of what they print.
var elsewhere = map[string]string{
	"curl -H 'X-Sluice":          "needs a daemon: internal/ops tests the API",
	"docker ":                    "builds images: test/deploy looks at the Dockerfile",
	"go run ./test/servers/with": "the servers run already",
	"go test ":                   "this is a test; that the tests exist is one of its own",
	"helm ":                      "needs a cluster: test/deploy renders the chart",
	"install ":                   "needs root",
	"kubectl ":                   "needs a cluster: test/deploy validates the manifests",
	"make ":                      "the program is built already",
	"sudo ":                      "needs root",
	"SLUICE_TEST_FAULTS=1 ":      "takes half an hour",
	"systemctl ":                 "needs systemd: test/deploy verifies the unit",
	"test/mutations/run.sh":      "takes minutes for each bug",
}

// step is a command of a page and what the page says that it prints.
type step struct {
	command string
	want    []string
}

// steps takes a block of console apart.
func steps(b *block) (out []step) {
	more := false
	for _, line := range b.lines {
		command, begins := strings.CutPrefix(line, "$ ")
		switch {
		case more:
			out[len(out)-1].command += "\n" + line
		case begins:
			out = append(out, step{command: command})
		case len(out) > 0:
			out[len(out)-1].want = append(out[len(out)-1].want, line)
		}
		more = (more || begins) && strings.HasSuffix(line, `\`)
	}
	return out
}

func isElsewhere(command string) bool {
	for begin := range elsewhere {
		if strings.HasPrefix(command, begin) {
			return true
		}
	}
	return false
}

// TestEveryCommandPrintsWhatThePageShows runs the commands of each page.
func TestEveryCommandPrintsWhatThePageShows(t *testing.T) {
	for _, p := range pages(t) {
		runs := false
		for _, b := range p.blocks {
			for _, s := range steps(b) {
				runs = runs || b.language == "console" && !isElsewhere(s.command)
			}
		}
		if !runs {
			continue
		}
		t.Run(p.path, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			p.follow(t, scene(ctx, t, p.path))
		})
	}
}

// follow does what a reader does.
func (p *page) follow(t *testing.T, sh *shell) {
	t.Helper()
	printed := map[*block][]string{}
	for _, b := range p.blocks {
		if b.file != "" {
			if err := sh.file(b.file, b.lines); err != nil {
				t.Fatal(err)
			}
		}
		if b.language != "console" {
			continue
		}
		all, differs := steps(b), false
		for i, s := range all {
			got, ok := p.take(t, sh, b, s)
			expected := i+1 < len(all) && all[i+1].command == "echo $?"
			if sh.status != 0 && !expected {
				t.Fatalf("%s:%d: %s: exit status %d\n%s", p.path, b.first, s.command, sh.status, strings.Join(got, "\n"))
			}
			if ok {
				got = s.want
			}
			differs = differs || !ok
			printed[b] = append(append(printed[b], "$ "+s.command), got...)
		}
		if !differs {
			delete(printed, b)
		}
	}
	p.rewrite(t, printed)
}

// take runs a command of a page. It reports whether it printed what it should.
func (p *page) take(t *testing.T, sh *shell, b *block, s step) (got []string, ok bool) {
	t.Helper()
	if isElsewhere(s.command) {
		if len(s.want) > 0 {
			t.Errorf("%s:%d: %s is not run: nobody knows what it prints", p.path, b.first, s.command)
		}
		sh.status = 0
		return nil, true
	}
	got, err := sh.do(s.command)
	if err != nil {
		t.Fatalf("%s:%d: %s: %v\n%s", p.path, b.first, s.command, err, strings.Join(got, "\n"))
	}
	if ok = matches(trimmed(s.want), got); !ok && !*update {
		t.Errorf("%s:%d: %s\ngot:\n%s\nwant:\n%s", p.path, b.first, s.command, strings.Join(got, "\n"), strings.Join(s.want, "\n"))
	}
	return got, ok
}

// rewrite puts what was printed into the page, if that is asked for.
func (p *page) rewrite(t *testing.T, printed map[*block][]string) {
	t.Helper()
	if !*update || len(printed) == 0 {
		return
	}
	var out []string
	from := 0
	for _, b := range p.blocks {
		if lines, ok := printed[b]; ok {
			out = append(append(out, p.lines[from:b.first]...), lines...)
			from = b.end
		}
	}
	out = append(out, p.lines[from:]...)
	if err := os.WriteFile(filepath.Join(root, p.path), []byte(strings.Join(out, "\n")), 0o666); err != nil {
		t.Fatal(err)
	}
}

// matches compares lines, as far as they are the same in each run.
func matches(want, got []string) bool {
	var pattern strings.Builder
	pattern.WriteString("^")
	for _, line := range steady(want) {
		if line == "…" {
			pattern.WriteString("(?:.*\n)*")
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + "\n")
	}
	text := ""
	for _, line := range steady(got) {
		text += line + "\n"
	}
	return regexp.MustCompile(pattern.String() + "$").MatchString(text)
}

var size = regexp.MustCompile(`[\d.]+ ([KM]i)?B`)

var moment = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.]*(Z|\+\d\d:\d\d)?`)

// steady takes out of lines what is another in each run: times, the width of
// columns, and sizes and seconds in tables.
func steady(lines []string) (out []string) {
	table := false
	for _, line := range lines {
		line = moment.ReplaceAllString(line, "TIME")
		if table { // compressed, by a byte more or less
			line = size.ReplaceAllString(line, "SIZE")
		}
		fields := strings.Fields(line)
		switch n := len(fields); {
		case n == 0:
			table = false
		case fields[n-1] == "RECORDS/S":
			table = true
		case table && n > 2:
			fields = append(fields[:n-2], "SECONDS", "RATE")
		}
		out = append(out, strings.Join(fields, " "))
	}
	return out
}
