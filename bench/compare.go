package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// compared is what became of documents.
type compared struct {
	Documents int // of the index, each counted once
	Others    int // lines that are none of them, or one of them again
	Altered   int // whose _source has other bytes than were indexed
	Values    int // of these: those with other values, or with keys in another order
}

// compare compares what a dump wrote with the documents that were made, and
// prints what became of them.
func compare(_ context.Context, t task) error {
	records, seen := t.records(t.Index), make([]bool, t.Documents)
	var line []byte
	c, err := compareFiles(t.Out, func(id string) ([]byte, bool) {
		n, err := strconv.Atoi(id)
		if err != nil || n < 0 || n >= len(seen) || seen[n] {
			return nil, false
		}
		seen[n] = true
		line = records.Append(line[:0], int64(n))
		_, source, _ := bytes.Cut(line[:len(line)-2], []byte(`"_source":`)) // without the brace and newline that end the record
		return source, true
	})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(c)
}

// compareFiles reads a file, or those in a directory, and compares each
// document with what made gives for its _id; that is valid until the next call.
func compareFiles(path string, made func(id string) ([]byte, bool)) (c compared, err error) {
	err = filepath.WalkDir(path, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "/.sluice/") {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		var in io.Reader = f
		if filepath.Ext(path) == ".gz" {
			if in, err = gzip.NewReader(f); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		if err := c.lines(in, made); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
	return c, err
}

// lines compares the documents of a file.
func (c *compared) lines(in io.Reader, made func(id string) ([]byte, bool)) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var hit struct {
			ID     string          `json:"_id"`
			Source json.RawMessage `json:"_source"`
		}
		if err := json.Unmarshal(lines.Bytes(), &hit); err != nil {
			return err
		}
		want, ok := made(hit.ID)
		if !ok {
			c.Others++
			continue
		}
		c.Documents++
		if bytes.Equal(hit.Source, want) {
			continue
		}
		c.Altered++
		if !sameValues(hit.Source, want) {
			c.Values++
		}
	}
	return lines.Err()
}

// sameValues reports whether two documents have the same keys and values in
// the same order. Numbers are compared as numbers, exactly.
func sameValues(a, b []byte) bool {
	x, y := json.NewDecoder(bytes.NewReader(a)), json.NewDecoder(bytes.NewReader(b))
	x.UseNumber()
	y.UseNumber()
	for {
		v, err := x.Token()
		w, other := y.Token()
		if err != nil || other != nil {
			return err == io.EOF && other == io.EOF
		}
		if v != w && !sameNumber(v, w) {
			return false
		}
	}
}

func sameNumber(v, w json.Token) bool {
	a, ok := v.(json.Number)
	b, other := w.(json.Number)
	if !ok || !other {
		return false
	}
	x, ok := new(big.Rat).SetString(a.String())
	y, other := new(big.Rat).SetString(b.String())
	return ok && other && x.Cmp(y) == 0
}
