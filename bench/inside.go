package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"sluice/internal/config"
	"sluice/internal/ops"
	"sluice/internal/state"
)

// done is what a process did.
type done struct {
	Bytes   int64         // of records or pages that the floor read
	Lanes   int           // at a time
	Objects uint64        // that were allocated
	Own     uint64        // without those of HTTP clients
	CPU     time.Duration // of what counts, where that is not the process
}

// counted calls f and counts what is allocated meanwhile.
func counted(f func() error) (d done, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = f()
	runtime.ReadMemStats(&after)
	d.Objects = after.Mallocs - before.Mallocs
	return d, err
}

// inside runs a pipeline in this process, with the state, the watch and the
// limit of memory that it has under `sluice run`, and prints what it did. It
// writes a profile, or else it counts allocations.
func inside(ctx context.Context, t task) (err error) {
	text, err := os.ReadFile(t.Config)
	if err != nil {
		return err
	}
	file, err := config.Parse(t.Config, text, config.Options{})
	if err != nil {
		return err
	}
	var chosen []*config.Pipeline
	for _, p := range file.Pipelines {
		if p.Name == t.Pipeline {
			chosen = append(chosen, p)
		}
	}
	fitted, err := file.Fit(chosen...)
	if err != nil {
		return err
	}
	ops.LimitMemory(file.Memory)
	st, err := state.Open(filepath.Join(file.State, t.Pipeline+".db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := st.Bind(chosen[0].Identity()); err != nil {
		return err
	}
	w := ops.NewWatch(t.Pipeline)
	w.Use(fitted[0].Pipeline(config.Links{Store: st, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}), nil)
	pass := func() error {
		r := w.Pass(ctx)
		if r.Outcome != ops.Complete || r.Records.Written != int64(t.Documents) {
			return fmt.Errorf("%s: %d records, want %d: %s", r.Outcome, r.Records.Written, t.Documents, r.Error)
		}
		return nil
	}
	if t.Profile != "" {
		return profiled(t.Profile, pass)
	}
	d, err := counted(pass)
	if err != nil {
		return err
	}
	d.Lanes, d.Own = fitted[0].Lanes, own()
	return json.NewEncoder(os.Stdout).Encode(d)
}

// own is how many objects were allocated outside of HTTP clients, which need
// about a hundred for each request, and the SDK of S3 some hundreds.
func own() (n uint64) {
	runtime.GC() // the profile shows what was allocated before the last one
	records := make([]runtime.MemProfileRecord, 20_000)
	count, _ := runtime.MemProfile(records, true)
	for _, r := range records[:min(count, len(records))] {
		if !ofClient(r.Stack()) {
			n += uint64(r.AllocObjects)
		}
	}
	return n
}

// ofClient reports whether an HTTP client is in a stack.
func ofClient(stack []uintptr) bool {
	frames := runtime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		for _, p := range []string{"net/http.", "github.com/aws/"} {
			if strings.HasPrefix(f.Function, p) {
				return true
			}
		}
		if !more {
			return false
		}
	}
}

// profiled calls f and writes to a file where its CPU time goes.
func profiled(path string, f func() error) (err error) {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return f()
}
