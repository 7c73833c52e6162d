package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"syscall"

	"sluice/internal/config"
	"sluice/internal/daemon"
	"sluice/internal/state"
)

// origin is where a configuration came from.
type origin struct {
	path  string
	text  []byte
	names []string // of the pipelines that were asked for; none: all
}

// configuration is what the daemon follows, nil if it follows none. done is to
// be called at the end.
func (s *session) configuration() (c *daemon.Configuration, done func()) {
	if s.origin == nil || s.daemon.Once {
		return nil, func() {}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	return &daemon.Configuration{
		Text: s.origin.text, Jobs: s.reread, Again: signals,
		Read: func() ([]byte, error) { return os.ReadFile(s.origin.path) },
	}, func() { signal.Stop(signals) }
}

// reread makes jobs of a configuration that is to take the place of the one that
// runs.
func (s *session) reread(text []byte) ([]daemon.Job, error) {
	file, err := config.Parse(s.origin.path, text, config.Options{})
	if err != nil {
		return nil, err
	}
	pipelines, err := choose(file, s.origin.names)
	if err != nil {
		return nil, err
	}
	changed := file.Keep(s.file)
	for _, p := range pipelines {
		if err := fits(stateFile(file.State, p.Name), p); err != nil {
			return nil, err
		}
	}
	jobs, err := s.jobs(file, pipelines)
	if err != nil {
		return nil, err
	}
	for _, name := range changed {
		s.log.Warn("this option changes when sluice is started again, and not before", "option", name)
	}
	s.file, s.pipelines = file, pipelines
	return jobs, nil
}

// fits refuses a pipeline that could not go on with its state.
func fits(path string, p *config.Pipeline) error {
	summary, err := state.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("pipeline %s: %w", p.Name, err)
	}
	return summary.Fits(p.Identity())
}
