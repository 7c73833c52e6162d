// Package translate writes configurations: for moves that have a name, and for
// what other tools were told to do, by their command lines and environments.
//
// Each tool has a table of its flags. A flag that no part of a translation took
// is listed in the result, with the reason; one that the tool does not have is
// an error. Secrets are not written: the configuration refers to variables of
// the environment, and the result names these.
package translate

import (
	"fmt"
	"iter"
	"maps"
	"os"
	"strings"
)

// Input is what a tool was told.
type Input struct {
	Args     []string // its command line; the name of the program may be the first
	Env      Variables
	ReadFile func(path string) ([]byte, error) // for options that name a file; nil: os.ReadFile
}

// Tool is a program whose command lines can be translated.
type Tool struct {
	Name      string
	About     string   // what it is, a sentence without an end
	Examples  []string // commands that translate one
	Variables []string // of the environment, that it reads
	Prefixes  []string // of the names of variables that would belong to it

	style     style
	flags     []flag
	translate func(c *command) error
}

// Tools are those that are known, by name.
func Tools() []*Tool {
	return []*Tool{elasticdump(), multielasticdump(), esm(), dumper(), gitSync()}
}

// Find gives the tool of a name, or nil.
func Find(name string) *Tool {
	for _, t := range Tools() {
		if t.Name == name {
			return t
		}
	}
	return nil
}

// Translate makes a configuration that does what the tool would do. Its errors
// show no value that may be a secret.
func (t *Tool) Translate(in Input) (*Result, error) {
	if in.ReadFile == nil {
		in.ReadFile = os.ReadFile
	}
	c, err := t.read(in)
	if err != nil {
		return nil, err
	}
	c.plan.title = fmt.Sprintf("What %s would do, written by sluice init %s.", t.About, t.Name)
	c.plan.name = strings.TrimPrefix(t.Name, "multi")
	c.plan.head = mapping{{key: "state", value: "./state", about: "What has been done is kept here: keep it between runs."}}
	if err := t.translate(c); err != nil {
		return nil, err
	}
	c.leftovers()
	return c.plan.result(), nil
}

func keysOf[V any, M ~map[string]V](m M) iter.Seq[string] { return maps.Keys(m) }
