// Package file is a source of files: one file, or those below a directory, or
// those that match a pattern. Each file is an item, a stream; its key is its
// slash path relative to the directory.
//
// A lane is a range of keys, whose files are read in byte order. There are four
// for each lane that runs at a time, of about as many bytes each, so that none
// is the last by far; a pass with one lane at a time has one. Memory does not
// depend on how many files a directory has: a large one is listed again for
// each batch of names.
//
// Only regular files are read. A link to one is followed as long as it stays
// inside the directory, so that a link somebody planted there does not carry
// other files away; one that leads elsewhere or nowhere is an object that
// cannot be had. Links to directories are not entered, so there are no loops.
// The folder .sluice, in which the sink writes files that are not finished, is
// left out. What is left out is said in the log.
//
// Where the sink makes indices of metadata, a first lane gives the files called
// _index.json, for that alone.
//
// A pass ends with the greatest key that was there when it was planned; keys
// beyond it wait for the next pass. The version of a file is its size, time of
// modification and inode. A file that has another identity when it is opened,
// became shorter or was written over is an object that cannot be had; one that
// has only grown is read up to the size it had in the listing.
package file

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sluice/internal/kind"
	"sluice/pipeline"
)

// Config is the options of the source.
type Config struct {
	Path string `yaml:"path" required:"true" doc:"A file, a directory, which is read with all below it, or a pattern such as /var/log/*/*.json; what matches a pattern and is a directory is read with all below it."`
}

var _ kind.Source = (*Config)(nil)

// Problems implements [kind.Source].
func (c *Config) Problems(env kind.Env) (all []kind.Problem) {
	add := func(message string) { all = append(all, kind.Problem{Option: "path", Message: message}) }
	switch {
	case c.Path == "":
		add("name a file, a directory or a pattern")
	case c.Path == "-" && !env.Transient:
		add("standard input cannot be read again: use it with sluice copy, without a state")
	}
	if _, err := filepath.Match(c.Path, ""); err != nil {
		add(fmt.Sprintf("%q is not a pattern: %v", c.Path, err))
	}
	return all
}

// Gives implements [kind.Source].
func (*Config) Gives() kind.Form { return kind.Bytes }

// Scatters implements [kind.Scatterer]: several files may have records of one
// document.
func (c *Config) Scatters(bool) bool { return true }

// Identity implements [kind.Source].
func (c *Config) Identity() string {
	if c.Path == "-" {
		return "standard input"
	}
	return "file " + absolute(c.Path)
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// Build implements [kind.Source].
func (c *Config) Build(env kind.Env) (pipeline.Source, error) {
	if c.Path == "-" {
		return &Stdin{In: os.Stdin}, nil
	}
	return &source{path: absolute(c.Path), describes: env.Makes}, nil
}

// place is where the files are: below a directory, those that match.
type place struct {
	dir     string
	pattern []string // segments, each of which a name matches; none: everything
	name    string   // the key, if there is one file alone
	file    string   // that file in dir
}

// find looks what a path names. A name with * in it that exists is a name.
func find(p string) (place, error) {
	info, err := os.Stat(p)
	switch {
	case err != nil && strings.ContainsAny(p, `*?[\`):
		return patterned(p)
	case err != nil:
		return place{}, err
	case info.IsDir():
		return place{dir: p}, nil
	case !info.Mode().IsRegular():
		return place{}, fmt.Errorf("%s is neither a regular file nor a directory", p)
	}
	real, err := filepath.EvalSymlinks(p)
	return place{dir: filepath.Dir(real), file: filepath.Base(real), name: filepath.Base(p)}, err
}

// patterned cuts a path before the first segment that is a pattern.
func patterned(p string) (place, error) {
	segments := strings.Split(filepath.ToSlash(p), "/")
	n := 0
	for !strings.ContainsAny(segments[n], `*?[\`) {
		n++
	}
	return place{dir: strings.Join(segments[:n], "/") + "/", pattern: segments[n:]}, nil
}
