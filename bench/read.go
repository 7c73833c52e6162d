package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// ways is how an index can be read.
var ways = [...]string{"pit", "shared", "scroll", "sequence"}

// reading is the figures of a program that copies an index into files.
type reading struct {
	name          string
	program       cost
	reader, floor cost  // of Sluice: what asks for the pages, and what compresses
	few           int64 // peak of resident memory with a tenth of the documents
	files         compared
	documents     int
}

// aim is the CPU time that reading and compressing may take.
func (r *reading) aim() time.Duration {
	return time.Duration(1.1 * (float64(r.reader.cpu) + 1.5*float64(r.floor.cpu)))
}

// measureRead prints the figures of each way of reading, and of elasticdump.
func (b *bench) measureRead(ctx context.Context) error {
	few := b.documents / 10
	for _, n := range []int{b.documents, few} {
		fmt.Fprintf(os.Stderr, "making %d documents\n", n)
		if err := b.newIndex(ctx, b.source(n)); err != nil {
			return err
		}
		if _, err := b.sluice(ctx, n, "index", b.source(n)); err != nil {
			return err
		}
	}
	fmt.Printf("%d documents of %d bytes, %.3f GB of records, %d shards, gzip level %d into files, %d processors, median of %d\n\n",
		b.documents, b.bytes, float64(b.size(b.documents))/1e9, b.Lanes, level, runtime.NumCPU(), b.runs)
	fmt.Printf(readHead, few)
	for _, way := range ways {
		r, err := b.reading(ctx, way)
		if err != nil {
			return fmt.Errorf("%s: %w", way, err)
		}
		r.print()
	}
	missing := b.fetchElasticdump(ctx)
	if missing == nil {
		r, err := b.readingOfElasticdump(ctx)
		if err != nil {
			return err
		}
		r.print()
	}
	if err := b.tryAll(ctx, few, missing == nil); err != nil {
		return err
	}
	if missing != nil {
		fmt.Printf("\nelasticdump is not in the tables, because it cannot be had: %v\n", missing)
	}
	return nil
}

const (
	readHead = `                    |           CPU s of the client            |   peak RSS, MB    |                    | CPU s, server |      | in the files
                    |  total reader compression    aim  of aim |    all of %-7d | wall s   records/s |   its  reader | load | documents altered  values
`
	readLine = "%-19s | %6.1f %6s %11s %6s %7s | %6.1f %10s | %6.1f %11.0f | %5.1f %7s | %4s | %9d %7d %7d\n"
)

// print prints a line of the table.
func (r *reading) print() {
	var reader, floor, aim, of, few, theirs string
	if r.reader.cpu > 0 {
		reader, floor, theirs = seconds(r.reader.cpu), seconds(r.floor.cpu), seconds(r.reader.server)
		aim, of = seconds(r.aim()), fmt.Sprintf("%.2f", r.program.cpu.Seconds()/r.aim().Seconds())
		few = fmt.Sprintf("%.1f", float64(r.few)/1e6)
	}
	fmt.Printf(readLine, r.name, r.program.cpu.Seconds(), reader, floor, aim, of, float64(r.program.rss)/1e6, few,
		r.program.wall.Seconds(), float64(r.documents)/r.program.wall.Seconds(), r.program.server.Seconds(), theirs, load(),
		r.files.Documents, r.files.Altered, r.files.Values)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()) }

// load is the machine's load average over the last minute.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}

// reading measures Sluice and its floor in turns.
func (b *bench) reading(ctx context.Context, way string) (reading, error) {
	b.Way, b.Page, b.Out, b.Index = way, "", b.path("out"), b.source(b.documents)
	var programs, floors, readers []cost
	var last compared
	for range b.runs {
		if err := os.RemoveAll(b.Out); err != nil {
			return reading{}, err
		}
		program, err := b.costing(ctx, func() (cost, error) { return b.sluice(ctx, b.documents, "read", b.Index) })
		if err != nil {
			return reading{}, err
		}
		floor, err := b.child(ctx, "recompress")
		if err != nil {
			return reading{}, err
		}
		reader, err := b.costing(ctx, func() (cost, error) { return b.child(ctx, "pages") })
		if err != nil {
			return reading{}, err
		}
		fmt.Fprintf(os.Stderr, "%s: CPU %v, compression %v, reader %v; load %s\n", way, program.cpu, floor.cpu, reader.cpu, load())
		if last, err = b.compared(ctx, b.documents, b.Out); err != nil {
			return reading{}, err
		}
		programs, floors, readers = append(programs, program), append(floors, floor), append(readers, reader)
	}
	few, err := b.memory(ctx, b.documents/10)
	if err == nil && b.profiles != "" {
		err = errors.Join(b.profile(ctx, "read", b.Index, way), os.RemoveAll(b.Out))
	}
	program := median(programs)
	program.rss = peak(programs)
	return reading{"sluice " + way, program, median(readers), median(floors), few, last, b.documents}, err
}

// memory is the median peak of resident memory with n documents.
func (b *bench) memory(ctx context.Context, n int) (int64, error) {
	var all []cost
	for range b.runs {
		if err := os.RemoveAll(b.Out); err != nil {
			return 0, err
		}
		c, err := b.sluice(ctx, n, "read", b.source(n))
		if err != nil {
			return 0, err
		}
		all = append(all, c)
	}
	return peak(all), os.RemoveAll(b.Out)
}

// peak is the median of the peaks of resident memory.
func peak(all []cost) int64 {
	slices.SortFunc(all, func(a, b cost) int { return cmp.Compare(a.rss, b.rss) })
	return all[len(all)/2].rss
}

// readingOfElasticdump measures elasticdump, once. Its pages are as large as
// Sluice's, with which it is faster than with its own.
func (b *bench) readingOfElasticdump(ctx context.Context) (r reading, err error) {
	file := b.path("elasticdump.gz")
	defer os.Remove(file)
	r = reading{name: "elasticdump " + elasticdumpVersion, documents: b.documents}
	r.program, err = b.costing(ctx, func() (cost, error) {
		return b.elasticdump(ctx, b.source(b.documents), file, fmt.Sprint("--limit=", pageHits), "--fsCompress=true", fmt.Sprint("--compressionLevel=", level))
	})
	if err == nil {
		r.files, err = b.compared(ctx, b.documents, file)
	}
	return r, err
}

// child runs a part of the benchmark in a process of its own. If it says what
// counts of its CPU time, it is that.
func (b *bench) child(ctx context.Context, part string) (cost, error) {
	var d done
	c, err := b.command(ctx, &d, b.self, part, b.encoded())
	if d.CPU > 0 {
		c.cpu = d.CPU
	}
	if want := b.size(b.documents); err == nil && d.Bytes < want {
		err = fmt.Errorf("%s: %d bytes, want at least %d", part, d.Bytes, want)
	}
	return c, err
}

// compared compares n documents with what is in files.
func (b *bench) compared(ctx context.Context, n int, files string) (c compared, err error) {
	t := b.task
	t.Index, t.Documents, t.Out = b.source(n), n, files
	_, err = b.command(ctx, &c, b.self, "compare", t.encoded())
	return c, err
}

// costing adds the CPU time of the server to what f costs.
func (b *bench) costing(ctx context.Context, f func() (cost, error)) (c cost, err error) {
	before, err := b.serverTime(ctx)
	if err != nil {
		return c, err
	}
	if c, err = f(); err != nil {
		return c, err
	}
	after, err := b.serverTime(ctx)
	c.server = after - before
	return c, err
}

// serverTime is the CPU time that the nodes of the cluster have used.
func (b *bench) serverTime(ctx context.Context) (sum time.Duration, err error) {
	reply, err := send(ctx, http.DefaultClient, "GET", b.Search+"/_nodes/stats/process", nil)
	if err != nil {
		return 0, err
	}
	defer reply.Close()
	var stats struct {
		Nodes map[string]struct {
			Process struct {
				CPU struct {
					Total int64 `json:"total_in_millis"`
				}
			}
		}
	}
	text, err := io.ReadAll(reply)
	if err == nil {
		err = json.Unmarshal(text, &stats)
	}
	for _, n := range stats.Nodes {
		sum += time.Duration(n.Process.CPU.Total) * time.Millisecond
	}
	return sum, err
}
