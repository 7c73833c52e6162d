package gitpath

import (
	"errors"
	"fmt"
	"hash/maphash"
	"path"
	"slices"
	"strings"
)

// Conflicts finds what cannot be in one tree together: a file where another
// path has a directory, which git would silently drop; and, where all systems
// must be able to check out the files, names that differ only in case or in
// Unicode form. Only what was added is looked for, so it takes memory only for
// that: some 50 bytes for each path and each directory above it.
type Conflicts struct {
	portable bool
	seed     maphash.Seed
	added    map[uint64]uint64 // by what a name looks like to systems: which name it is
	dir      string            // of the path that was added last
}

// Conflicts returns one that knows of no path. It is for one goroutine.
func (p *Paths) Conflicts() *Conflicts {
	return &Conflicts{portable: p.Portable, seed: maphash.MakeSeed(), added: map[uint64]uint64{}}
}

// Add takes a path that the tree had not, and will have.
func (c *Conflicts) Add(name string) {
	c.dir = c.names(name, c.dir, func(name string, dir bool) {
		if key := c.look(name); c.added[key] == 0 {
			c.added[key] = c.exact(name, dir)
		}
	})
}

// maxReported is how many conflicts an error tells of.
const maxReported = 5

// Check walks over all files that the tree will have, among them those that
// were added, and any file outside of the pipeline's directory that stands where
// that directory, or one above it, is to be. An error names both paths of each
// conflict that the walk meets. If there is one, it walks a second time.
func (c *Conflicts) Check(walk func(yield func(path string) error) error) error {
	met := map[uint64][]found{}
	dir := ""
	err := walk(func(file string) error {
		dir = c.names(file, dir, func(name string, isDir bool) {
			key := c.look(name)
			if is, ok := c.added[key]; ok && is != c.exact(name, isDir) && len(met) < maxReported {
				met[key] = nil
			}
		})
		return nil
	})
	if err != nil || len(met) == 0 {
		return err
	}
	dir = ""
	err = walk(func(file string) error {
		dir = c.names(file, dir, func(name string, isDir bool) {
			key := c.look(name)
			f := found{name, isDir, file}
			if all, ok := met[key]; ok && !slices.ContainsFunc(all, f.same) {
				met[key] = append(all, f)
			}
		})
		return nil
	})
	if err != nil {
		return err
	}
	var all []error
	for _, f := range met {
		if err := c.explain(f); err != nil {
			all = append(all, err)
		}
	}
	slices.SortFunc(all, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(all...)
}

// found is a name that is in conflict with another: of a file, or of a
// directory in which that file is.
type found struct {
	name string
	dir  bool
	file string
}

func (f found) same(o found) bool { return f.name == o.name && f.dir == o.dir }

// explain says what is wrong with names of one number. If they do not look alike,
// nothing is.
func (c *Conflicts) explain(all []found) error {
	for i, a := range all {
		for _, b := range all[i+1:] {
			switch {
			case a.name == b.name:
				return fmt.Errorf("%s and %s: %s would have to be a file and a directory", a.file, b.file, a.name)
			case c.portable && canonical(a.name) == canonical(b.name):
				return fmt.Errorf("%s and %s: their names are one to some systems, because %s and %s differ only in case or in Unicode form; rename one at the source, or set portable: false", a.file, b.file, path.Base(a.name), path.Base(b.name))
			}
		}
	}
	return nil
}

// names calls f for a file and for each directory above it that last, the
// directory of the file before it, is not in. It returns the file's directory.
func (c *Conflicts) names(file, last string, f func(name string, dir bool)) string {
	f(file, false)
	dir := parent(file)
	for d := dir; d != "" && d != last && !strings.HasPrefix(last, d+"/"); d = parent(d) {
		f(d, true)
	}
	return dir
}

func parent(name string) string { return name[:max(0, strings.LastIndexByte(name, '/'))] }

// look is a number of what a name looks like.
func (c *Conflicts) look(name string) uint64 {
	if c.portable {
		name = canonical(name)
	}
	return maphash.String(c.seed, name)
}

// exact is a number of the name itself, and of whether it is a directory. It is
// not 0.
func (c *Conflicts) exact(name string, dir bool) uint64 {
	n := maphash.String(c.seed, name) &^ 3
	if dir {
		return n | 2
	}
	return n | 1
}
