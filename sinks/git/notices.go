package git

import (
	"context"
	"maps"
	"slices"
	"strings"

	"sluice/pipeline"
)

// What is said at the end of a pass, once each.
const (
	leftOut  = "files larger than max_file_size were left out"
	pointed  = "files larger than max_file_size are texts that stand for them"
	hugeFile = "files are larger than 100MiB, which hosts refuse"
	wideDir  = "directories have more than 3,000 entries, which hosts are slow with"
	hugePush = "pushes are larger than 2GiB, which hosts refuse"
)

// Limits of hosts, as GitHub publishes them.
const (
	hostFile = 100 << 20
	hostDir  = 3000
	hostPush = 2 << 30
)

// notice is how often something is so, and for what it was last.
type notice struct {
	n    int64
	last string
}

// note counts something that is to be said at the end.
func (w *writer) note(what, example string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.notices[what]
	if n == nil {
		n = &notice{}
		w.notices[what] = n
	}
	n.n++
	n.last = example
}

// say says what was noted.
func (w *writer) say(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, what := range slices.Sorted(maps.Keys(w.notices)) {
		pipeline.Logger(ctx).Warn(what, "count", w.notices[what].n, "last", w.notices[what].last)
	}
	clear(w.notices)
}

// widths finds directories that have too many entries, among paths in order.
type widths struct {
	note func(what, example string)
	open []width // the directory of the last path, and those above it, outermost first
}

// width is a directory and how many entries it has so far.
type width struct {
	path string // with a slash at its end, or ""
	n    int
}

// add takes the next path.
func (w *widths) add(path string) {
	for len(w.open) > 0 && !strings.HasPrefix(path, w.open[len(w.open)-1].path) {
		w.open = w.open[:len(w.open)-1]
	}
	if len(w.open) == 0 {
		w.open = append(w.open, width{})
	}
	for {
		dir := &w.open[len(w.open)-1]
		if dir.n++; dir.n == hostDir+1 {
			w.note(wideDir, dir.path)
		}
		n := strings.IndexByte(path[len(dir.path):], '/')
		if n < 0 {
			return
		}
		w.open = append(w.open, width{path: path[:len(dir.path)+n+1]})
	}
}
