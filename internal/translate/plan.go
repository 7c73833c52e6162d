package translate

import (
	"fmt"
	"slices"
	"strings"
)

// plan is a configuration in the making: what moves and tools have in common.
type plan struct {
	title      string // what it does, a sentence
	name       string // of the pipeline
	head       mapping
	source     stage
	transforms []stage
	sink       stage
	rest       mapping // of the pipeline, behind its stages

	secrets  []Secret
	examples []string
	byHand   []string
	idle     []string
}

// stage is a source, a transform or a sink.
type stage struct {
	kind    string
	options mapping
}

func (s stage) mapping() mapping { return mapping{{key: s.kind, value: s.options}} }

// Secret is a variable that must be set when the configuration is used.
type Secret struct {
	Name string
	What string // such as: the password in --input
}

// secret keeps a secret out of the configuration: what is written there is the
// variable.
func (p *plan) secret(name, what string) reference {
	s := Secret{name, what}
	if !slices.Contains(p.secrets, s) {
		p.secrets = append(p.secrets, s)
	}
	return reference(name)
}

// note says what the configuration does not do.
func (p *plan) note(format string, args ...any) {
	p.byHand = append(p.byHand, fmt.Sprintf(format, args...))
}

// Result is a configuration, and what is to be said about it.
type Result struct {
	Text     string   // YAML
	Secrets  []Secret // variables that it needs, which are secret
	Examples []string // what stands for something else
	ByHand   []string // what it does not do, or does in another way
	Idle     []string // what was given and has no counterpart, for none is needed
}

// result writes the configuration.
func (p *plan) result() *Result {
	pipeline := mapping{{key: "source", value: p.source.mapping()}}
	if len(p.transforms) > 0 {
		list := make([]mapping, len(p.transforms))
		for i, t := range p.transforms {
			list[i] = t.mapping()
		}
		pipeline = append(pipeline, entry{key: "transforms", value: list})
	}
	pipeline = append(pipeline, entry{key: "sink", value: p.sink.mapping()})
	pipeline = append(pipeline, p.rest...)
	file := slices.Concat(p.head, mapping{{key: "pipelines", value: mapping{{key: p.name, value: pipeline}}}})
	lines := slices.Concat(p.preface(), file.lines())
	return &Result{strings.Join(lines, "\n") + "\n", p.secrets, p.examples, p.byHand, p.idle}
}

// preface is the comment at the top of the file.
func (p *plan) preface() []string {
	lines := comment(p.title + "\n" +
		"  sluice check -c FILE          says whether everything is there\n" +
		"  sluice run -c FILE            moves it; run again, it goes on where it was")
	add := func(title string, list []string) {
		if len(list) == 0 {
			return
		}
		lines = append(append(lines, "#"), comment(title)...)
		for _, l := range list {
			lines = append(lines, wrapped("#   ", "#     ", l)...)
		}
	}
	var exports []string
	for _, s := range p.secrets {
		exports = append(exports, s.String())
	}
	add("Before it runs, set what is secret and therefore not written here:", exports)
	add("Examples, to be changed:", p.examples)
	add("What is different, or left to do by hand:", p.byHand)
	add("What was left out, for nothing like it is needed here:", p.idle)
	return append(lines, "")
}

// String is the line of a shell that sets it, without the value.
func (s Secret) String() string { return fmt.Sprintf("export %s=...   # %s", s.Name, s.What) }
