package docs_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"sluice/internal/config"
)

// frames are stages to stand around those that a part of a configuration has.
var frames = struct{ sources, sinks []string }{
	sources: []string{"{generate: {}}", "{s3: {bucket: b}}", `{opensearch: {url: "http://h:9200", index: i}}`},
	sinks:   []string{"{file: {path: o}}", `{file: {path: o, key: "{lane}-{sequence}"}}`, `{opensearch: {url: "http://h:9200", index: i}}`},
}

// whole lists the configurations that a block may be a part of: one of them must
// be right.
func whole(text string) ([]string, error) {
	text = strings.Join(outdented(strings.Split(text, "\n")), "\n")
	var top yaml.MapSlice
	if err := yaml.Unmarshal([]byte(text), &top); err != nil {
		return nil, err
	}
	var keys []string
	for _, item := range top {
		keys = append(keys, fmt.Sprint(item.Key))
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(keys, func(k string) bool { return slices.Contains(names, k) })
	}
	around := func(source, sink string) string {
		part := "pipelines:\n  part:\n" + indented(text, 4)
		if !has("source") {
			part += "    source: " + source + "\n"
		}
		if !has("sink", "sinks") {
			part += "    sink: " + sink + "\n"
		}
		if has("on_error") && !has("dead_letters") {
			part += "    dead_letters: {file: {path: d}}\n"
		}
		return part
	}
	switch {
	case has("pipelines"):
		return []string{text}, nil
	case has("state", "memory", "http", "metrics"):
		return []string{text + "pipelines: {part: {source: {generate: {}}, sink: " + frames.sinks[1] + "}}\n"}, nil
	case !has("source", "sink", "sinks", "transforms", "dead_letters", "hooks", "every", "cron", "mode", "lanes", "on_error", "max_record", "stall"):
		return []string{"pipelines:\n" + indented(text, 2)}, nil
	}
	var out []string
	for _, source := range frames.sources {
		for _, sink := range frames.sinks {
			out = append(out, around(source, sink))
		}
	}
	return out, nil
}

// outdented is lines without the blanks before all of them.
func outdented(lines []string) []string {
	begin := lines[0][:len(lines[0])-len(strings.TrimLeft(lines[0], " "))]
	var out []string
	for _, l := range lines {
		out = append(out, strings.TrimPrefix(l, begin))
	}
	return out
}

func indented(text string, n int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		out.WriteString(strings.Repeat(" ", n) + line)
	}
	return out.String()
}

// inDocs reads configurations where every variable is set, to what will do as an
// address too, and every file is there.
func inDocs() config.Options {
	return config.Options{
		Workers:  4,
		Env:      func(string) (string, bool) { return "https://x.example", true },
		ReadFile: func(string) ([]byte, error) { return []byte("x"), nil },
	}
}

func TestEveryConfigurationIsRight(t *testing.T) {
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.language != "yaml" {
				continue
			}
			if err := right(b); err != nil {
				t.Errorf("%s:%d: %v", p.path, b.first, err)
			}
		}
	}
}

// right is nil if the block is, or is part of, a configuration without errors
// that fits into memory.
func right(b *block) error {
	tries, err := whole(b.text())
	if err != nil {
		return err
	}
	for _, text := range tries {
		f, problem := config.Parse("block", []byte(text), inDocs())
		for i := 0; problem == nil && i < len(f.Pipelines); i++ {
			_, problem = config.Fit(f.Memory, f.Pipelines[i])
		}
		if problem == nil {
			return nil
		}
		if err == nil {
			err = problem
		}
	}
	return err
}

func TestEveryBlockOfJSONIsJSON(t *testing.T) {
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.language == "json" && !json.Valid([]byte(b.text())) && slices.ContainsFunc(b.lines, func(l string) bool { return !json.Valid([]byte(l)) }) {
				t.Errorf("%s:%d: neither a value nor lines of values", p.path, b.first)
			}
		}
	}
}
