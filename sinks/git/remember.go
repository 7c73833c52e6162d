package git

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"sluice/internal/git"
	"sluice/internal/mirror"
	"sluice/pipeline"
)

// inRepository is where rows are kept for runs that have no state of their own.
const inRepository = "repository"

// factsFile is the file of the rows, in the only commit of its ref: a line of
// JSON for each, in order of paths.
const factsFile = "rows.ndjson"

// memory is what the ref of the rows has.
type memory struct {
	tip  git.OID // "": there is none
	blob git.OID
}

// factLine is a row, with its path.
type factLine struct {
	Path string `json:"path"`
	row
}

func (w *writer) memoryRef() string { return "refs/sluice/" + refName(w.pass.Pipeline) }

// refName is a name of a pipeline as a part of a ref, in which dots may mean
// something.
func refName(pipeline string) string { return strings.ReplaceAll(pipeline, ".", "%2E") }

// recall puts the rows into the store. Whatever else is there: rows are facts.
func (w *writer) recall(ctx context.Context) (err error) {
	if w.memory.tip, err = w.repo.Fetch(ctx, git.Want{Ref: w.memoryRef(), Blobs: true}); err != nil || w.memory.tip == "" {
		return err
	}
	err = w.repo.Tree(ctx, w.memory.tip, "", func(e git.Entry) error {
		if e.Path == factsFile {
			w.memory.blob = e.OID
		}
		return nil
	})
	if err != nil || w.memory.blob == "" {
		return err
	}
	blobs, err := w.repo.Blobs(ctx)
	if err != nil {
		return err
	}
	defer blobs.Close()
	_, body, err := blobs.Open(w.memory.blob)
	if err == nil {
		err = w.load(json.NewDecoder(bufio.NewReader(body)))
	}
	if err != nil {
		return fmt.Errorf("%s of %s: %w (it may be deleted: the next run then reads all files again)", factsFile, w.memoryRef(), err)
	}
	return nil
}

func (w *writer) load(in *json.Decoder) error {
	var rows []pipeline.Row
	for {
		var l factLine
		err := in.Decode(&l)
		if err != nil && err != io.EOF {
			return err
		}
		if err == nil {
			rows = append(rows, l.row.at(l.Path))
		}
		if len(rows) == page || err != nil && len(rows) > 0 {
			if err := w.pass.Store.Put(rows...); err != nil {
				return err
			}
			rows = rows[:0]
		}
		if err != nil {
			return nil
		}
	}
}

// dump is the rows in a file.
type dump struct {
	file *os.File
	size int64
	blob git.OID
}

// dump gives the rows of what this walk has seen; nil if the ref has just these,
// or they are not kept there.
func (w *writer) dump(ctx context.Context) (*dump, error) {
	if w.Remember != inRepository {
		return nil, nil
	}
	f, err := temp(w.env.Scratch)
	if err != nil {
		return nil, err
	}
	d := &dump{file: f}
	if err = w.write(ctx, d); err == nil {
		d.blob, err = w.blobOf(d)
	}
	if err != nil || d.blob == w.memory.blob {
		return nil, errors.Join(err, f.Close())
	}
	return d, nil
}

func (w *writer) write(ctx context.Context, d *dump) error {
	out := bufio.NewWriter(d.file)
	rows := mirror.Cursor[row]{Page: rowPage(w.pass.Store)}
	for {
		r, err := rows.Peek(ctx)
		if err != nil {
			return err
		}
		if r == nil {
			return out.Flush()
		}
		rows.Pass()
		if w.seen.of(r.Key) == unseen {
			continue
		}
		b, err := json.Marshal(factLine{r.Key, r.Value})
		if err != nil {
			return err
		}
		d.size += int64(len(b)) + 1
		out.Write(append(b, '\n'))
	}
}

func (w *writer) blobOf(d *dump) (git.OID, error) {
	h := w.repo.BlobOID(d.size)
	if _, err := io.Copy(h, io.NewSectionReader(d.file, 0, d.size)); err != nil {
		return "", err
	}
	return h.Sum(), nil
}
