// Package git is the source that reads the files of a commit: each is an item,
// a stream; its key is its path below the directory that is read, its version
// the id of its contents.
//
// # Passes
//
// A pass reads the commit at which the branch is when it is planned. One that
// was interrupted goes on with that commit, wherever the branch is by then. A
// lane is a range of paths, which are read in byte order.
//
// With mode: new, a pass takes what differs between the commit of the last
// complete pass and that of its own, whatever lies between the two: files whose
// contents are others, and what is no longer there, as items with Delete. These
// come first in their lane, so that a file can take the place of a directory.
// The old commit is asked for by its id; a server that no longer has it makes
// the pass fail, because what was deleted could not be known.
//
// # Contents
//
// Nothing is kept between runs but the ids of two commits. Each run has a
// repository of its own, without history. A first pass that takes the whole
// repository fetches the contents with the commit. Any other one fetches the
// names alone, and the contents of up to a thousand files at a time, when the
// first of them is opened: so little is fetched of what the sink does not want.
// A server that cannot leave contents out sends them all.
//
// Only files are items. Symbolic links and submodules are left out, and the log
// says how many there are; one that takes the place of a file deletes it.
package git

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"sluice/internal/git"
	"sluice/internal/glob"
	"sluice/internal/kind"
	"sluice/pipeline"
)

// Config is the options of the source.
type Config struct {
	git.Config `yaml:",inline"`

	Commit  string   `yaml:"commit" doc:"Full id of the commit that is read, in the place of the newest one of the branch: how it was once."`
	Path    string   `yaml:"path" doc:"Directory of the repository that is read, with all below it; keys are paths below it. Without it, everything."`
	Include []string `yaml:"include" doc:"Files of which the path below path matches one of these are read; without it, all. A pattern is a glob, in which * stands for anything without a slash, ** for anything, ? for one character and [a-z] for one of several, or re: and a regular expression, which matches any part unless it says ^ and $."`
	Exclude []string `yaml:"exclude" doc:"Files that match one of these are left out, even if include names them."`
	Deletes string   `yaml:"deletes" default:"deliver" enum:"deliver|ignore" doc:"With mode: new, what becomes of files that are no longer there: they are deleted at the sink, or stay there."`
}

var _ kind.Source = (*Config)(nil)

const ignore = "ignore"

var commitID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// Problems implements [kind.Source].
func (c *Config) Problems(env kind.Env) []kind.Problem {
	list := c.Config.Problems()
	add := func(option, format string, args ...any) {
		list = append(list, kind.Problem{Option: option, Message: fmt.Sprintf(format, args...)})
	}
	if c.Commit != "" && !commitID.MatchString(c.Commit) {
		add("commit", "%q is no full id: 40 or 64 digits from 0 to f", c.Commit)
	}
	if c.Commit != "" && env.New {
		add("commit", "mode: new follows the branch: leave one of the two out")
	}
	if env.New && env.Target != nil && c.Deletes != ignore {
		add("deletes", "the sink has documents, and which of them a file held cannot be known when it is gone: set deletes: ignore")
	}
	if d := c.dir(); d != "" && (path.Clean("/"+d) != "/"+d || strings.Contains(d, "\x00")) {
		add("path", "%q is no path of a directory: write a/b", c.Path)
	}
	for option, patterns := range map[string][]string{"include": c.Include, "exclude": c.Exclude} {
		if _, err := glob.Compile(patterns); err != nil {
			add(option, "%v", err)
		}
	}
	return list
}

// dir is the directory that is read; "" is everything.
func (c *Config) dir() string { return strings.Trim(c.Path, "/") }

// Gives implements [kind.Source].
func (*Config) Gives() kind.Form { return kind.Bytes }

// News implements [kind.News]: what differs from the commit of the last pass is new.
func (*Config) News() {}

// Scatters implements [kind.Scatterer]: several files may have records of one
// document.
func (*Config) Scatters(bool) bool { return true }

// Identity implements [kind.Source]. Positions are paths, and none of what
// patterns leave out: they may change.
func (c *Config) Identity() string {
	id := "git " + c.Location()
	if c.Commit != "" {
		id += ", commit " + c.Commit
	}
	if d := c.dir(); d != "" {
		id += ", directory " + d
	}
	return id
}

// Build implements [kind.Source].
func (c *Config) Build(env kind.Env) (pipeline.Source, error) {
	s := &source{config: *c, news: env.New, scratch: env.Scratch}
	var err error
	if s.include, err = glob.Compile(c.Include); err != nil {
		return nil, fmt.Errorf("include: %w", err)
	}
	if s.exclude, err = glob.Compile(c.Exclude); err != nil {
		return nil, fmt.Errorf("exclude: %w", err)
	}
	return s, nil
}
