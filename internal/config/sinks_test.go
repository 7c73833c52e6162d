package config_test

import (
	"fmt"
	"testing"

	"sluice/internal/config"
)

const severalSinks = `
pipelines:
  one:
    source: generate
    sink: {file: {path: out}}
  logs:
    source: {opensearch: {url: x, index: "${INDEX}", password_file: /run/secret}}
    transforms: [gzip]
    sinks:
      old: {file: {path: old}}
      new: {s3: {bucket: b, key: "{lane}"}}
    lanes: 2
    dead_letters: {file: {path: dead}}
`

func TestEachSinkMakesAPipelineOfItsOwn(t *testing.T) {
	f := mustParse(t, severalSinks)
	var got []string
	for _, p := range f.Pipelines {
		got = append(got, fmt.Sprintf("%s of %q to %s, %d lanes, line %d", p.Name, p.Of, p.Sink.Kind, p.Lanes, p.Line))
	}
	want := []string{`one of "" to file, 4 lanes, line 3`, `logs-old of "logs" to file, 2 lanes, line 6`, `logs-new of "logs" to s3, 2 lanes, line 6`}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	a, b := f.Pipelines[1], f.Pipelines[2]
	for _, p := range []*config.Pipeline{a, b} {
		s := p.Source.Options.(*search)
		if s.Index != "logs" || s.Password.Reveal() != "hunter2" || len(p.Transforms) != 1 || p.DeadLetters == nil {
			t.Errorf("%s: got %+v, want all that the definition says", p.Name, p)
		}
		fitted, err := config.Fit(f.Memory, p)
		if err != nil {
			t.Fatal(err)
		}
		env := fitted[0].Pipeline(config.Links{}).Source.(noSource).env
		if env.Pipeline != p.Name || env.Scratch != "state/"+p.Name+".scratch" {
			t.Errorf("got %+v, want the name and the files of %s", env, p.Name)
		}
	}
	if a.Source.Options == b.Source.Options || a.Transforms[0].Options == b.Transforms[0].Options {
		t.Error("two pipelines share the options of a stage, and so what a stage keeps in them")
	}
}

func TestADefinitionIsTheNameOfAllOfItsPipelines(t *testing.T) {
	f := mustParse(t, severalSinks)
	for name, want := range map[string]string{
		"one": "[true false false]", "logs": "[false true true]", "logs-old": "[false true false]", "new": "[false false false]", "": "[false false false]",
	} {
		var got []bool
		for _, p := range f.Pipelines {
			got = append(got, p.Called(name))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%q: got %v, want %s", name, got, want)
		}
	}
}
