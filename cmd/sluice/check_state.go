package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"sluice/internal/config"
	"sluice/internal/disk"
	"sluice/internal/ops"
	"sluice/internal/state"
)

// standing is what the state of a pipeline says before it runs.
type standing struct {
	lines []string
	fresh bool  // there is none
	size  int64 // bytes of it
	free  int64 // bytes that its file system has
	err   error // why the next run could not use it
}

// stand looks at the state of a pipeline, and changes nothing there.
func stand(file *config.File, p *config.Pipeline) (s standing) {
	path := stateFile(file.State, p.Name)
	if info, err := os.Stat(path); err == nil {
		s.size = info.Size()
	}
	if err := disk.Writable(file.State); err != nil {
		s.err = fmt.Errorf("%w; the option state says which directory", err)
		return s
	}
	known, err := state.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.fresh = true
		s.say("%s: none: the first run begins at the beginning", path)
	case err != nil:
		s.err = err
	default:
		s.err = known.Fits(p.Identity())
		s.say("%s: %s", path, progress(known))
	}
	if free, err := disk.Free(file.State); err == nil {
		s.free = free
	} else {
		s.err = errors.Join(s.err, err)
	}
	return s
}

func (s *standing) say(format string, args ...any) {
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

// progress says what the next run begins with.
func progress(s *state.Summary) string {
	ended := 0
	for _, l := range s.States {
		if l.Ended {
			ended++
		}
	}
	switch {
	case s.InUse != "":
		return fmt.Sprintf("in use by process %s, in pass %d", s.InUse, s.Pass)
	case s.Pass == 0:
		return "the first run begins at the beginning"
	case s.Complete:
		return fmt.Sprintf("pass %d is complete: the next run begins pass %d", s.Pass, s.Pass+1)
	}
	return fmt.Sprintf("the next run goes on with pass %d, of which %d of %s have ended", s.Pass, ended, plural(len(s.Lanes), "lane"))
}

const (
	leastState = 128 << 10 // of an empty one, and of what is always in it
	laneState  = 2 << 10   // of a lane: its plan, its position and counts
)

// takes is about how large the state gets: what it remembers is twice there
// while a database of pages is half full.
func (s *standing) takes(lanes int, remembered int64) int64 {
	return max(s.size, leastState+int64(lanes)*laneState+2*remembered)
}

// room says what the state takes of what there is, and fails if that is less.
func (s *standing) room(takes int64) {
	if s.err != nil {
		return
	}
	s.say("it takes about %s; its file system has %s free", ops.Size(takes), ops.Size(s.free))
	if more := takes - s.size; s.free < more {
		s.err = fmt.Errorf("the state takes about %s more, and its file system has %s free: make room there, or name another directory by the option state", ops.Size(more), ops.Size(s.free))
	}
}
