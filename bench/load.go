package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	loadFiles = 16      // more than lanes, which share them by their names
	loadBulk  = 4 << 20 // size of a request, of everybody
)

// loaded is what the documents that are loaded are in, below the directory of
// the measurement.
type loaded struct {
	files  string // directory with records, as Sluice writes them
	all    string // one file with all of them, for those that read one
	bodies string // directory with bulk requests that are ready
}

// loading is a program that loads the documents into an index.
type loading struct {
	name string
	load func(ctx context.Context, index string) (cost, error)
}

// measureLoad prints how fast documents get into an index, and what that takes
// of the client: by requests that are ready, by Sluice, and by others.
func (b *bench) measureLoad(ctx context.Context) error {
	made, err := b.makeLoad()
	if err != nil {
		return err
	}
	programs := b.loaders(made)
	peers, missing := b.peers(ctx, made.all)
	programs = append(programs, peers...)
	fmt.Printf("%d documents of %d bytes into %d shards, %d connections, requests of %d MiB, %d processors, median of %d\n\n%s",
		b.documents, b.bytes, b.Lanes, b.Lanes, loadBulk>>20, runtime.NumCPU(), b.runs, loadHead)
	if _, err := b.loadOnce(ctx, programs[0]); err != nil { // the first one is slow: the engine is cold
		return fmt.Errorf("%s: %w", programs[0].name, err)
	}
	all := map[string][]cost{}
	for range b.runs {
		for _, p := range programs {
			c, err := b.loadOnce(ctx, p)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			all[p.name] = append(all[p.name], c)
			fmt.Fprintf(os.Stderr, "%s: %v long, CPU %v; load %s\n", p.name, c.wall.Round(time.Millisecond), c.cpu.Round(time.Millisecond), load())
		}
	}
	ready := wall(all[programs[0].name])
	for _, p := range programs {
		costs := all[p.name]
		million := float64(b.documents) / 1e6
		server := costs[0].server
		fmt.Printf(loadLine, p.name, float64(b.documents)/wall(costs).Seconds(), ready.Seconds()/wall(costs).Seconds(),
			median(costs).cpu.Seconds()/million, server.Seconds()/million, float64(peak(costs))/1e6, fewest(costs))
	}
	for _, why := range missing {
		fmt.Printf("\nnot in the table: %v\n", why)
	}
	return nil
}

// loaders are the programs of this project.
func (b *bench) loaders(made loaded) []loading {
	return []loading{
		{"requests that are ready", func(ctx context.Context, index string) (cost, error) {
			t := b.task
			t.Index, t.Out = index, made.bodies
			return b.command(ctx, nil, b.self, "bodies", t.encoded())
		}},
		{"sluice", func(ctx context.Context, index string) (cost, error) {
			b.Out = made.files
			return b.sluice(ctx, b.documents, "files", index)
		}},
	}
}

const (
	loadHead = `                          | documents/s  of ready | CPU s of the client  of the server | peak RSS, MB | documents in
                          |                       |         for a million documents    |              | the index
`
	loadLine = "%-25s | %11.0f %9.2f | %19.1f %14.1f | %12.1f | %12d\n"
)

// fewest is how many documents were in an index, in the run after which that
// was the least.
func fewest(all []cost) int {
	return slices.MinFunc(all, func(a, b cost) int { return cmp.Compare(a.documents, b.documents) }).documents
}

// wall is the median of how long runs took.
func wall(all []cost) time.Duration {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b cost) int { return cmp.Compare(a.wall, b.wall) })
	return sorted[len(sorted)/2].wall
}

// loadOnce loads the documents into a new index, and counts what is there then.
func (b *bench) loadOnce(ctx context.Context, p loading) (cost, error) {
	index := fmt.Sprintf("%s-to-%d", b.Bucket, time.Now().UnixNano())
	if err := b.newIndex(ctx, index); err != nil {
		return cost{}, err
	}
	c, err := b.costing(ctx, func() (cost, error) { return p.load(ctx, index) })
	if err != nil {
		return c, err
	}
	if err := b.call(ctx, "POST", "/"+index+"/_refresh", ""); err != nil {
		return c, err
	}
	if c.documents, err = b.count(ctx, index); err != nil {
		return c, err
	}
	return c, b.removeIndex(ctx)
}

// count is how many documents an index has.
func (b *bench) count(ctx context.Context, index string) (int, error) {
	reply, err := send(ctx, client(), "GET", b.Search+"/"+index+"/_count", nil)
	if err != nil {
		return 0, err
	}
	defer reply.Close()
	var n struct{ Count int }
	return n.Count, json.NewDecoder(reply).Decode(&n)
}

// makeLoad writes what is loaded.
func (b *bench) makeLoad() (made loaded, err error) {
	made = loaded{files: b.path("files"), all: b.path("all.ndjson"), bodies: b.path("bodies")}
	for _, dir := range []string{made.files, made.bodies} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return made, err
		}
	}
	all, err := os.Create(made.all)
	if err != nil {
		return made, err
	}
	defer all.Close()
	out := bufio.NewWriterSize(all, 1<<20)
	for i := range loadFiles {
		text, err := b.makeFile(made, i)
		if err == nil {
			_, err = out.Write(text)
		}
		if err != nil {
			return made, err
		}
	}
	return made, out.Flush()
}

// makeFile writes file number i of the records, and the requests of what is in
// it, and gives the records.
func (b *bench) makeFile(made loaded, i int) (text []byte, err error) {
	records := b.records(b.source(b.documents))
	var body []byte
	write := func(n int) error {
		name := filepath.Join(made.bodies, fmt.Sprint(n))
		defer func() { body = body[:0] }()
		return os.WriteFile(name, body, 0o644)
	}
	from, to := b.documents*i/loadFiles, b.documents*(i+1)/loadFiles
	for n := from; n < to; n++ {
		begin := len(text)
		text = records.Append(text, int64(n))
		if body, err = appendPair(body, []byte(`{"index":{"_id":`), text[begin:]); err != nil {
			return nil, err
		}
		if len(body) > loadBulk-b.records("").Len() || n == to-1 {
			if err := write(n); err != nil {
				return nil, err
			}
		}
	}
	return text, os.WriteFile(filepath.Join(made.files, fmt.Sprintf("%02d.ndjson", i)), text, 0o644)
}

// bodies posts the requests that are ready.
func bodies(ctx context.Context, t task) error {
	files, err := os.ReadDir(t.Out)
	if err != nil {
		return err
	}
	names := make(chan string, len(files))
	for _, f := range files {
		names <- filepath.Join(t.Out, f.Name())
	}
	close(names)
	c := client()
	g, ctx := errgroup.WithContext(ctx)
	for range t.Lanes {
		g.Go(func() error {
			var reply bytes.Buffer
			for name := range names {
				body, err := os.ReadFile(name)
				if err == nil {
					err = post(ctx, c, t.Search+"/"+t.Index, body, &reply)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
