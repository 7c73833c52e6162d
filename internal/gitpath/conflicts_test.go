package gitpath_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/internal/gitpath"
)

// walk is a walk over paths.
func walk(all []string) func(func(string) error) error {
	return func(yield func(string) error) error {
		for _, p := range all {
			if err := yield(p); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestWhatCannotBeInOneTreeIsFound(t *testing.T) {
	for _, tc := range []struct {
		name, there, added string
		want               []string // in the error; none: there is none
		anywhere           bool     // also where files need not be portable
	}{
		{"nothing alike", "a b/c d/e/f", "g b/d d/e/g", nil, true},
		{"nothing added", "a A b/c B/c", "", nil, true},
		{"a file becomes a directory", "a b", "a/b", []string{"a and a/b", "a would have to be a file and a directory"}, true},
		{"a directory becomes a file", "a/b/c x", "a/b", []string{"a/b and a/b/c", "file and a directory"}, true},
		{"both are new", "x", "a a/b", []string{"a and a/b"}, true},
		{"both are new, the longer first", "x", "a/b/c a", []string{"a and a/b/c"}, true},
		{"what sorts between them does not hide it", "a a-b a.b", "a/b", []string{"a and a/b"}, true},
		{"case", "README.md", "Readme.md", []string{"README.md and Readme.md", "case"}, false},
		{"case of directories", "Prod/a", "prod/b", []string{"Prod/a and prod/b", "Prod and prod"}, false},
		{"case of directories deep down", "x/Prod/a/b", "x/prod/c/d", []string{"x/Prod/a/b and x/prod/c/d"}, false},
		{"case of a file and a directory", "prod", "Prod/a", []string{"Prod/a and prod"}, false},
		{"both of two that are new", "", "a/X a/x", []string{"a/X and a/x"}, false},
		{"letters beyond ASCII", "ÄÖ", "äö", []string{"ÄÖ and äö"}, false},
		{"three cases of a letter", "Σ", "ς", []string{"Σ and ς"}, false},
		{"Kelvin", "kelvin", "\u212aelvin", []string{"kelvin and \u212aelvin"}, false},
		{"Unicode forms", "\u00e9", "e\u0301", []string{"e\u0301 and \u00e9", "Unicode"}, false},
		{"Unicode forms and case", "\u00c9/a", "e\u0301/b", []string{"e\u0301/b and \u00c9/a"}, false},
		{"sharp s is no ss", "straße", "strasse", nil, false},
		{"several", "A B C", "a b c d", []string{"A and a", "B and b", "C and c"}, false},
	} {
		for _, portable := range []bool{true, false} {
			o := options()
			o.Portable = portable
			c := paths(t, o).Conflicts()
			for _, p := range strings.Fields(tc.added) {
				c.Add(p)
			}
			all := strings.Fields(tc.there + " " + tc.added)
			slices.Sort(all)
			err := c.Check(walk(all))
			if len(tc.want) == 0 || !portable && !tc.anywhere {
				if err != nil {
					t.Errorf("%s, portable %v: got %v, want none", tc.name, portable, err)
				}
				continue
			}
			for _, want := range tc.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s, portable %v: got %v, want %q in it", tc.name, portable, err, want)
				}
			}
		}
	}
}

func TestTheReportOfConflictsIsShort(t *testing.T) {
	c := paths(t, options()).Conflicts()
	var all []string
	for i := range 1000 {
		c.Add(fmt.Sprintf("a%d", i))
		all = append(all, fmt.Sprintf("A%d", i), fmt.Sprintf("a%d", i))
	}
	if err := c.Check(walk(all)); err == nil || strings.Count(err.Error(), "\n") != 4 {
		t.Errorf("got %v, want five lines", err)
	}
}

func TestAWalkThatFailsIsNoAnswer(t *testing.T) {
	failed := errors.New("listing cut")
	c := paths(t, options()).Conflicts()
	c.Add("a")
	if err := c.Check(func(func(string) error) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("got %v, want %v", err, failed)
	}
	n := 0
	err := c.Check(func(yield func(string) error) error {
		if n++; n == 2 {
			return failed
		}
		return walk([]string{"A", "a"})(yield)
	})
	if !errors.Is(err, failed) {
		t.Errorf("got %v, want %v", err, failed)
	}
}

func TestRefsAreAsGitHasThem(t *testing.T) {
	for _, name := range []string{"refs/heads/main", "refs/heads/feature/x-1", "refs/sluice/nightly", "refs/heads/é", "refs/heads/a@b", "refs/heads/@"} {
		if err := gitpath.Ref(name); err != nil {
			t.Errorf("%q: got %v, want none", name, err)
		}
	}
	for _, name := range []string{
		"", "main", "refs", "refs/", "refs/heads/", "refs/heads//a", "refs/heads/.a", "refs/heads/a.lock", "refs/heads/a.lock/b", "refs/heads/a..b", "refs/heads/a.", "refs/heads/-x", "refs/-/x",
		"refs/heads/a b", "refs/heads/a~1", "refs/heads/a^", "refs/heads/a:b", "refs/heads/a?", "refs/heads/a*", "refs/heads/[a", `refs/heads/a\b`, "refs/heads/@{1}", "refs/heads/a\n", "refs/heads/a\x7f", "--upload-pack=x",
	} {
		if err := gitpath.Ref(name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}
