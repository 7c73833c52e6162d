package git

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// fields of a message.
var fields = []string{"{added}", "{changed}", "{deleted}", "{group}", "{pipeline}", "{pass}", "{source}", "{summary}"}

var braces = regexp.MustCompile(`\{[^}]*\}?|\}`)

// checkMessage says what is wrong with a message.
func checkMessage(text string) error {
	for _, f := range braces.FindAllString(text, -1) {
		if !slices.Contains(fields, f) {
			return fmt.Errorf("unknown field %s: there are %s", f, strings.Join(fields, " "))
		}
	}
	return nil
}

// counts are the files of a commit.
type counts struct{ added, changed, deleted int64 }

func (c counts) all() int64 { return c.added + c.changed + c.deleted }

// String leaves out what is nothing.
func (c counts) String() string {
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{c.added, "added"}, {c.changed, "changed"}, {c.deleted, "deleted"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return strings.Join(parts, ", ")
}

// about is what a message can say of a commit.
type about struct {
	counts
	group, pipeline, source string
	pass                    int64
	summary                 *summary
}

// message is that of a commit. The lines at its end are trailers, as git has them.
func (a about) message(template string) string {
	subject := fmt.Sprintf("%d added, %d changed, %d deleted", a.added, a.changed, a.deleted)
	switch {
	case template != "":
	case a.group == "":
		template = "Sync " + subject + "\n\n{summary}"
	default:
		template = "Sync {group}: " + subject + "\n\n{summary}"
	}
	pass := strconv.FormatInt(a.pass, 10)
	text := strings.NewReplacer(
		"{added}", strconv.FormatInt(a.added, 10), "{changed}", strconv.FormatInt(a.changed, 10), "{deleted}", strconv.FormatInt(a.deleted, 10),
		"{group}", line(a.group), "{pipeline}", a.pipeline, "{pass}", pass, "{source}", line(a.source), "{summary}", a.summary.String(),
	).Replace(template)
	return fmt.Sprintf("%s\n\nSluice-Pipeline: %s\nSluice-Source: %s\nSluice-Pass: %s\n", strings.TrimSpace(text), a.pipeline, line(a.source), pass)
}

// line is text on one line.
func line(text string) string {
	if quoted := strconv.Quote(text); strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return quoted
	}
	return text
}

// A summary has so many directories, and knows of so many at a time.
const (
	mostLines = 20
	mostKnown = 1000
)

// summary counts changes by directory. As long as these are too many it takes
// together those that have their first directories in common.
type summary struct {
	depth int // directories of a path that are told apart
	by    map[string]counts
	rest  counts // of directories that were too many even so
}

// deep is more directories than are of use.
const deep = 8

func newSummary() *summary { return &summary{depth: deep, by: map[string]counts{}} }

// add counts a path.
func (s *summary) add(path string, n counts) {
	dir := first(path[:max(0, strings.LastIndexByte(path, '/'))], s.depth)
	if _, known := s.by[dir]; !known && len(s.by) == mostKnown && s.depth == 1 {
		s.rest = s.rest.plus(n)
		return
	}
	s.by[dir] = s.by[dir].plus(n)
	if len(s.by) == mostKnown && s.depth > 1 {
		s.coarsen()
	}
}

func (c counts) plus(o counts) counts {
	return counts{c.added + o.added, c.changed + o.changed, c.deleted + o.deleted}
}

// coarsen tells one directory less apart.
func (s *summary) coarsen() {
	s.depth--
	by := map[string]counts{}
	for dir, n := range s.by {
		dir = first(dir, s.depth)
		by[dir] = by[dir].plus(n)
	}
	s.by = by
}

// first is the first n components of a path, or all of them.
func first(path string, n int) string {
	for i := range path {
		if path[i] == '/' {
			n--
		}
		if n == 0 {
			return path[:i]
		}
	}
	return path
}

// String gives a line for each directory, those with the most changes if there
// are too many.
func (s *summary) String() string {
	for len(s.by) > mostLines && s.depth > 1 {
		s.coarsen()
	}
	dirs := slices.SortedFunc(maps.Keys(s.by), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.by[b].all(), s.by[a].all()), cmp.Compare(a, b))
	})
	rest := s.rest
	for _, dir := range dirs[min(mostLines, len(dirs)):] {
		rest = rest.plus(s.by[dir])
	}
	dirs = dirs[:min(mostLines, len(dirs))]
	slices.Sort(dirs)
	var b strings.Builder
	for _, dir := range dirs {
		fmt.Fprintf(&b, "%s: %s\n", line(cmp.Or(dir, ".")), s.by[dir])
	}
	if rest.all() > 0 {
		fmt.Fprintf(&b, "elsewhere: %s\n", rest)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
