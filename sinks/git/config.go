// Package git is a sink that makes a directory of a branch what the source has,
// in a commit.
//
// # What is remembered
//
// A row says of a path: this key, of this version, through these transforms,
// gave this blob. That is so for ever, so rows are written whenever an item is
// taken, whatever becomes of the run. An item is left out, unopened, if its row
// says what it would be and the branch has just that at its path.
//
// # A run
//
// Open fetches the tip of the branch without history and without contents of
// files, into a repository that is thrown away, and keeps the listing of its
// tree in a file. Write reads the bodies, each to its end before git sees any of
// it, and gives blobs that the branch does not have to git. Nothing refers to
// them. Finish compares: the listing, and the rows of what this walk has seen,
// are in the same order, so it takes no memory to find out what was added,
// changed and deleted. It refuses what cannot be in one tree, and to delete too
// much. Then it makes the commits, on what was fetched, and pushes them if the
// branch is still there. If another writer was first, it fetches the new tip and
// compares again: nothing is read again, and no file of others is lost.
//
// So the branch has what one whole pass had, or what it had before. A run that
// finds no difference makes no commit.
package git

import (
	"fmt"
	"strings"

	"sluice/internal/git"
	"sluice/internal/gitpath"
	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Config is the options of the sink.
type Config struct {
	git.Config
	gitpath.Options
	Group       int        `yaml:"group" min:"0" max:"16" doc:"Directories below path that get commits of their own: with 2, one commit for each cluster/namespace in which something changed. 0: one commit."`
	Message     string     `yaml:"message" doc:"Message of a commit, with {added} {changed} {deleted} {group} {pipeline} {pass} {source} {summary}. If it is not given: how many files were added, changed and deleted, and in which directories. Lines that name pipeline, source and pass follow."`
	Author      Author     `yaml:"author" doc:"Who made the commits."`
	Committer   Committer  `yaml:"committer" doc:"Who put them on the branch; what is not given is the author's."`
	Sign        Sign       `yaml:"sign" doc:"How commits are signed; without a key they are not."`
	MaxDelete   unit.Share `yaml:"max_delete" default:"20%" doc:"The most that a pass deletes, a number, or a percentage of the files below path; if it would be more, nothing is pushed, and the pass fails."`
	MaxFileSize unit.Bytes `yaml:"max_file_size" default:"50MiB" min:"1B" doc:"Largest file; hosts refuse files over 100MiB."`
	LargeFiles  string     `yaml:"large_files" default:"fail" enum:"fail|skip|pointer" doc:"What becomes of a larger one: the pass fails (or it is a dead letter, as on_error says), it is left out and what is at its path stays, or a text with its key, version and size takes its place."`
	MaxFiles    int        `yaml:"max_files" default:"100000" min:"1" doc:"Most files below path; memory is set aside for them, here and in git: 350 bytes each."`
	Remember    string     `yaml:"remember" default:"state" enum:"state|repository" doc:"Where it is kept which versions the files were made of: in the state, or also in the repository, at refs/sluice/PIPELINE, for runs whose state is lost each time."`
}

// Author is a person.
type Author struct {
	Name  string `yaml:"name" default:"Sluice" doc:"Name."`
	Email string `yaml:"email" default:"sluice@localhost" doc:"Address of mail."`
}

// Committer is a person whose name or address may be left out.
type Committer struct {
	Name  string `yaml:"name" doc:"Name."`
	Email string `yaml:"email" doc:"Address of mail."`
}

// Sign is how commits are signed.
type Sign struct {
	Key    string `yaml:"key" doc:"Path of a file with the private key, which has no passphrase."`
	Format string `yaml:"format" default:"ssh" enum:"ssh|gpg" doc:"Kind of the key."`
}

// What becomes of large files.
const (
	skip    = "skip"
	pointer = "pointer"
)

var _ interface {
	kind.Sink
	kind.Mirror
} = (*Config)(nil)

// Problems implements [kind.Sink].
func (c *Config) Problems(env kind.Env) []kind.Problem {
	all := append(c.Config.Problems(), c.Options.Problems()...)
	add := func(option, message string) { all = append(all, kind.Problem{Option: option, Message: message}) }
	if env.New {
		add("", "what a pass does not have is deleted, and one with mode: new has only what is new: leave mode out")
	}
	if env.Repeats {
		add("", "the source gives several versions of a key, and a tree has one: leave the versions out")
	}
	if !strings.HasPrefix(c.Ref(), "refs/heads/") {
		add("branch", "commits are made on a branch, and this is none")
	}
	if err := checkMessage(c.Message); err != nil {
		add("message", err.Error())
	}
	if c.Author.Name == "" || c.Author.Email == "" {
		add("author", "git needs a name and an address")
	}
	if c.Remember == inRepository && env.Pipeline == "staging" {
		add("remember", "refs/sluice/staging is for large pushes: give the pipeline another name")
	}
	return all
}

// Takes implements [kind.Sink].
func (c *Config) Takes(in kind.Form) *kind.Problem {
	if in == kind.Bytes {
		return nil
	}
	return &kind.Problem{Message: fmt.Sprintf("it makes files of objects or files one by one, and these are %s: write them to a bucket or a directory, and take that as the source", in)}
}

// Identity implements [kind.Sink].
func (c *Config) Identity() string {
	return fmt.Sprintf("git %s, %s below %s", c.Location(), c.Key, c.Path)
}

// Selects implements [kind.Selective]: what did not change is not read.
func (*Config) Selects() bool { return true }

// Mirrors implements [kind.Mirror].
func (*Config) Mirrors() bool { return true }

// AllowDeletes implements [kind.Mirror].
func (c *Config) AllowDeletes(most unit.Share) { c.MaxDelete = most }

// Build implements [kind.Sink].
func (c *Config) Build(env kind.Env) (pipeline.Sink, error) {
	remote, err := c.Remote()
	if err != nil {
		return nil, err
	}
	paths, err := gitpath.New(c.Options)
	if err != nil {
		return nil, err
	}
	s := &sink{Config: *c, env: env, remote: remote, paths: paths, together: together, stage: stageSize}
	if env.Frugal {
		s.together = 1
	}
	return s, nil
}
