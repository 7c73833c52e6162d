// Package file is a sink that writes files below a directory.
//
// A file is written under another name in the folder .sluice of the directory,
// synced, and renamed. So a file that can be seen is whole; and when its items
// are done, it, its name and the directories above it are durable. What a run
// that was killed left in .sluice, the next run removes; files that another
// process still writes are locked and stay.
//
// Who made a file is kept in the state, from before the rename: only such a
// file is replaced (see the option overwrite).
package file

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sluice/internal/disk"
	"sluice/internal/keys"
	"sluice/internal/kind"
	"sluice/internal/mirror"
	"sluice/internal/roll"
	"sluice/pipeline"
)

// Config is the options of the sink.
type Config struct {
	Path      string       `yaml:"path" required:"true" doc:"Directory below which the files are; it is made if there is none."`
	Key       string       `yaml:"key" default:"{key}" doc:"Path of a file in it, with the fields {index} {lane} {sequence} {pass} {date:2006/01/02} {key} {stem} {ext} {version}. With {sequence} a file holds many items, without it one."`
	Roll      roll.Options `yaml:"roll" doc:"When a file of many items ends."`
	Manifest  string       `yaml:"manifest" doc:"Path of a file that says, for each pass, which files it has made, with their bytes, records and checksums; with the fields {pass} and {date:2006/01/02}, and _manifest.ndjson at its end. It is written last. If it is not given, there is none."`
	Overwrite string       `yaml:"overwrite" default:"own" enum:"own|never|always" doc:"Which files may be replaced: those this pipeline made of the same, none from before this pass, or any."`
	mirror.Options
}

var _ kind.Sink = (*Config)(nil)

// Problems implements [kind.Sink].
func (c *Config) Problems(env kind.Env) []kind.Problem {
	var all []kind.Problem
	if c.Path == "" {
		all = append(all, kind.Problem{Option: "path", Message: "name the directory"})
	}
	t, err := keys.Parse(c.Key, keys.Files)
	if err != nil {
		return append(all, kind.Problem{Option: "key", Message: err.Error()})
	}
	for option, key := range map[string]string{"key": c.Key, "manifest": c.Manifest} {
		if first, _, _ := strings.Cut(key, "/"); first == work {
			all = append(all, kind.Problem{Option: option, Message: work + " is where files are written before they get their names: choose another"})
		}
	}
	if c.Manifest != "" {
		if _, err := roll.Manifest(c.Manifest, keys.Files); err != nil {
			all = append(all, kind.Problem{Option: "manifest", Message: err.Error()})
		}
	}
	all = append(append(all, t.Problems(env)...), c.Roll.Problems(t)...)
	return append(all, c.Options.Problems(env, t, mirror.With{Overwrite: c.Overwrite, Manifest: c.Manifest != ""})...)
}

// spec is what the options say of what is made.
func (c *Config) spec() (s roll.Spec, err error) {
	s.Roll = c.Roll
	if s.Key, err = keys.Parse(c.Key, keys.Files); err != nil {
		return s, fmt.Errorf("key: %w", err)
	}
	if c.Manifest != "" {
		if s.Manifest, err = roll.Manifest(c.Manifest, keys.Files); err != nil {
			return s, fmt.Errorf("manifest: %w", err)
		}
	}
	return s, nil
}

// Takes implements [kind.Sink].
func (c *Config) Takes(in kind.Form) *kind.Problem {
	if p := c.Options.Takes(in); p != nil {
		return p
	}
	if t, err := keys.Parse(c.Key, keys.Files); in == kind.Records && err == nil && !t.Rolled() {
		return &kind.Problem{Option: "key", Message: "records come in blocks, which are no files of their own: add {sequence}, as in {lane}-{sequence}.json"}
	}
	return nil
}

// Identity implements [kind.Sink].
func (c *Config) Identity() string {
	id := "file " + filepath.Join(absolute(c.Path), c.Key)
	if t, err := keys.Parse(c.Key, keys.Files); err == nil && t.Rolled() {
		id += fmt.Sprintf(", up to %s or %d records each", c.Roll.Bytes, c.Roll.Records)
	}
	return id
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// Build implements [kind.Sink].
func (c *Config) Build(env kind.Env) (pipeline.Sink, error) {
	s, err := c.spec()
	if err != nil {
		return nil, err
	}
	out := &sink{Config: *c, spec: s, open: func() (folder, error) { return openFolder(absolute(c.Path)) }}
	if c.Mirror {
		return c.mirrorOf(out, env), nil
	}
	return out, nil
}

// openFolder opens the directory, and makes it if there is none.
func openFolder(path string) (folder, error) {
	if err := disk.Mkdir(path, 0o777); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return rootFolder{root}, nil
}
