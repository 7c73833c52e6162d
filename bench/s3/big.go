package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/klauspost/compress/gzip"

	"sluice/sources/generate"
	"sluice/test/fakestore"
)

// blockSize is about what a block of lines has.
const blockSize = 1 << 20

// block is lines that a file holds many times.
func block() (b []byte) {
	r := generate.Records{Index: "bench", Seed: 1, Bytes: 700}
	for i := int64(0); len(b) < blockSize; i++ {
		b = r.Append(b, i)
	}
	return b
}

// bigObject is a gzip object of a size or a little more.
func bigObject(size int64) *fakestore.Gzip {
	one := fakestore.NewGzip(block(), 1).Size()
	return fakestore.NewGzip(block(), int(max(1, size/one)))
}

// measureBig prints what one large object costs.
func (b *bench) measureBig(ctx context.Context) error {
	b.store.AccessKey, b.store.SecretKey, b.store.Region = "test", "testsecret", "us-east-1"
	object := bigObject(int64(b.big))
	store := fakestore.Store{Prefix: "in/", Count: 1, Size: object.Size(), Body: func(_ int, off int64) io.Reader { return object.From(off) }}
	return store.Serve(func(url string) error {
		file, err := b.configure(b.stage(place{url, "bench", "in/"}), "[{decompress: {}}, {lines: {}}, {gzip: {level: 1}}]",
			b.stage(place{url, "bench", "out/"}, `key: "{pass}-{lane}-{sequence}.gz"`, "roll: {bytes: 1TiB}"))
		if err != nil {
			return err
		}
		ours, done, err := b.sluice(ctx, file)
		if err == nil && (done.Objects.Read != 1 || done.Outcome != "complete") {
			err = fmt.Errorf("sluice: %s, %d objects read", done.Outcome, done.Objects.Read)
		}
		if err != nil {
			return err
		}
		self, err := os.Executable()
		if err != nil {
			return err
		}
		least, err := b.command(ctx, self, "floor", strconv.FormatInt(int64(b.big), 10), "1")
		if err != nil {
			return err
		}
		_, written := store.Written()
		gb := float64(object.Size()) / 1e9
		fmt.Printf("\none gzip object of %.2f GB taken apart into lines, and compressed into one of %.2f GB in parts\n\n%10s %10s %8s | %10s | %8s\n%10s %10s %8s | %10s | %8s\n%10.1f %10.1f %8.2f | %10.0f | %8.0f\n",
			gb, float64(written)/1e9, "CPU s/GB", "floor", "ratio", "MB/s", "RSS MB", "", "", "", "of object", "",
			ours.cpu.Seconds()/gb, least.cpu.Seconds()/gb, ours.cpu.Seconds()/least.cpu.Seconds(), gb*1e3/ours.wall.Seconds(), float64(ours.rss)/1e6)
		return nil
	})
}

// floor decompresses an object of a size and compresses its blocks again.
func floor(size, level string) error {
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return err
	}
	l, err := strconv.Atoi(level)
	if err != nil {
		return err
	}
	in, err := gzip.NewReader(bigObject(n).From(0))
	if err != nil {
		return err
	}
	out, err := gzip.NewWriterLevel(io.Discard, l)
	if err != nil {
		return err
	}
	buf := make([]byte, blockSize)
	for {
		got, err := io.ReadFull(in, buf)
		if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
			return err
		}
		if got == 0 {
			return nil
		}
		out.Reset(io.Discard)
		if _, err := out.Write(buf[:got]); err != nil {
			return err
		}
		if err := out.Close(); err != nil {
			return err
		}
	}
}
