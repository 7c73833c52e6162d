// Command s3 measures what Sluice costs at a bucket, beside s5cmd or a floor, in
// one run: `make bench-s3`.
//
//   - small: objects of 2 KB are read from a bucket of the real store, and
//     written to it and to a store that forgets them, with 10 ms added to each
//     request. s5cmd does the same work on the same bucket: it copies them into
//     a directory, and out of it. Sluice reads them into one object at a store
//     that forgets it, so that it is measured how fast it reads.
//   - known: a made-up bucket is listed whose objects are known already, by a
//     pipeline of mode: new, at two sizes.
//   - big: one gzip object is taken apart into lines and compressed into
//     another, by a multipart upload. The floor decompresses and compresses the
//     same bytes, and does nothing else.
//
// CPU is user and system time of the client's process alone; figures of time
// include its start and its end. The real store is that of SLUICE_TEST_S3.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"sluice/internal/unit"
	"sluice/test/servers"
)

// bench is what is to be measured, and where.
type bench struct {
	objects, keys, lanes, runs int
	latency                    time.Duration
	big                        unit.Bytes
	program                    string
	dir                        string // files of the measurement
	store                      servers.Store
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	if len(args) == 3 && args[0] == "floor" {
		return floor(args[1], args[2])
	}
	b := bench{big: 1 << 30}
	f := flag.NewFlagSet("bench", flag.ExitOnError)
	parts := f.String("parts", "small,known,big", "what to measure")
	f.IntVar(&b.objects, "objects", 5000, "small: how many objects")
	f.DurationVar(&b.latency, "latency", 10*time.Millisecond, "small: added to each request")
	f.IntVar(&b.keys, "keys", 1_000_000, "known: how many keys; also measured with a tenth")
	f.Func("big", "big: `SIZE` of the object, as 5GiB", func(s string) error { return b.big.UnmarshalText([]byte(s)) })
	f.IntVar(&b.lanes, "lanes", 0, "lanes of Sluice; 0: its default")
	f.IntVar(&b.runs, "runs", 1, "runs, of which the median counts")
	f.StringVar(&b.program, "sluice", "bin/sluice", "program that is measured")
	f.Parse(args)
	if b.program, err = filepath.Abs(b.program); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "sluice-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	measures := map[string]func(context.Context) error{"small": b.measureSmall, "known": b.measureKnown, "big": b.measureBig}
	for _, part := range strings.Split(*parts, ",") {
		if measures[part] == nil {
			return fmt.Errorf("-parts: %q is none of small, known and big", part)
		}
		if err := measures[part](ctx); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	return nil
}

// median calls f as often as is asked for, and returns what took the median time.
func (b *bench) median(f func() (cost, error)) (cost, error) {
	var all []cost
	for range b.runs {
		c, err := f()
		if err != nil {
			return c, err
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b cost) int { return int(a.wall - b.wall) })
	return all[len(all)/2], nil
}
