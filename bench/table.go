package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// mover moves n documents between an index and objects.
type mover func(ctx context.Context, n int, pipeline, index string) (cost, error)

// move calls f with the index that the pipeline is to read, or a new one for
// it to write.
func (b *bench) move(ctx context.Context, n int, pipeline string, f mover) (cost, error) {
	if pipeline == "dump" {
		return f(ctx, n, pipeline, b.source(n))
	}
	index := fmt.Sprintf("%s-to-%d", b.Bucket, time.Now().UnixNano())
	if err := b.newIndex(ctx, index); err != nil {
		return cost{}, err
	}
	c, err := f(ctx, n, pipeline, index)
	if err != nil {
		return c, err
	}
	return c, b.removeIndex(ctx)
}

// row is the figures of a pipeline.
type row struct {
	sluice, floor      cost
	all, floorAll, own float64 // allocations of a record
	lanes              int     // of Sluice, at a time
}

// measure prints the figures.
func (b *bench) measure(ctx context.Context) error {
	if err := b.fill(ctx); err != nil {
		return err
	}
	gb := float64(b.size(b.documents)) / 1e9
	fmt.Printf("%d documents of %d bytes, %.3f GB of records, %d shards, %s servers, median of %d\n\n", b.documents, b.bytes, gb, b.Lanes, b.servers, b.runs)
	fmt.Printf("%-6s | %9s %9s %6s %5s | %9s %8s %8s %6s | %9s %6s %11s\n%-6s | %9s %9s %6s %5s | %9s %8s %8s %6s |\n",
		"", "CPU s/GB", "floor", "ratio", "aim", "allocs", "floor's", "without", "aim", "peak RSS", "lanes", "records/s",
		"", "", "", "", "", "/record", "", "HTTP", "")
	for _, p := range []struct {
		name string
		aim  float64
	}{{"dump", 1.5}, {"load", 2}} {
		r, err := b.row(ctx, p.name)
		if err != nil {
			return err
		}
		fmt.Printf("%-6s | %9.2f %9.2f %6.2f %5.1f | %9.4f %8.4f %8.4f %6.2f | %6.1f MB %6d %11.0f\n", p.name,
			r.sluice.cpu.Seconds()/gb, r.floor.cpu.Seconds()/gb, r.sluice.cpu.Seconds()/r.floor.cpu.Seconds(), p.aim,
			r.all, r.floorAll, r.own, 0.01,
			float64(r.sluice.rss)/1e6, r.lanes, float64(b.documents)/r.sluice.wall.Seconds())
	}
	return nil
}

func (b *bench) row(ctx context.Context, pipeline string) (r row, err error) {
	if err = b.times(ctx, pipeline, &r); err == nil {
		err = b.allocations(ctx, pipeline, &r)
	}
	if err != nil || b.profiles == "" {
		return r, err
	}
	_, err = b.move(ctx, b.documents, pipeline, func(ctx context.Context, _ int, pipeline, index string) (cost, error) {
		return cost{}, b.profile(ctx, pipeline, index, pipeline)
	})
	return r, err
}

// profile writes where the CPU time of a pipeline goes, into a file of a name.
func (b *bench) profile(ctx context.Context, pipeline, index, name string) error {
	file, err := filepath.Abs(filepath.Join(b.profiles, name+".pprof"))
	if err == nil {
		_, err = b.inside(ctx, b.documents, pipeline, index, file)
	}
	return err
}

// times measures Sluice and the floor in turns.
func (b *bench) times(ctx context.Context, pipeline string, r *row) error {
	var all [2][]cost
	for range b.runs {
		for i, f := range []mover{b.sluice, b.floor} {
			c, err := b.move(ctx, b.documents, pipeline, f)
			if err != nil {
				return err
			}
			all[i] = append(all[i], c)
			fmt.Fprintf(os.Stderr, "%s, %s: CPU %v, %v long\n", pipeline, [...]string{"sluice", "floor"}[i], c.cpu.Round(time.Millisecond), c.wall.Round(time.Millisecond))
		}
	}
	r.sluice, r.floor = median(all[0]), median(all[1])
	return nil
}

func median(all []cost) cost {
	slices.SortFunc(all, func(a, b cost) int { return int(a.cpu - b.cpu) })
	return all[len(all)/2]
}

// allocations counts what one more record takes.
func (b *bench) allocations(ctx context.Context, pipeline string, r *row) error {
	inside := func(ctx context.Context, n int, pipeline, index string) (cost, error) {
		return b.inside(ctx, n, pipeline, index, "")
	}
	half, all := b.documents/2, b.documents
	more := float64(all - half)
	for i, f := range []mover{inside, b.floor} {
		few, err := b.move(ctx, half, pipeline, f)
		if err != nil {
			return err
		}
		many, err := b.move(ctx, all, pipeline, f)
		if err != nil {
			return err
		}
		per := (float64(many.Objects) - float64(few.Objects)) / more
		if i == 1 {
			r.floorAll = per
			continue
		}
		r.all, r.own, r.lanes = per, (float64(many.Own)-float64(few.Own))/more, many.Lanes
	}
	return nil
}
