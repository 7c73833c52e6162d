package main

import (
	"fmt"
	"time"

	"sluice/internal/check"
	"sluice/internal/ops"
)

// estimate is about what a pass from the beginning moves.
type estimate struct {
	in, out check.Load
	reads   int64 // requests to the source; -1: not known, or there are none
	writes  int64 // requests to the sink; likewise
	time    time.Duration
	timed   bool
}

// expect works out the estimate of what the source said, and of the sample.
func expect(f *finding) (e estimate) {
	e.in, e.reads, e.writes = f.source().Load, -1, -1
	ratio, kept := 1.0, 1.0
	if t := f.read; t != nil && t.err == nil {
		t.complete(&e.in)
		if read := t.in.bytes.Load(); read > 0 {
			ratio = float64(t.out.bytes.Load()) / float64(read)
		}
		kept = t.kept()
		e.time, e.timed = t.projected(e.in)
	}
	e.out = e.in
	if e.in.Bytes >= 0 {
		e.out.Bytes = int64(float64(e.in.Bytes) * ratio)
	}
	if e.in.Records >= 0 {
		e.out.Records = int64(float64(e.in.Records) * kept)
	}
	if r, ok := f.source().stage.(check.Requester); ok {
		e.reads = r.Requests(e.in)
	}
	e.out.Objects = -1
	if s, ok := f.sink().stage.(check.Estimator); ok && e.in.Lanes > 0 {
		out := e.out
		out.Objects = e.in.Objects
		e.out.Objects, e.writes = s.Estimate(out)
	}
	return e
}

// complete fills in what the source did not say: what its plan says, and what
// the sample shows.
func (t *reading) complete(l *check.Load) {
	records, bytes, lanes := int64(0), int64(0), 0
	for _, lane := range t.lanes {
		if !lane.Aside {
			records, bytes, lanes = records+lane.Records, bytes+lane.Bytes, lanes+1
		}
	}
	if l.Lanes == 0 {
		l.Lanes = lanes
	}
	read, size := t.in.records.Load(), t.in.bytes.Load()
	if t.whole && l.Objects < 0 {
		l.Records, l.Bytes = read, size
	}
	if l.Records < 0 && records > 0 {
		l.Records = records
	}
	if l.Bytes < 0 && bytes > 0 {
		l.Bytes = bytes
	}
	if l.Bytes < 0 && l.Records >= 0 && read > 0 {
		l.Bytes = int64(float64(l.Records) * float64(size) / float64(read))
	}
	if read == 0 && size > 0 && l.Records < 0 && l.Bytes >= 0 { // objects, from which records are made
		if made := t.out.records.Load(); made > 0 {
			l.Records = int64(float64(l.Bytes) * float64(made) / float64(size))
		}
	}
}

// kept is the share of records that transforms leave.
func (t *reading) kept() float64 {
	read := t.in.records.Load()
	if read == 0 {
		return 1
	}
	return min(1, float64(t.out.records.Load())/float64(read))
}

// projected is how long a load takes at the speed of the sample.
func (t *reading) projected(l check.Load) (time.Duration, bool) {
	read, all := t.in.bytes.Load(), l.Bytes
	switch {
	case t.whole:
		return t.took, true
	case read <= 0 || all <= 0:
		return 0, false
	}
	return time.Duration(float64(t.took) * max(1, float64(all)/float64(read))), true
}

// rows says the estimate, for people.
func (e estimate) rows(f *finding) (rows [][]string) {
	add := func(name, text string) {
		if text != "" {
			rows = append(rows, []string{name, text})
		}
	}
	least := ""
	if e.in.Least {
		least = "at least "
	}
	if e.in.Records >= 0 {
		add("documents", least+"about "+ops.Count(e.in.Records))
	}
	add("objects", both(e.in.Objects, e.out.Objects, ops.Count, least))
	add("bytes", both(e.in.Bytes, e.out.Bytes, ops.Size, least))
	add("requests", both(e.reads, e.writes, ops.Count, least))
	add("duration", e.duration(f))
	if t := f.read; t != nil && t.err == nil && t.in.items.Load() > 0 {
		add("sample", t.String())
	}
	return rows
}

// both says what is read and what is written, as far as it is known.
func both(in, out int64, say func(int64) string, least string) string {
	switch {
	case in >= 0 && out >= 0:
		return fmt.Sprintf("%s%s read, about %s written", least, say(in), say(out))
	case in >= 0:
		return fmt.Sprintf("%s%s read", least, say(in))
	case out >= 0:
		return fmt.Sprintf("about %s written", say(out))
	}
	return ""
}

func (e estimate) duration(f *finding) string {
	switch {
	case e.timed:
		least := ""
		if e.in.Least {
			least = "at least "
		}
		if e.time < time.Second {
			return "less than a second at the speed of the sample, if the sink keeps up"
		}
		return fmt.Sprintf("%sabout %s at the speed of the sample, if the sink keeps up", least, ops.Span(e.time))
	case f.why != "":
		return "not known: no sample was read: " + f.why
	case f.read.err != nil:
		return "not known: the sample could not be read"
	}
	return "not known: how much there is in all is not"
}

// String says what was read.
func (t *reading) String() string {
	text := ops.Size(t.in.bytes.Load())
	if n := t.in.records.Load(); n > 0 {
		text = ops.Count(n) + " documents, " + text
	}
	if t.took < time.Second {
		text += fmt.Sprintf(" in %dms", t.took.Milliseconds())
	} else {
		text += fmt.Sprintf(" in %.1fs", t.took.Seconds())
	}
	if s := t.took.Seconds(); s > 0.05 {
		text += fmt.Sprintf(": %s a second", ops.Size(int64(float64(t.in.bytes.Load())/s)))
	}
	if t.whole {
		text += "; it is all there is"
	}
	return text
}
