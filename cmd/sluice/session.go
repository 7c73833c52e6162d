package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"sluice/internal/config"
	"sluice/internal/daemon"
	"sluice/internal/ops"
	"sluice/internal/otlp"
	status "sluice/internal/page"
)

// session runs pipelines side by side, and shows and reports what they do.
type session struct {
	view
	file      *config.File
	pipelines []*config.Pipeline
	origin    *origin // nil: the configuration is not read again
	once      bool    // pipelines that repeat their passes make one
	accept    bool
	again     string                         // what to do about a pass that is not complete
	adjust    func([]*config.Pipeline) error // what flags say of pipelines; nil: nothing
	dry       *rehearsal                     // nil: a real run
	stdout    io.Writer
	pprof     bool // profiles are served over http

	began   time.Time
	events  *ops.Events
	console *ops.Console
	log     *slog.Logger
	board   *ops.Board
	daemon  *daemon.Daemon
	opened  bool         // all pipelines
	http    net.Listener // nil: none
	closers []func() error
	writing sync.Mutex // of the report
}

// run runs the session. The error says with which status the process ends.
func (s *session) run(ctx context.Context) (err error) {
	if s.console, s.log, err = s.view.open(); err != nil {
		return err
	}
	s.began = time.Now()
	s.log, s.events = ops.Keep(s.log)
	defer s.events.Flush()
	slog.SetDefault(s.log) // for what is logged outside of passes
	jobs, err := s.jobs(s.file, s.pipelines)
	if err != nil {
		return s.close(err)
	}
	s.board = new(ops.Board)
	s.daemon = &daemon.Daemon{Log: s.log, Board: s.board, Once: !slices.ContainsFunc(s.pipelines, s.repeats), Ended: s.ended}
	c, done := s.configuration()
	defer done()
	if err = s.open(ctx, jobs); err == nil {
		err = s.move(ctx, c)
	}
	return s.end(s.close(err))
}

func (s *session) close(err error) error {
	for _, c := range slices.Backward(s.closers) {
		err = errors.Join(err, c())
	}
	return err
}

// open opens all that may be missing or in use, before anything moves.
func (s *session) open(ctx context.Context, jobs []daemon.Job) (err error) {
	if s.file.HTTP != "" {
		if s.http, err = ops.Listen(ctx, s.file.HTTP); err != nil {
			return err
		}
		s.log.Info("http listens", "address", s.http.Addr().String())
		s.closers = append(s.closers, func() error { s.http.Close(); return nil }) // an error says that it is closed
	}
	if err := s.daemon.Open(ctx, jobs); err != nil {
		return err
	}
	s.opened, s.accept = true, false // what is to be accepted was there when the process began
	return nil
}

// move runs the pipelines to their end or until ctx ends, and shows them
// meanwhile. They follow a configuration, if there is one.
func (s *session) move(ctx context.Context, c *daemon.Configuration) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	shown, end := context.WithCancel(context.WithoutCancel(ctx))
	said := context.AfterFunc(ctx, func() {
		s.log.Warn("stopping: what has been read is delivered; a second signal leaves at once")
	})
	var g errgroup.Group
	if s.http != nil {
		g.Go(func() error {
			defer stop()
			return ops.Serve(shown, s.http, s.site().Handler())
		})
		g.Go(func() error { ops.Sample(shown, s.board); return nil })
	}
	if s.file.OTLP != nil && s.dry == nil {
		g.Go(func() error { s.pusher().Run(shown); return nil })
	}
	g.Go(func() error { s.progress(shown); return nil })
	g.Go(func() error {
		defer end()
		defer said()
		return s.daemon.Run(ctx, c)
	})
	return g.Wait()
}

// site is what is served over http.
func (s *session) site() *ops.Site {
	return &ops.Site{
		Build: build(), Board: s.board, Events: s.events, Control: s.daemon, Guard: ops.GuardFor(s.http, s.file.HTTPToken),
		Memory: int64(s.file.Memory), Started: s.began, Log: s.log, Pprof: s.pprof, Metrics: s.registry(), Page: status.Handler(),
	}
}

// registry has all metrics.
func (s *session) registry() *prometheus.Registry {
	var others []prometheus.Collector
	if s.file.Metrics.GitSync {
		others = append(others, ops.GitSync{Board: s.board})
	}
	return ops.Registry(build(), s.board, int64(s.file.Memory), others...)
}

// pusher pushes metrics to a collector.
func (s *session) pusher() *otlp.Pusher {
	return &otlp.Pusher{
		Config: s.file.OTLP, From: s.registry(), Version: build().Version, Began: s.began,
		Failed: func(err error) { s.log.Warn("metrics were not pushed", "error", err) },
	}
}

func (s *session) progress(ctx context.Context) {
	switch {
	case s.quiet, s.dry != nil:
	case s.console.Terminal && !s.json():
		ops.Bars(ctx, s.console, s.board)
	default:
		ops.Lines(ctx, s.log, s.board)
	}
}

// ended is told of each pass. Of one that is the only one, the summary tells.
func (s *session) ended(j daemon.Job, r ops.Report) {
	if !s.daemon.Once || s.dry == nil && (s.quiet || s.json()) {
		r.Log(s.log, j.Name)
	}
	if !s.daemon.Once {
		s.reportSoFar()
	}
}

// repeats says whether a pipeline repeats its passes until it is stopped.
func (s *session) repeats(p *config.Pipeline) bool { return p.Schedule != nil && !s.once }
