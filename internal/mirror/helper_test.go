package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/internal/keys"
	"sluice/internal/kind"
	"sluice/internal/mirror"
	"sluice/internal/roll"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tree is a source: contents by key. An item's version is its content.
type tree struct {
	files  map[string]string
	lanes  int
	broken string           // the lane fails instead of sending this key
	gone   map[string]bool  // cannot be had
	again  string           // is given twice
	before func(key string) // an item is sent
	mu     sync.Mutex
	opened []string
}

func (s *tree) Open(context.Context, *pipeline.Pass) (pipeline.Reader, error) { return s, nil }
func (s *tree) Close() error                                                  { return nil }

func (s *tree) Plan(context.Context) (lanes []pipeline.Lane, err error) {
	n := max(1, s.lanes)
	for i := range n {
		lanes = append(lanes, pipeline.Lane{Name: fmt.Sprint(i), ID: fmt.Sprintf("%d/%d", i, n), Part: i, Parts: n})
	}
	return lanes, nil
}

func (s *tree) Read(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	for _, key := range slices.Sorted(maps.Keys(s.files)) {
		if keys.Part(key, lane.Parts) != lane.Part || key <= from.Token {
			continue
		}
		if s.before != nil {
			s.before(key)
		}
		if key == s.broken {
			return errors.New("the listing was cut")
		}
		if err := pipeline.Send(ctx, out, s.item(key)); err != nil {
			return err
		}
		if key == s.again {
			it := s.item(key)
			it.Version = "another"
			if err := pipeline.Send(ctx, out, it); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *tree) item(key string) *pipeline.Item {
	content := s.files[key]
	return &pipeline.Item{Key: key, Version: content, Size: int64(len(content)), Records: -1, Pos: pipeline.Position{Token: key},
		Body: pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.gone[key] {
				return nil, fmt.Errorf("%s: unreadable: %w", key, pipeline.ErrGone)
			}
			s.opened = append(s.opened, key)
			return io.NopCloser(strings.NewReader(content)), nil
		})}
}

// took gives what was opened since it was last called.
func (s *tree) took() []string {
	keys := s.opened
	s.opened = nil
	slices.Sort(keys)
	return keys
}

// bucket is a target in memory. What is in objects survives.
type bucket struct {
	world     *pipelinetest.World
	objects   map[string]object
	overwrite string
	finds     int
	asked     []string // of Made
	beforeDel func(key string)
}

type object struct {
	owner   *roll.Owner // nil: somebody else's
	content string
}

func (o object) stamp() roll.Stamp {
	return roll.Stamp{Tag: "etag of " + o.content, Size: int64(len(o.content))}
}

func (b *bucket) contents() map[string]string {
	all := map[string]string{}
	for key, o := range b.objects {
		all[key] = o.content
	}
	return all
}

func (b *bucket) Create(_ context.Context, d roll.Draft) (roll.Object, error) {
	return &upload{bucket: b, draft: d}, nil
}

func (b *bucket) Sweep(context.Context, string, roll.Owner, func(string) bool) error { return nil }

func (b *bucket) Remove(_ context.Context, key string, _ roll.Owner) (bool, error) {
	return false, b.world.Do(func() { delete(b.objects, key) })
}

func (b *bucket) Name(key string) string  { return "bucket/" + key }
func (b *bucket) Finder() mirror.Finder   { return b }
func (b *bucket) sorted() (keys []string) { return slices.Sorted(maps.Keys(b.objects)) }

func (b *bucket) Find(_ context.Context, key string) (s roll.Stamp, ok bool, err error) {
	b.world.Look(func() {
		var o object
		o, ok = b.objects[key]
		s = o.stamp()
		b.finds++
	})
	return s, ok, nil
}

func (b *bucket) List(_ context.Context, prefix string, f func(mirror.There) error) error {
	var all []mirror.There
	b.world.Look(func() {
		for _, key := range b.sorted() {
			if strings.HasPrefix(key, prefix) {
				all = append(all, mirror.There{Key: key, Stamp: b.objects[key].stamp()})
			}
		}
	})
	for _, o := range all {
		if err := f(o); err != nil {
			return err
		}
	}
	return nil
}

func (b *bucket) Made(_ context.Context, o mirror.There) (ours bool, err error) {
	b.world.Look(func() {
		b.asked = append(b.asked, o.Key)
		ours = b.objects[o.Key].owner != nil
	})
	return ours, nil
}

func (b *bucket) Delete(_ context.Context, o mirror.There) (deleted bool, err error) {
	if b.beforeDel != nil {
		b.beforeDel(o.Key)
	}
	err = b.world.Do(func() {
		if there, ok := b.objects[o.Key]; ok && there.stamp() == o.Stamp {
			delete(b.objects, o.Key)
			deleted = true
		}
	})
	return deleted, err
}

type upload struct {
	*bucket
	draft roll.Draft
	bytes.Buffer
}

func (u *upload) Commit(context.Context) error {
	var err error
	werr := u.world.Do(func() {
		if old, ok := u.objects[u.draft.Key]; ok {
			if err = roll.Allow(u.overwrite, u.draft.Key, u.draft.Owner, old.owner); err != nil {
				return
			}
		}
		u.objects[u.draft.Key] = object{&u.draft.Owner, u.String()}
	})
	return errors.Join(err, werr)
}

func (u *upload) Abort(context.Context) error { return nil }
func (u *upload) ETag() string                { return object{content: u.String()}.stamp().Tag }

// job is a pipeline that mirrors.
type job struct {
	*tree
	*bucket
	store  *pipelinetest.Store
	key    string
	most   unit.Share
	bytes  string
	giveUp bool
	dry    func(kind.Change)
	twice  bool // Finish is called a second time
}

func newJob(files map[string]string) *job {
	w := &pipelinetest.World{}
	return &job{tree: &tree{files: files, lanes: 2}, bucket: &bucket{world: w, objects: map[string]object{}, overwrite: roll.Own},
		store: &pipelinetest.Store{World: w}, key: "to/{key}", most: unit.Percent(100)}
}

type sink struct{ *job }

func (sink) WholePass() {}

func (s sink) Open(_ context.Context, p *pipeline.Pass) (pipeline.Writer, error) {
	key, err := keys.Parse(s.key, keys.Objects)
	if err != nil {
		return nil, err
	}
	w, err := roll.New(p, roll.Spec{Key: key}, s.bucket)
	if err != nil {
		return nil, err
	}
	m, err := mirror.New(p, w, s.bucket, mirror.Config{Options: mirror.Options{Mirror: true, MaxDelete: s.most}, Key: key, Overwrite: s.overwrite, Bytes: s.bytes, DryRun: s.dry})
	return closer{m, s.job}, err
}

type closer struct {
	*mirror.Writer
	j *job
}

func (closer) Close() error { return nil }

func (c closer) Finish(ctx context.Context) error {
	err := c.Writer.Finish(ctx)
	if c.j.twice && err == nil {
		err = c.Writer.Finish(ctx)
	}
	return err
}

func (j *job) run(ctx context.Context) (pipeline.Result, error) {
	p := &pipeline.Pipeline{Name: "p", Log: slog.New(slog.DiscardHandler), Source: j.tree, Sink: sink{j}, Store: j.store, GiveUp: j.giveUp,
		Dead: &pipelinetest.Letters{World: j.world, Durable: map[string]string{}}, Lanes: 2, Grace: time.Second}
	return p.Run(ctx)
}

// must runs a pass that is complete.
func (j *job) must(t *testing.T) pipeline.Result {
	t.Helper()
	res, err := j.run(t.Context())
	if err != nil || !res.Complete {
		t.Fatalf("got %+v, %v, want a complete pass", res, err)
	}
	return res
}

// rows is how many rows the mirror keeps, of all kinds.
func (j *job) rows() (n int) {
	for _, b := range []string{"sink.mirror", "sink.mirror.doomed"} {
		j.store.Range(b, "", func(string, []byte) error { n++; return nil })
	}
	return n
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// same compares the target with the source, and with what else is to be there.
func (j *job) same(t *testing.T, what string, more map[string]string) {
	t.Helper()
	want := maps.Clone(more)
	if want == nil {
		want = map[string]string{}
	}
	for key, content := range j.files {
		want[strings.Replace(j.key, "{key}", key, 1)] = content
	}
	if got := j.contents(); !maps.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func some() map[string]string {
	return map[string]string{"a": "1", "a-b": "2", "a/b": "3", "b": "4", "c/d/e": "5", "é": "6", "z": "7"}
}
