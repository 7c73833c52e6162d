// Command bench measures what Sluice costs beside the least that any program
// has to do to the same bytes, in one run: `make bench`.
//
// It prints, for a dump and for a load, the CPU seconds (user and system) of
// the client's process alone per GB of records, those of the floor, and their
// ratio. The servers' time is not in it, so figures hold on a busy machine.
// Sluice is the program that users run, from its start to its end; the floor is
// a process of its own, too. Both move the same documents over as many
// connections, in turns, and the median of each counts.
//
// # The floor
//
// Dump: for each shard, ask for pages of a point in time, read each through one
// buffer, compress it at the same level with the same library, PUT the result
// in pieces of the size of Sluice's parts. It parses nothing but the last sort
// values of a page. It checks nothing and can resume nothing. A page has more
// bytes than the records in it; the floor compresses only as many bytes of each
// page as Sluice makes records of.
//
// Load: GET the objects, decompress them with the same library, copy each
// source once, out of the decoder's window into a bulk request of the same
// size, POST it, read the reply, look for the word error in it.
//
// The floor does not hash what it uploads; Sluice does, for a store without
// TLS as here.
//
// # Allocations
//
// The pipeline that the configuration describes, as `sluice run` builds it,
// runs inside of two processes, with half of the documents and with all of
// them. The difference of what they allocated, by the difference of their
// records, is what a record costs. Printed are all allocations, those of the
// floor, and those that Sluice makes outside of net/http and the SDK of S3:
// a page has at most 10,000 records, and a request alone takes some hundred.
//
// # Reading
//
// With -read (`make bench-read`) it measures the ways of reading an index, by
// dumps into files. The floor is two processes then. One asks for the pages
// that Sluice asks for, over as many connections, and throws them away. One
// compresses what Sluice wrote once more, block by block, with the same library
// at the same level; of its CPU time, only that of compressing counts. The aim
// is the reader's time and 1.5 times that of compressing, and 10 % of both.
//
// Besides them runs elasticdump, if npm and node are there to have it: once,
// from the same index, compressed at the same level. What was written is
// compared with what was indexed: altered is how many documents have other
// bytes, values how many of these have other values (numbers are compared as
// numbers) or keys in another order.
//
// Then each is tried with documents that do not survive decoding and encoding,
// and with a page whose reply is lost after the cluster has sent it: 504 from
// a load balancer.
//
// # Loading
//
// With -load (`make bench-load`) it measures how fast documents get from files
// into an index that indexes them. What no client can exceed is a process that
// posts requests that are ready, of the same size, over as many connections:
// Sluice is to reach nine tenths of that. Beside it run elasticdump and the
// parallel_bulk of opensearch-py, if npm and pip are there to have them, with
// requests as large and connections as many (two lanes of Sluice are what fits
// into its default memory). How many documents are in the index
// when each has left is counted.
//
// # Servers
//
// They are real, from SLUICE_TEST_OPENSEARCH and SLUICE_TEST_S3. With
// -servers canned they are a process that answers out of its memory and forgets
// what it is given: amounts are only limited by patience, and a store or index
// that is slow or full does not matter.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"sluice/sources/generate"
)

// options is what is to be measured.
type options struct {
	documents, bytes, lanes, runs int
	servers, program, profiles    string
	read, load                    bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures, or is one of the processes that doing so takes.
func run(ctx context.Context, args []string) error {
	parts := map[string]func(context.Context, task) error{
		"floor-dump": floorDump, "floor-load": floorLoad, "inside": inside, "canned": canned,
		"pages": pages, "recompress": recompress, "compare": compare, "bodies": bodies,
	}
	if len(args) == 2 && parts[args[0]] != nil {
		var t task
		if err := json.Unmarshal([]byte(args[1]), &t); err != nil {
			return err
		}
		if args[0] == "inside" && t.Profile == "" {
			runtime.MemProfileRate = 1 // each allocation
		}
		return parts[args[0]](ctx, t)
	}
	var o options
	f := flag.NewFlagSet("bench", flag.ExitOnError)
	f.IntVar(&o.documents, "documents", 200_000, "how many documents")
	f.IntVar(&o.bytes, "bytes", 700, "size of each")
	f.IntVar(&o.lanes, "lanes", 2, "shards, and connections each way")
	f.IntVar(&o.runs, "runs", 3, "runs, of which the median counts")
	f.StringVar(&o.servers, "servers", "real", "real or canned")
	f.StringVar(&o.program, "sluice", "bin/sluice", "program that is measured")
	f.StringVar(&o.profiles, "cpuprofile", "", "write CPU profiles of what Sluice does into `DIR`")
	f.BoolVar(&o.read, "read", false, "measure the ways of reading an index")
	f.BoolVar(&o.load, "load", false, "measure loading an index, beside others")
	f.Parse(args)
	if (o.read || o.load) && o.servers != "real" || o.read && o.load || o.servers != "real" && o.servers != "canned" || o.documents < 2 || o.bytes < generate.MinBytes || o.lanes < 1 || o.runs < 1 || f.NArg() > 0 {
		return errors.New("usage: bench [-read|-load] [-servers real|canned] [-documents N] [-bytes N, from 400] [-lanes N] [-runs N] [-sluice PROGRAM] [-cpuprofile DIR]")
	}
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	measure := b.measure
	switch {
	case o.read:
		measure = b.measureRead
	case o.load:
		measure = b.measureLoad
	}
	return errors.Join(measure(ctx), b.close())
}

// task is what a process of the benchmark is told.
type task struct {
	Search, Store string // URLs
	Index         string // that is read or written
	Bucket        string
	Prefix        string // of the objects that are read or written
	Lanes         int
	Documents     int
	Bytes         int // of a document
	Config        string
	Pipeline      string
	Profile       string // file to write; "": none
	Way           string // of reading
	Page          string // size of pages; "": the default
	Out           string // files that are written or read: a directory, or one
}

// records makes the records that are in an index.
func (t *task) records(index string) generate.Records {
	return generate.Records{Index: index, Seed: 1, Bytes: t.Bytes}
}
