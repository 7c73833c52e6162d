package letters

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"sluice/internal/crash"
	"sluice/internal/disk"
)

// ndjson ends the name of a file or object of letters.
const ndjson = ".ndjson"

// files keeps letters in files, one per folder: DIR/PIPELINE/PASS.ndjson.
type files struct {
	dir    string // with the pipeline's name
	mu     sync.Mutex
	file   *os.File // of the folder, nil before its first letter
	buf    *bufio.Writer
	folder string
	dirty  bool  // something is not durable
	err    error // of the first operation that failed: the file may end anywhere
}

// Open makes the directory for the letters of a pipeline in files below dir. A
// file is made with the first letter of a pass.
func Open(dir, pipelineName string) (*Writer, error) {
	dir, err := directory(dir, pipelineName)
	if err != nil {
		return nil, err
	}
	if err := disk.Mkdir(dir, 0o750); err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return nil, fmt.Errorf("dead letters: write to %s: %w", dir, err)
	}
	return &Writer{pipeline: pipelineName, keeper: &files{dir: dir}}, nil
}

// directory is where the letters of a pipeline are.
func directory(dir, pipelineName string) (string, error) {
	if pipelineName == "" || pipelineName == "." || pipelineName == ".." || strings.ContainsRune(pipelineName, filepath.Separator) {
		return "", fmt.Errorf("dead letters: %q is no name of a directory", pipelineName)
	}
	return filepath.Join(dir, pipelineName), nil
}

// put implements keeper.
func (w *files) put(_ context.Context, folder string, l *Letter) error {
	line, err := encode(l)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.keep(func() error {
		if w.file == nil || w.folder != folder {
			if err := w.begin(folder); err != nil {
				return err
			}
		}
		w.dirty = true
		_, err := w.buf.Write(line)
		return err
	})
}

// Sync implements keeper.
func (w *files) Sync(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.keep(w.sync)
}

// Close implements keeper.
func (w *files) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil
	}
	return errors.Join(w.keep(w.sync), w.file.Close())
}

// keep calls f unless something failed before. After a failed write a line may
// be torn, after a failed sync nobody knows what is durable.
func (w *files) keep(f func() error) error {
	if w.err == nil {
		w.err = f()
	}
	return w.err
}

// begin goes on with the file of a folder.
func (w *files) begin(folder string) error {
	if w.file != nil {
		if err := errors.Join(w.sync(), w.file.Close()); err != nil {
			return err
		}
		w.file = nil
	}
	f, err := os.OpenFile(filepath.Join(w.dir, folder+ndjson), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if err := mend(f); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", f.Name(), err), f.Close())
	}
	w.file, w.buf, w.folder = f, bufio.NewWriterSize(f, 64<<10), folder
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

func (w *files) sync() error {
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

// readFiles gives the lines of the files in dir: passes in order, and then
// letters that were sent again.
func readFiles(ctx context.Context, dir string, yield func(line []byte) error) error {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var names []string
	for _, f := range list {
		if name, ok := strings.CutSuffix(f.Name(), ndjson); ok && (name == replays || number(name) > 0) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return number(a) - number(b) })
	for _, name := range names {
		f, err := os.Open(filepath.Join(dir, name+ndjson))
		if err != nil {
			return err
		}
		err = errors.Join(readLines(ctx, f, yield), f.Close())
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name(), err)
		}
	}
	return nil
}

// number is the pass that a folder is of; replays come last.
func number(folder string) int {
	if folder == replays {
		return int(^uint(0) >> 1)
	}
	n, _ := strconv.Atoi(folder)
	return n
}

// readLines gives the lines that have their newline: one without was not
// durable, or is being written. A line is valid during the call.
func readLines(ctx context.Context, r io.Reader, yield func(line []byte) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = context.Cause(ctx)
		}
		if err == nil {
			err = yield(line)
		}
		if err != nil {
			return err
		}
	}
}
