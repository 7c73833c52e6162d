package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sys/unix"
)

// recompress decompresses what Sluice wrote and compresses each of its blocks
// again, into memory. It prints the CPU time of the latter alone. The result
// must be the same bytes, so it is the same work.
func recompress(_ context.Context, t task) error {
	files, err := filepath.Glob(filepath.Join(t.Out, "*.gz"))
	if err != nil {
		return err
	}
	r := recompressor{}
	if r.out, err = gzip.NewWriterLevel(&r.member, level); err != nil {
		return err
	}
	for _, file := range files {
		if err := r.file(file); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(done{Bytes: r.bytes, CPU: r.cpu})
}

type recompressor struct {
	out    *gzip.Writer
	member bytes.Buffer // that is written
	block  bytes.Buffer // in clear
	cpu    time.Duration
	bytes  int64 // in clear
}

// file compresses the blocks of one file again.
func (r *recompressor) file(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	z := new(gzip.Reader)
	var total int64
	for {
		if err := z.Reset(in); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		z.Multistream(false)
		r.block.Reset()
		if _, err := r.block.ReadFrom(z); err != nil {
			return err
		}
		if err := r.compress(); err != nil {
			return err
		}
		total += int64(r.member.Len())
	}
	if s, err := f.Stat(); err != nil || s.Size() != total {
		return fmt.Errorf("it was compressed into %d bytes, and is now %d: %w", s.Size(), total, err)
	}
	return nil
}

// compress compresses the block, and measures that.
func (r *recompressor) compress() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := threadTime()
	if err != nil {
		return err
	}
	r.member.Reset()
	r.out.Reset(&r.member)
	if _, err := r.out.Write(r.block.Bytes()); err != nil {
		return err
	}
	if err := r.out.Close(); err != nil {
		return err
	}
	after, err := threadTime()
	r.cpu += after - before
	r.bytes += int64(r.block.Len())
	return err
}

// threadTime is the CPU time that the thread has used.
func threadTime() (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano()), err
}
