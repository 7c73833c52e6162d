package file_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/kind"
	"sluice/internal/roll"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/sinks/file"
)

// powerless is a folder that, when the power fails, has the names of the last
// Sync of each directory and the bytes of the last Sync of each file.
type powerless struct {
	world         *pipelinetest.World
	live, durable map[string]*inode // by path; directories end with a slash
}

type inode struct {
	bytes, synced []byte
	open          bool
}

func newPowerless(w *pipelinetest.World) *powerless {
	return &powerless{world: w, live: map[string]*inode{}, durable: map[string]*inode{}}
}

// fail loses what is not durable: names whose directory is not, too.
func (p *powerless) fail() {
	p.live = map[string]*inode{}
	for name, i := range p.durable {
		reachable := true
		for dir := path.Dir(strings.TrimSuffix(name, "/")); dir != "."; dir = path.Dir(dir) {
			reachable = reachable && p.durable[dir+"/"] != nil
		}
		if reachable {
			p.live[name] = &inode{bytes: slices.Clone(i.synced), synced: i.synced}
		}
	}
	p.durable = maps.Clone(p.live)
}

// kill ends the process alone.
func (p *powerless) kill() {
	for _, i := range p.live {
		i.open = false
	}
}

func (p *powerless) do(f func() error) (err error) {
	if werr := p.world.Do(func() { err = f() }); werr != nil {
		return werr
	}
	return err
}

func missing(name string) error { return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist} }

func (p *powerless) parent(name string) error {
	if dir := path.Dir(name); dir != "." && p.live[dir+"/"] == nil {
		return missing(name)
	}
	return nil
}

func (p *powerless) Create(name string) (f file.NewFile, err error) {
	err = p.do(func() error {
		if p.live[name] != nil {
			return fs.ErrExist
		}
		i := &inode{open: true}
		p.live[name], f = i, &powerlessFile{p, i}
		return p.parent(name)
	})
	return f, err
}

func (p *powerless) Abandoned(name string) (ok bool) {
	p.world.Look(func() { ok = p.live[name] != nil && !p.live[name].open })
	return ok
}

func (p *powerless) Rename(from, to string) error {
	return p.do(func() error {
		if p.live[from] == nil {
			return missing(from)
		}
		p.live[to] = p.live[from]
		delete(p.live, from)
		return p.parent(to)
	})
}

func (p *powerless) Remove(name string) error {
	return p.do(func() error {
		for other := range p.live {
			if strings.HasPrefix(other, name+"/") && other != name+"/" {
				return fs.ErrExist
			}
		}
		if p.live[name] == nil && p.live[name+"/"] == nil {
			return missing(name)
		}
		delete(p.live, name)
		delete(p.live, name+"/")
		return nil
	})
}

func (p *powerless) Mkdir(name string) error {
	return p.do(func() error {
		if p.live[name+"/"] == nil {
			p.live[name+"/"] = &inode{}
		}
		return p.parent(name)
	})
}

func (p *powerless) Exists(name string) (ok bool, err error) {
	p.world.Look(func() { ok = p.live[name] != nil })
	return ok, nil
}

func (p *powerless) Names(dir string) (names []string, err error) {
	p.world.Look(func() {
		for name := range p.live {
			if path.Dir(name) == dir {
				names = append(names, path.Base(name))
			}
		}
	})
	return names, nil
}

func (p *powerless) Stat(name string) (s roll.Stamp, err error) {
	p.world.Look(func() {
		if i := p.live[name]; i == nil {
			err = missing(name)
		} else {
			s = roll.Stamp{Tag: i.modified(), Size: int64(len(i.bytes))}
		}
	})
	return s, err
}

func (p *powerless) Walk(_ context.Context, from string, f func(name string) error) error {
	var names []string
	p.world.Look(func() { names = slices.Sorted(maps.Keys(p.live)) })
	for _, name := range names {
		if name < from || strings.HasSuffix(name, "/") || strings.HasPrefix(name, ".sluice/") {
			continue
		}
		if err := f(name); err != nil {
			return err
		}
	}
	return nil
}

// Sync makes the names in dir durable, as they are.
func (p *powerless) Sync(dir string) error {
	return p.do(func() error {
		in := func(name string, _ *inode) bool { return path.Dir(strings.TrimSuffix(name, "/")) == dir }
		maps.DeleteFunc(p.durable, in)
		for name, i := range p.live {
			if in(name, i) {
				p.durable[name] = i
			}
		}
		return nil
	})
}

func (p *powerless) Close() error { return nil }

type powerlessFile struct {
	folder *powerless
	*inode
}

func (f *powerlessFile) Write(b []byte) (int, error) {
	return len(b), f.folder.do(func() error { f.bytes = append(f.bytes, b...); return nil })
}

func (f *powerlessFile) Sync() error {
	return f.folder.do(func() error { f.synced = slices.Clone(f.bytes); return nil })
}

func (i *inode) modified() string { return fmt.Sprint("when it had ", string(i.bytes)) }

func (f *powerlessFile) Modified() (m string, err error) {
	f.folder.world.Look(func() { m = f.modified() })
	return m, nil
}

func (f *powerlessFile) Close() error {
	f.folder.world.Look(func() { f.open = false })
	return nil
}

// files are the visible files.
func (p *powerless) files(t *testing.T) map[string]string {
	all := map[string]string{}
	for name, i := range p.live {
		if strings.HasSuffix(name, "/") {
			continue
		}
		if strings.HasPrefix(name, ".sluice/") {
			t.Errorf("%s is left", name)
		}
		all[name] = string(i.bytes)
	}
	return all
}

// TestALossOfPowerAnywhereLeavesTheSameFiles loses at every operation all that
// was not synced, and goes on.
func TestALossOfPowerAnywhereLeavesTheSameFiles(t *testing.T) { endures(t, (*powerless).fail) }

// TestAKillAnywhereLeavesTheSameFiles loses nothing of what was written.
func TestAKillAnywhereLeavesTheSameFiles(t *testing.T) { endures(t, (*powerless).kill) }

func endures(t *testing.T, fail func(*powerless)) {
	source := pipelinetest.Source{Lines: 3, Blocks: true, Delay: 100 * time.Millisecond, Lanes: func(int64) []pipelinetest.Lane {
		return []pipelinetest.Lane{{Name: "a", ID: "A", To: 4}, {Name: "bb", ID: "B", To: 3}}
	}}
	streams, lost := source, source
	streams.Blocks = false
	lost.Lose = map[string]int{"A": 3}
	for name, c := range map[string]struct {
		source pipelinetest.Source
		config file.Config
	}{
		"rolled":     {source, file.Config{Key: "x/{pass}/{lane}/{sequence}.json", Manifest: "x/_manifest.ndjson", Roll: roll.Options{Bytes: 50}}},
		"items":      {streams, file.Config{Key: "y/{lane}/{key}", Manifest: "m/{pass}/_manifest.ndjson"}},
		"start over": {lost, file.Config{Key: "{lane}-{sequence}", Roll: roll.Options{Bytes: 20}}},
	} {
		c.config.Overwrite = roll.Own
		play := func(t *testing.T, at int) (map[string]string, int) {
			w := &pipelinetest.World{At: at}
			folder, store := newPowerless(w), &pipelinetest.Store{World: w}
			src := c.source
			src.World, src.Bad = w, t.Errorf
			var last error
			for range 4 {
				sink, err := c.config.Build(kind.Env{})
				if err != nil {
					t.Fatal(err)
				}
				p := &pipeline.Pipeline{Name: "p", Log: slog.New(slog.DiscardHandler), Source: &src, Sink: file.On(sink, folder), Store: store, Lanes: 2}
				res, err := p.Run(context.Background())
				if err == nil && res.Complete || ended(store) {
					if at > 0 { // complete, and then the power fails
						fail(folder)
					}
					return folder.files(t), w.Ops()
				}
				last = err
				fail(folder)
				w.Restart()
			}
			t.Fatalf("at %d: does not complete: %v", at, last)
			return nil, 0
		}
		t.Run(name, func(t *testing.T) {
			var want map[string]string
			ops := 0
			synctest.Test(t, func(t *testing.T) { want, ops = play(t, 0) })
			if len(want) < 3 {
				t.Fatalf("%d files: %v", len(want), want)
			}
			for at := 1; at <= ops && !t.Failed(); at++ {
				synctest.Test(t, func(t *testing.T) {
					if got, _ := play(t, at); !maps.Equal(got, want) {
						t.Errorf("at %d: got %q, want %q", at, got, want)
					}
				})
			}
			t.Logf("%d operations, %d files", ops, len(want))
		})
	}
}

func ended(s *pipelinetest.Store) bool {
	b, _ := s.Get("pass", "current")
	return bytes.Contains(b, []byte(`"Complete":true`))
}
