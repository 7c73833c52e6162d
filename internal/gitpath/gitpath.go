// Package gitpath says which path of a Git repository a key gets, and refuses
// what must not be one.
//
// Git takes nearly any bytes as a path, and so does the program that writes
// commits: .git/hooks/post-checkout, ../x, names that are .git to Windows or to
// a Mac, files that run code at the host. Whoever may write into a bucket would
// write all of them. So every component is checked here, whatever git it is.
//
// # What is refused
//
//   - always: empty components, . and .., bytes that are no UTF-8, control
//     characters, components over 255 bytes and paths over 4,096, and whatever
//     some system takes for .git;
//   - unless allow names it: what means something to git wherever it is
//     (.gitattributes, .gitmodules and the like, with their short names), and
//     what means something to hosts at the root of a repository (.github,
//     .gitlab-ci.yml and the like);
//   - unless portable is off: what Windows cannot have as a name.
//
// With encode, a path like that is percent-encoded where it must be, so that
// each key has one path and url.PathUnescape gives back what was encoded.
//
// What two paths are to each other (a file where another needs a directory,
// names that differ only in case or in Unicode form) is found by [Conflicts].
package gitpath

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"sluice/internal/glob"
	"sluice/internal/keys"
	"sluice/internal/kind"
)

// Options say which path a key gets. They are options of the git sink.
type Options struct {
	Path     string   `yaml:"path" required:"true" doc:"Directory of the repository that belongs to the pipeline: what the source does not have is deleted there, and nothing else is touched; / is the whole repository."`
	Strip    string   `yaml:"strip" doc:"What all keys begin with and paths do not; a key without it is an error."`
	Key      string   `yaml:"key" default:"{key}" doc:"Path of a file below path: {key}, or {stem} and {ext}, with text around them."`
	Flatten  string   `yaml:"flatten" doc:"Text that takes the place of each slash of a key, so that all files are in one directory; a key that has this text is an error."`
	Allow    []string `yaml:"allow" doc:"Paths in the repository that may be written although they mean something to git or its hosts: globs such as .github/workflows/** or **/.gitattributes. Who can write to the source may then run code where the repository is built or checked out."`
	Portable bool     `yaml:"portable" default:"true" doc:"Whether all systems must be able to check out the files: paths that Windows cannot have, and such that differ only in case or in Unicode form, are errors."`
	Encode   bool     `yaml:"encode" doc:"Percent-encode what could not be a path, and each %, so that each key has its path."`
}

// Problems checks the options.
func (o *Options) Problems() []kind.Problem {
	var p Paths
	return p.set(*o)
}

// Paths gives keys their paths. It does not change; its methods may be called
// from several goroutines.
type Paths struct {
	Options
	dir   string // "" or with a slash at its end
	key   *keys.Template
	allow []*regexp.Regexp
}

// New returns what gives paths as the options say.
func New(o Options) (*Paths, error) {
	p := &Paths{}
	if bad := p.set(o); len(bad) > 0 {
		return nil, fmt.Errorf("%s: %s", bad[0].Option, bad[0].Message)
	}
	return p, nil
}

// set takes the options, and says what is wrong with them.
func (p *Paths) set(o Options) (problems []kind.Problem) {
	p.Options = o
	add := func(option string, err error) {
		if err != nil {
			problems = append(problems, kind.Problem{Option: option, Message: err.Error()})
		}
	}
	var err error
	p.allow, err = glob.Compile(o.Allow)
	add("allow", err)
	add("path", p.setDir())
	add("flatten", p.badFlatten())
	if p.key, err = keys.Parse(o.Key, keys.Objects); err != nil {
		add("key", err)
		return problems
	}
	for _, f := range []string{"index", "lane", "sequence", "pass", "date", "version"} {
		if p.key.Has(f) {
			add("key", fmt.Errorf("a file is one item, at the same path in each pass: leave {%s} out", f))
			return problems
		}
	}
	return append(problems, p.key.Problems(kind.Env{})...)
}

func (p *Paths) setDir() error {
	switch dir := strings.TrimSuffix(p.Path, "/"); {
	case p.Path == "":
		return errors.New("name a directory, or / for the whole repository")
	case dir == "":
		return nil
	case strings.HasPrefix(dir, "/"):
		return fmt.Errorf("%q: it is a path in the repository: leave out the slash at its beginning", p.Path)
	default:
		p.dir = dir + "/"
		return p.check(dir)
	}
}

func (p *Paths) badFlatten() error {
	switch {
	case p.Flatten == "":
		return nil
	case strings.Contains(p.Flatten, "/"):
		return fmt.Errorf("%q: it takes the place of slashes, and has one", p.Flatten)
	}
	return p.check("x" + p.Flatten + "x")
}

// Dir is the directory that belongs to the pipeline: "" for the whole
// repository, else with a slash at its end.
func (p *Paths) Dir() string { return p.dir }

// Of gives the path of a key in the repository. Different keys have different
// paths. An error names the key and says why it cannot have one.
func (p *Paths) Of(key string) (string, error) {
	name, err := p.name(key)
	if err == nil {
		name = p.dir + name
		err = p.check(name)
	}
	if err != nil {
		return "", fmt.Errorf("key %q cannot be a path: %w", key, err)
	}
	return name, nil
}

// name is the path below the directory.
func (p *Paths) name(key string) (string, error) {
	rest, ok := strings.CutPrefix(key, p.Strip)
	switch {
	case !ok:
		return "", fmt.Errorf("it does not begin with %q, which strip takes away", p.Strip)
	case rest == "":
		return "", errors.New("nothing is left of it")
	}
	if p.Flatten != "" {
		flat := strings.ReplaceAll(rest, "/", p.Flatten)
		if strings.ReplaceAll(flat, p.Flatten, "/") != rest {
			return "", fmt.Errorf("with %q for its slashes it could not be told from another key; choose another text for flatten", p.Flatten)
		}
		rest = flat
	}
	name, err := p.key.Render(keys.Values{Key: rest})
	if err != nil || !p.Encode {
		return name, err
	}
	return p.encode(name), nil
}

// allowed says whether a path may mean something to git or its hosts.
func (p *Paths) allowed(name string) bool { return glob.Match(p.allow, path.Clean(name)) }
