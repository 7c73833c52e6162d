package ops

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"sluice/pipeline"
)

// Outcome is how a pass ended.
type Outcome string

// The outcomes.
const (
	Complete Outcome = "complete" // all that was asked for was delivered, and the counts agree
	Partial  Outcome = "partial"  // complete, but for dead letters and objects that could not be had
	Failed   Outcome = "failed"   // an error ended it; run again to resume
	Stopped  Outcome = "stopped"  // it was stopped before its end; run again to resume
)

// Outcomes lists all, the worst first.
var Outcomes = []Outcome{Failed, Stopped, Partial, Complete}

// Report is what became of one pass. It is a contract: scripts read it.
type Report struct {
	Outcome Outcome          `json:"outcome"`
	Pass    int64            `json:"pass"`    // 0: it failed before it knew
	Records Records          `json:"records"` // of the whole pass, earlier runs included; so are bytes and objects
	Bytes   Bytes            `json:"bytes"`
	Objects Objects          `json:"objects"`
	Lanes   Lanes            `json:"lanes"`
	Retries map[string]int64 `json:"retries"`         // of this run, by cause
	Seconds float64          `json:"seconds"`         // of this run
	Notes   []string         `json:"notes,omitempty"` // what is left out as configured
	Error   string           `json:"error,omitempty"`

	moved int64 // records of this run
}

// Records says what became of records: read + created = written + filtered +
// dead, unless items were written whose records nobody counted.
type Records struct {
	Read      int64 `json:"read"`
	Created   int64 `json:"created"`
	Written   int64 `json:"written"`
	Filtered  int64 `json:"filtered"`
	Dead      int64 `json:"dead"`
	Uncounted int64 `json:"uncounted_items,omitempty"`
}

// Bytes counts bytes as the source gave and as the sink stored them. What was
// created or filtered, or is dead, is counted in records alone: nobody knows
// how many of the source's bytes, compressed perhaps, a record was.
type Bytes struct {
	Read    int64 `json:"read"`
	Written int64 `json:"written"`
}

// Objects counts objects, files and commits.
type Objects struct {
	Read     int64 `json:"read"`
	Written  int64 `json:"written"`
	Skipped  int64 `json:"skipped"`  // the sink did not want
	Deleted  int64 `json:"deleted"`  // removed at the sink, because the source no longer has them
	Vanished int64 `json:"vanished"` // could not be had
}

// Lanes counts the lanes of a pass.
type Lanes struct {
	Total  int `json:"total"`
	Ended  int `json:"ended"`
	Open   int `json:"-"` // that move now
	Failed int `json:"-"`
}

func countLanes(lanes []pipeline.LaneStatus) Lanes {
	n := Lanes{Total: len(lanes)}
	for _, l := range lanes {
		switch {
		case l.State.Ended:
			n.Ended++
		case l.Open:
			n.Open++
		case l.Err != nil:
			n.Failed++
		}
	}
	return n
}

// NewReport says what a run did to its pass. s is the status it ended with.
func NewReport(res pipeline.Result, s pipeline.Status, err error) Report {
	c := res.Counts
	r := Report{
		Pass:    res.Pass,
		Records: Records{c.Read, c.Created, c.Written, c.Filtered, c.Dead, c.Unknown},
		Bytes:   Bytes{c.BytesRead, c.BytesWritten},
		Objects: Objects{c.ObjectsRead, c.ObjectsWritten, c.Skipped, c.Deleted, c.GivenUp},
		Lanes:   countLanes(s.Lanes),
		Retries: s.Retries,
	}
	if r.Retries == nil {
		r.Retries = map[string]int64{}
	}
	if err == nil {
		err = r.disagree(res.Complete)
	}
	switch {
	case err != nil:
		r.Outcome, r.Error = Failed, err.Error()
	case !res.Complete:
		r.Outcome = Stopped
	case c.Dead > 0 || c.GivenUp > 0:
		r.Outcome = Partial
	default:
		r.Outcome = Complete
	}
	return r
}

// NeverBegan is the report of a pass that an error kept from beginning.
func NeverBegan(err error) Report {
	return NewReport(pipeline.Result{}, pipeline.Status{}, err)
}

// Log logs the report.
func (r Report) Log(log *slog.Logger, name string) {
	level := slog.LevelInfo
	if r.Lanes.Total == 0 {
		level = slog.LevelDebug // there was nothing new
	}
	switch r.Outcome {
	case Failed:
		level = slog.LevelError
	case Partial, Stopped:
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("pipeline", name), slog.String("outcome", string(r.Outcome)), slog.Int64("pass", r.Pass),
		slog.Int64("read", r.Records.Read+r.Records.Created), slog.Int64("written", r.Records.Written),
		slog.Int64("filtered", r.Records.Filtered), slog.Int64("dead", r.Records.Dead),
		slog.Int64("objects_read", r.Objects.Read), slog.Int64("objects_written", r.Objects.Written),
		slog.Int64("objects_skipped", r.Objects.Skipped), slog.Int64("objects_deleted", r.Objects.Deleted), slog.Int64("vanished", r.Objects.Vanished),
		slog.Float64("seconds", r.Seconds),
	}
	if r.Error != "" {
		attrs = append(attrs, slog.String("error", r.Error))
	}
	log.LogAttrs(context.Background(), level, passEvent, attrs...)
}

// disagree checks the promise once more where it is made: what was read is
// accounted for, and nothing that is complete has a lane that is not.
func (r Report) disagree(complete bool) error {
	n := r.Records
	if n.Uncounted == 0 && n.Read+n.Created != n.Written+n.Filtered+n.Dead {
		return fmt.Errorf("counts do not agree: %d read + %d created, but %d written + %d filtered + %d dead", n.Read, n.Created, n.Written, n.Filtered, n.Dead)
	}
	if complete && r.Lanes.Ended != r.Lanes.Total {
		return fmt.Errorf("complete with %d of %d lanes ended", r.Lanes.Ended, r.Lanes.Total)
	}
	return nil
}

// Reports are the reports of a run by the name of the pipeline.
type Reports map[string]Report

// Outcome is the worst of them, and complete if there are none.
func (rs Reports) Outcome() Outcome {
	for _, o := range Outcomes {
		for _, r := range rs {
			if r.Outcome == o {
				return o
			}
		}
	}
	return Complete
}

// Write writes the reports as one JSON object.
func (rs Reports) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		Outcome   Outcome `json:"outcome"`
		Pipelines Reports `json:"pipelines"`
	}{rs.Outcome(), rs})
}

// WriteFile makes path hold the reports, all of them or what it held before.
// What is no regular file, such as a pipe, is written to as it is.
func (rs Reports) WriteFile(path string) error {
	var b bytes.Buffer
	err := rs.Write(&b)
	if info, serr := os.Stat(path); err == nil && serr == nil && !info.Mode().IsRegular() {
		err = os.WriteFile(path, b.Bytes(), 0)
	} else if err == nil {
		err = replace(path, b.Bytes())
	}
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

func replace(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".sluice-report-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	_, err = f.Write(content)
	for _, step := range []func() error{func() error { return f.Chmod(0o644) }, f.Sync, f.Close} {
		if serr := step(); err == nil {
			err = serr
		}
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
