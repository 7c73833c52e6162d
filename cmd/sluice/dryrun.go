package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"sluice/internal/config"
	"sluice/internal/kind"
	"sluice/internal/state"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// mirroring is the flags about mirrors, which run and copy share.
type mirroring struct {
	dry  bool
	most string
}

func (m *mirroring) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&m.dry, "dry-run", false, "say what a sink that mirrors would copy and delete, and change nothing, the state neither")
	cmd.Flags().StringVar(&m.most, "max-delete", "", "let mirrors delete `N` objects in a pass, or N%, whatever their max_delete says")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "report")
}

// apply makes of a session what the flags say.
func (m *mirroring) apply(s *session) error {
	if m.most != "" {
		s.adjust = func(pipelines []*config.Pipeline) error {
			if err := allow(m.most, pipelines); err != nil {
				return fmt.Errorf("--max-delete: %w", err)
			}
			return nil
		}
	}
	if !m.dry {
		return nil
	}
	return s.rehearse()
}

// allow lets the mirrors among pipelines delete so much.
func allow(text string, pipelines []*config.Pipeline) error {
	var most unit.Share
	if err := most.UnmarshalText([]byte(text)); err != nil {
		return err
	}
	found := false
	for _, p := range pipelines {
		if m, ok := p.Sink.Options.(kind.Mirror); ok && m.Mirrors() {
			m.AllowDeletes(most)
			found = true
		}
	}
	if !found {
		return errors.New("no sink is a mirror")
	}
	return nil
}

// rehearsal is a dry run: its passes work on copies of the states, and say what
// sinks would do instead of doing it.
type rehearsal struct {
	dir string // of the copies

	mu    sync.Mutex
	out   *bufio.Writer
	seen  map[string]map[kind.What]int64 // objects, by pipeline
	bytes map[string]int64               // that would be copied, where it is known
	err   error                          // of writing
}

// rehearse makes a session a dry run.
func (s *session) rehearse() error {
	s.dry = &rehearsal{out: bufio.NewWriter(s.stdout), seen: map[string]map[kind.What]int64{}, bytes: map[string]int64{}}
	for _, p := range s.pipelines {
		s.dry.seen[p.Name] = map[kind.What]int64{}
		if err := p.DryRun(func(c kind.Change) { s.dry.say(p.Name, c) }); err != nil {
			return usage(err)
		}
		p.DeadLetters = nil // nothing is opened that could have some
	}
	s.once, s.file.HTTP = true, ""
	dir, err := os.MkdirTemp("", "sluice-dry-run-")
	if err != nil {
		return fmt.Errorf("temporary state: %w", err)
	}
	s.dry.dir = dir
	s.closers = append(s.closers, func() error { return os.RemoveAll(dir) })
	return nil
}

// state copies the state of a pipeline, and gives the path of the copy.
func (r *rehearsal) state(path string) (string, error) {
	to := filepath.Join(r.dir, filepath.Base(path))
	return to, state.Copy(path, to)
}

// say writes a line for what would change, and counts.
func (r *rehearsal) say(pipeline string, c kind.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[pipeline][c.What]++
	if c.What == kind.Same {
		return
	}
	if c.What != kind.Gone {
		r.bytes[pipeline] += max(0, c.Size)
	}
	if _, err := fmt.Fprintf(r.out, "%s\t%s\t%s\n", pipeline, c.What, printable(c.Name)); err != nil {
		r.err = err
	}
}

// printable quotes a name that is not text on one line.
func printable(name string) string {
	if quoted := strconv.Quote(name); strings.Trim(quoted, `"`) != name {
		return quoted
	}
	return name
}

// end writes what would become of each pipeline's objects.
func (r *rehearsal) end(names []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range names {
		n := r.seen[name]
		fmt.Fprintf(r.out, "%s: %d new and %d changed would be copied (%d bytes), %d gone would be deleted, %d are the same\n",
			name, n[kind.New], n[kind.Changed], r.bytes[name], n[kind.Gone], n[kind.Same])
	}
	return errors.Join(r.err, r.out.Flush())
}

// silent is a source that is not told what was saved: nothing was delivered.
type silent struct{ pipeline.Source }

// Open implements [pipeline.Source].
func (s silent) Open(ctx context.Context, p *pipeline.Pass) (pipeline.Reader, error) {
	r, err := s.Source.Open(ctx, p)
	if err != nil {
		return nil, err
	}
	return struct{ pipeline.Reader }{r}, nil
}
