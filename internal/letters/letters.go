// Package letters keeps dead letters in files that people and tools can read:
// one line of JSON per letter, one file per pass, DIR/PIPELINE/PASS.ndjson.
//
// A run that was interrupted may write a letter again. Pass, lane, start,
// stage, position and line say which letters are the same.
package letters

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"sluice/internal/crash"
	"sluice/internal/disk"
	"sluice/pipeline"
)

// Letter is a line of a file.
type Letter struct {
	Time     time.Time `json:"time"`
	Pipeline string    `json:"pipeline"`
	Pass     int64     `json:"pass"`
	Lane     string    `json:"lane"`
	Start    int       `json:"start"` // of the lane; void if the lane has started over since
	Stage    string    `json:"stage"`
	Source   Source    `json:"source"`
	Attempts int       `json:"attempts,omitempty"`
	Status   int       `json:"status,omitempty"`
	Type     string    `json:"type,omitempty"`
	Reason   string    `json:"reason"`
	Record   *string   `json:"record,omitempty"`   // all its bytes; none if it was too long, or if the letter is of an item
	Encoding string    `json:"encoding,omitempty"` // base64, if the record is not UTF-8
}

// Source says where a record is from.
type Source struct {
	Key      string   `json:"key"` // an object, or an index
	Version  string   `json:"version,omitempty"`
	Position Position `json:"position"`
	Line     *int64   `json:"line,omitempty"` // number of the record after the position, from 0; none: the whole item
}

// Position is where in its lane the item of a letter begins.
type Position struct {
	Token   string `json:"token"`
	Inner   string `json:"inner,omitempty"`
	Key     string `json:"key,omitempty"`
	Version string `json:"version,omitempty"`
}

// Writer is a [pipeline.DeadLetters] in files.
type Writer struct {
	pipeline string
	dir      string // with the pipeline's name
	mu       sync.Mutex
	file     *os.File // of the pass, nil before its first letter
	buf      *bufio.Writer
	pass     int64
	dirty    bool  // something is not durable
	err      error // of the first operation that failed: the file may end anywhere
}

var _ pipeline.DeadLetters = (*Writer)(nil)

// Open makes the directory for the letters of a pipeline. A file is made with
// the first letter of a pass.
func Open(dir, pipelineName string) (*Writer, error) {
	if pipelineName == "" || pipelineName == "." || pipelineName == ".." || strings.ContainsRune(pipelineName, filepath.Separator) {
		return nil, fmt.Errorf("dead letters: %q is no name of a directory", pipelineName)
	}
	dir = filepath.Join(dir, pipelineName)
	if err := disk.Mkdir(dir, 0o750); err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return nil, fmt.Errorf("dead letters: write to %s: %w", dir, err)
	}
	return &Writer{pipeline: pipelineName, dir: dir}, nil
}

// Write implements [pipeline.DeadLetters].
func (w *Writer) Write(_ context.Context, l pipeline.Letter) error {
	line, err := w.line(l)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.keep(func() error {
		if w.file == nil || w.pass != l.Pass {
			if err := w.begin(l.Pass); err != nil {
				return err
			}
		}
		w.dirty = true
		_, err := w.buf.Write(line)
		return err
	})
}

// Sync implements [pipeline.DeadLetters].
func (w *Writer) Sync(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.keep(w.sync)
}

// Close makes all letters durable and closes the file. Nothing else may be
// called any more.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	return errors.Join(w.keep(w.sync), w.file.Close())
}

// keep calls f unless something failed before. After a failed write a line may
// be torn, after a failed sync nobody knows what is durable.
func (w *Writer) keep(f func() error) error {
	if w.err == nil {
		w.err = f()
	}
	return w.err
}

// begin goes on with the file of a pass.
func (w *Writer) begin(pass int64) error {
	if w.file != nil {
		if err := errors.Join(w.sync(), w.file.Close()); err != nil {
			return err
		}
		w.file = nil
	}
	f, err := os.OpenFile(filepath.Join(w.dir, fmt.Sprintf("%d.ndjson", pass)), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if err := mend(f); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", f.Name(), err), f.Close())
	}
	w.file, w.buf, w.pass = f, bufio.NewWriterSize(f, 64<<10), pass
	return disk.SyncDir(w.dir) // the file may be new
}

// mend takes away a last line that a killed run left without its end.
func mend(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	end := info.Size()
	for end > 0 {
		at := max(0, end-int64(len(buf)))
		n, err := f.ReadAt(buf[:end-at], at)
		if err != nil {
			return err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			end = at + int64(i) + 1
			break
		}
		end = at
	}
	if end == info.Size() {
		return nil
	}
	return f.Truncate(end)
}

func (w *Writer) sync() error {
	if !w.dirty {
		return nil
	}
	if err := w.buf.Flush(); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	w.dirty = false
	crash.Point(crash.AfterDeadLetter)
	return nil
}

// line is a letter as it is in the file, with its newline.
func (w *Writer) line(l pipeline.Letter) ([]byte, error) {
	out := Letter{
		Time: time.Now().UTC(), Pipeline: w.pipeline, Pass: l.Pass, Lane: l.Lane, Start: l.Start, Stage: l.Stage, Reason: l.Reason,
		Source: Source{Key: l.Key, Version: l.Version,
			Position: Position{Token: l.From.Token, Inner: l.From.Inner, Key: l.From.Key, Version: l.From.Version}},
	}
	if l.Line >= 0 {
		out.Source.Line = &l.Line
	}
	if r := l.Refusal; r != nil {
		out.Attempts, out.Status, out.Type = r.Attempts, r.Status, r.Type
	}
	if l.Record != nil {
		record := string(l.Record)
		if !utf8.ValidString(record) {
			record, out.Encoding = base64.StdEncoding.EncodeToString(l.Record), "base64"
		}
		out.Record = &record
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(out)
	return b.Bytes(), err
}
