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
	"runtime/debug"
	"runtime/pprof"

	"sluice/internal/config"
	"sluice/internal/ops"
	"sluice/internal/state"
)

// mallocs is what a run has allocated.
type mallocs struct{ Objects, Bytes uint64 }

// inside runs a pipeline in this process, with the state, the watch and the
// limit of memory that it has under `sluice run`, and prints its mallocs.
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
	fitted, err := config.Fit(file.Memory, chosen...)
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(int64(file.Memory) + 16<<20) // as cmd/sluice does
	st, err := state.Open(filepath.Join(file.State, t.Pipeline+".db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := st.Bind(chosen[0].Identity()); err != nil {
		return err
	}
	w := ops.NewWatch(fitted[0].Pipeline(config.Links{Store: st, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := profiled(t.Profile, func() ops.Report { return w.Pass(ctx) })
	if err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	if r.Outcome != ops.Complete || r.Records.Written != int64(t.Documents) {
		return fmt.Errorf("%s: %d records, want %d: %s", r.Outcome, r.Records.Written, t.Documents, r.Error)
	}
	return json.NewEncoder(os.Stdout).Encode(mallocs{after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc})
}

// profiled calls f and, if path is given, writes path.cpu.pprof and
// path.allocs.pprof.
func profiled(path string, f func() ops.Report) (r ops.Report, err error) {
	if path == "" {
		return f(), nil
	}
	cpu, err := os.Create(path + ".cpu.pprof")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, cpu.Close()) }()
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return r, err
	}
	r = f()
	pprof.StopCPUProfile()
	allocs, err := os.Create(path + ".allocs.pprof")
	if err != nil {
		return r, err
	}
	return r, errors.Join(pprof.Lookup("allocs").WriteTo(allocs, 0), allocs.Close())
}
