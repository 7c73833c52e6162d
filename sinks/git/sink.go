package git

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"sluice/internal/git"
	"sluice/internal/gitpath"
	"sluice/internal/kind"
	"sluice/internal/mirror"
	"sluice/pipeline"
)

// sink makes commits.
type sink struct {
	Config
	env      kind.Env
	remote   *git.Remote
	paths    *gitpath.Paths
	together int   // items that a lane reads at a time
	stage    int64 // bytes of new files from which on they are pushed in parts, each of about as many
	top      atomic.Int64
}

// Directories is how many directories are right below path, as the last pass of
// this process has it. It may be called at any time.
func (s *sink) Directories() int64 { return s.top.Load() }

// together is how many items a lane reads at a time, if memory is not short.
const together = 4

// needFile is the memory for a file below path: 100 bytes here, for what is known
// of its path and where changes stand, and 250 in git (measured: 230 while it
// makes a pack, 270 while it sends one).
const needFile = 350

// WholePass implements [pipeline.WholePass].
func (*sink) WholePass() {}

// Need implements [pipeline.Sized].
func (s *sink) Need() (lane, shared int64) {
	return int64(s.together)*2*inMemory + 2*mirror.NeedLane, int64(s.MaxFiles)*needFile + 4<<20
}

// Open implements [pipeline.Sink].
func (s *sink) Open(ctx context.Context, p *pipeline.Pass) (pipeline.Writer, error) {
	w := &writer{sink: s, pass: p, made: s.madeOf(), lanes: map[string]*finders{}, notices: map[string]*notice{}}
	w.seen.fates = map[[2]uint64]fate{}
	if err := w.open(ctx); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// madeOf is a digest of what bytes depend on beside their items.
func (s *sink) madeOf() string {
	text := s.env.Transforms
	if s.LargeFiles == pointer {
		text += "\npointer " + s.MaxFileSize.String()
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// writer writes one pass.
type writer struct {
	*sink
	pass     *pipeline.Pass
	made     string
	repo     *git.Repo
	base     base
	memory   memory
	seen     seen
	finished bool
	stale    bool    // there are rows of paths that the source no longer has
	staged   git.OID // the last commit on the ref of parts; "": none

	importing sync.Mutex
	im        *git.Import // nil: none runs
	imported  int64       // bytes of blobs

	mu      sync.Mutex
	lanes   map[string]*finders // by name
	deleted int64
	notices map[string]*notice
}

// base is the commit on which the next is made.
type base struct {
	tip  git.OID // "": the branch is not there
	list *entries
}

// finders are what a lane asks. Skip uses the first two, and Write the last one.
type finders struct {
	rows  mirror.Window[row]
	there mirror.Window[git.Entry]

	mu    sync.Mutex
	again mirror.Window[git.Entry]
}

func (w *writer) finders(lane string) *finders {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.lanes[lane]
	if f == nil {
		f = &finders{rows: mirror.Window[row]{Page: rowPage(w.pass.Store)}}
		f.there.Page, f.again.Page = w.base.list.page, w.base.list.page
		w.lanes[lane] = f
	}
	return f
}

// open fetches what the branch has.
func (w *writer) open(ctx context.Context) (err error) {
	if w.repo, err = git.Create(ctx, w.env.Scratch, w.remote); err != nil {
		return err
	}
	if w.Remember == inRepository {
		if err := w.recall(ctx); err != nil {
			return err
		}
	}
	w.base, err = w.fetch(ctx)
	if err == nil && w.base.list.n > w.MaxFiles {
		err = tooMany(w.MaxFiles)
	}
	return err
}

// fetch fetches the tip of the branch, and lists what is below path.
func (w *writer) fetch(ctx context.Context) (b base, err error) {
	if b.tip, err = w.repo.Fetch(ctx, git.Want{Ref: w.Ref()}); err != nil {
		return b, err
	}
	if b.list, err = newEntries(w.env.Scratch); err != nil {
		return b, err
	}
	err = w.repo.Tree(ctx, b.tip, w.dir(), func(e git.Entry) error {
		_, err := b.list.add(e)
		return err
	})
	if err == nil {
		err = b.list.out.Flush()
	}
	if err != nil {
		err = errors.Join(fmt.Errorf("list %s: %w", w.Location(), err), b.list.Close())
		b.list = nil
	}
	return b, err
}

// dir is the directory without a slash at its end.
func (w *writer) dir() string {
	dir := w.paths.Dir()
	return dir[:max(0, len(dir)-1)]
}

// Close implements [pipeline.Writer]. What was not pushed is gone.
func (w *writer) Close() error {
	var errs []error
	if w.im != nil {
		errs = append(errs, w.im.Close())
	}
	if w.base.list != nil {
		errs = append(errs, w.base.list.Close())
	}
	if w.repo != nil {
		errs = append(errs, w.close(w.repo))
	}
	return errors.Join(errs...)
}

// close removes a repository, and what it was in.
func (s *sink) close(repo *git.Repo) error {
	err := repo.Close()
	os.Remove(s.env.Scratch) // not if something is in it
	return err
}

// Tally implements [pipeline.Tallier].
func (w *writer) Tally() pipeline.Counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return pipeline.Counts{Deleted: w.deleted}
}

// Skip implements [pipeline.Skipper]. It notes each path as one that the source
// has, whatever becomes of the item. A key that cannot be a path is refused by
// Write, which can give it up.
func (w *writer) Skip(ctx context.Context, lane pipeline.Lane, it *pipeline.Item) (bool, error) {
	path, err := w.paths.Of(it.Key)
	if err != nil {
		return w.env.DryRun != nil, nil
	}
	if err := w.seen.first(path, w.MaxFiles); err != nil {
		return false, err
	}
	f := w.finders(lane.Name)
	r, _, err := f.rows.Find(ctx, path)
	if err != nil {
		return false, err
	}
	was, there, err := f.there.Find(ctx, path)
	if err != nil {
		return false, err
	}
	same := it.Version != "" && r == row{Key: it.Key, Version: it.Version, Made: w.made, Blob: r.Blob, Size: r.Size} && is(was, r.Blob)
	switch {
	case same:
		w.seen.set(path, held)
	case w.LargeFiles == skip && it.Size > int64(w.MaxFileSize):
		w.note(leftOut, it.Key)
		same = true
	}
	if w.env.DryRun != nil {
		w.env.DryRun(kind.Change{What: change(same, there), Name: path, Size: it.Size})
		return true, nil
	}
	return same, nil
}

// is says whether an entry is a plain file of a blob.
func is(e git.Entry, blob git.OID) bool { return e.Mode == git.Regular && e.OID == blob }

// change is what becomes of a path of an item.
func change(same, there bool) kind.What {
	switch {
	case same:
		return kind.Same
	case there:
		return kind.Changed
	}
	return kind.New
}
