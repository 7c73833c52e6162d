package main

import (
	"fmt"
	"time"

	"sluice/internal/config"
	"sluice/internal/ops"
)

// warnings are what somebody may not expect of a pipeline, each with what to do.
func warnings(f *finding, together []*config.Fitted) (all []string) {
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	all = append(all, f.Config.Warnings()...)
	for _, p := range f.parts {
		for _, w := range p.Warnings {
			all = append(all, p.name+": "+w)
		}
	}
	if f.Lanes < f.Config.Lanes {
		add("%s configured, memory has room for %d; for all of them: memory: %v", plural(f.Config.Lanes, "lane"), f.Lanes, config.Wanted(together))
	}
	if w := alone(f); w != "" {
		all = append(all, w)
	}
	if f.Config.DeadLetters == nil && f.Config.OnError == "dead_letter" {
		add("on_error: dead_letter, but there are no dead_letters: what cannot be had ends the run")
	}
	all = append(all, f.Config.Notes()...)
	if w := hasty(f); w != "" {
		all = append(all, w)
	}
	if w := crowded(f); w != "" {
		all = append(all, w)
	}
	return all
}

// long is a pass for which it is worth while to have lanes.
const long = time.Minute

// alone warns of a long pass of one lane.
func alone(f *finding) string {
	e := f.expected
	if e.timed && e.time < long || !e.timed && !e.in.Least && e.in.Records < 1_000_000 && e.in.Bytes < 1<<30 {
		return ""
	}
	switch {
	case f.Config.Lanes == 1:
		return "lanes: 1: one part after the other is read; with lanes: 4 as many are read side by side, if the source has as many"
	case e.in.Lanes == 1:
		return "one lane reads all: the source has one part (one shard, or few keys), and lanes beyond the first have nothing to do"
	}
	return ""
}

// hasty warns of passes that follow each other so fast that objects stay small.
func hasty(f *finding) string {
	s, ok := f.sink().stage.(interface{ Rolled() bool })
	if f.Config.Schedule == nil || !ok || !s.Rolled() {
		return ""
	}
	now := time.Now()
	first := f.Config.Schedule.Next(now, now)
	every := f.Config.Schedule.Next(first, first).Sub(first)
	if every < time.Minute {
		return fmt.Sprintf("passes begin every %v, and the end of a pass ends the object that is being written: up to %s objects a day in each lane; with every: 5m they are fewer and larger",
			every, ops.Count(int64(24*time.Hour/max(every, time.Millisecond))))
	}
	return fmt.Sprintf("the end of a pass ends the object that is being written: a pass every %s sets the size of objects on quiet lanes", ops.Span(every))
}

// crowded warns of a target that has no room for what would be written.
func crowded(f *finding) string {
	free, out := f.sink().Free, f.expected.out.Bytes
	if free == 0 || out <= free {
		return ""
	}
	return fmt.Sprintf("about %s would be written, and the file system of the sink has %s free: make room there first", ops.Size(out), ops.Size(free))
}
