package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"sluice/internal/config"
	"sluice/internal/state"
	"sluice/pipeline"
)

// sample is the first records that the edits of a pipeline would see.
type sample struct {
	file     *config.File
	pipeline *config.Pipeline
	before   int // transforms before the edits
	most     int // records

	mu      sync.Mutex
	records [][]byte
}

// take reads records: of the source of the pipeline, or of the one that is
// named. It works on a state of its own, and the source is told of nothing that
// was saved.
func (s *sample) take(ctx context.Context, named []string) ([][]byte, error) {
	file, from, stages := s.file, s.pipeline, s.before
	if len(named) > 0 {
		var err error
		if file, err = s.other(named[0]); err != nil {
			return nil, usage(err)
		}
		from = file.Pipelines[0]
		stages = len(from.Transforms)
	}
	fitted, err := file.Fit(from)
	if err != nil {
		return nil, usage(err)
	}
	dir, err := os.MkdirTemp("", "sluice-sample-")
	if err != nil {
		return nil, fmt.Errorf("temporary state: %w", err)
	}
	defer os.RemoveAll(dir)
	store, err := state.Open(filepath.Join(dir, "sample.db"))
	if err != nil {
		return nil, err
	}
	defer store.Close()
	p := fitted[0].Pipeline(config.Links{Store: store})
	p.Dead = ignored{}
	p.Source, p.Sink, p.Stages, p.Lanes = silent{p.Source}, taker{s}, p.Stages[:stages], 1
	_, err = p.Run(ctx)
	switch {
	case errors.Is(err, errEnough):
		return s.records, nil
	case err != nil:
		return nil, err
	case ctx.Err() != nil:
		return nil, errors.New("stopped")
	case len(s.records) == 0:
		return nil, errors.New("there are no records")
	}
	return s.records, nil
}

// other is a configuration that reads records from a file, from standard input,
// or as copy does.
func (s *sample) other(name string) (*config.File, error) {
	if name != "-" && !strings.Contains(name, ":") {
		name = "file:" + name
	}
	l, err := locate("source", name)
	if err != nil {
		return nil, err
	}
	settings := append(l.settings,
		config.Setting{Path: "sink." + stdout},
		config.Setting{Path: "memory", Value: s.file.Memory.String()},
		config.Setting{Path: "max_record", Value: s.pipeline.MaxRecord.String()})
	if !l.records {
		settings = append(settings, config.Setting{Path: "transforms.0.decompress"}, config.Setting{Path: "transforms.1.lines"})
	}
	return config.New("sample", settings, config.Options{Transient: true, Kinds: kinds()})
}

// errEnough ends a run that has taken its records.
var errEnough = errors.New("enough records")

// taker is a sink that takes records until there are enough.
type taker struct{ *sample }

// Open implements [pipeline.Sink].
func (t taker) Open(context.Context, *pipeline.Pass) (pipeline.Writer, error) { return t, nil }

// Write implements [pipeline.Writer].
func (t taker) Write(ctx context.Context, lane pipeline.Lane, _ string, in <-chan *pipeline.Item) error {
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if !ok {
			return err
		}
		if it.Body != nil && !lane.Aside {
			if err := t.split(ctx, it.Body); err != nil {
				return err
			}
		}
		if err := it.Done(); err != nil {
			return err
		}
	}
}

// split takes the records of a body.
func (t taker) split(ctx context.Context, body pipeline.Body) error {
	r, err := body.Open(ctx)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(r) // a block
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for line := range bytes.Lines(text) {
		if len(t.records) >= t.most {
			return errEnough
		}
		t.records = append(t.records, line)
	}
	return nil
}

// Finish implements [pipeline.Writer].
func (taker) Finish(context.Context) error { return nil }

// Close implements [pipeline.Writer].
func (taker) Close() error { return nil }

// ignored is dead letters that nobody keeps.
type ignored struct{}

// Write implements [pipeline.DeadLetters].
func (ignored) Write(context.Context, pipeline.Letter) error { return nil }

// Sync implements [pipeline.DeadLetters].
func (ignored) Sync(context.Context) error { return nil }
