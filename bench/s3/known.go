package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sluice/test/fakestore"
)

// state is the bytes of the state that a configuration has.
func (b *bench) state(file string) (n int64) {
	files, _ := filepath.Glob(filepath.Join(b.dir, "state-"+strings.TrimSuffix(filepath.Base(file), ".yaml"), "*"))
	for _, f := range files {
		if i, err := os.Stat(f); err == nil {
			n += i.Size()
		}
	}
	return n
}

// measureKnown prints what it costs to list objects that are known. The first
// pass remembers them, without reading any.
func (b *bench) measureKnown(ctx context.Context) error {
	b.store.AccessKey, b.store.SecretKey, b.store.Region = "test", "testsecret", "us-east-1"
	fmt.Printf("\na made-up bucket whose objects are known, mode: new\n\n%-10s | %12s %8s %8s | %12s %8s %8s %8s\n%-10s | %12s %8s %8s | %12s %8s %8s %8s\n",
		"", "first pass:", "", "", "next pass:", "", "", "", "keys", "CPU us/key", "RSS MB", "state MB", "CPU us/key", "CPU s", "RSS MB", "pages")
	for _, n := range []int{b.keys / 10, b.keys} {
		from := fakestore.Store{Prefix: "in/", Count: n, Size: 1}
		err := from.Serve(func(url string) error {
			to := place{url, "bench", "out/"}
			file, err := b.configure(b.stage(place{url, "bench", "in/"}, "start: now"), "[]", b.stage(to, `key: "{pass}/{lane}-{sequence}"`), "mode: new")
			if err != nil {
				return err
			}
			first, _, err := b.sluice(ctx, file)
			if err != nil {
				return err
			}
			before, state := from.Stats(), b.state(file)
			next, err := b.median(func() (cost, error) {
				c, done, err := b.sluice(ctx, file)
				if err == nil && done.Objects.Read != 0 {
					err = fmt.Errorf("a later pass read %d objects, want none", done.Objects.Read)
				}
				return c, err
			})
			if err != nil {
				return err
			}
			after := from.Stats()
			if after.Gets > 0 {
				return fmt.Errorf("%d objects were read, want none", after.Gets)
			}
			us := func(c cost) float64 { return float64(c.cpu.Microseconds()) / float64(n) }
			fmt.Printf("%-10d | %12.1f %8.0f %8.1f | %12.1f %8.2f %8.0f %8d\n", n, us(first), float64(first.rss)/1e6, float64(state)/1e6,
				us(next), next.cpu.Seconds(), float64(next.rss)/1e6, (after.Lists-before.Lists)/int64(b.runs))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
