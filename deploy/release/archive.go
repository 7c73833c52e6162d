package main

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
)

// file is a file of an archive.
type file struct {
	name string // with slashes
	data []byte
	mode int64
}

func byName(a, b file) int { return cmp.Compare(a.name, b.name) }

// read reads the files of a directory and of those in it; their names begin
// with prefix.
func read(dir, prefix string) (files []file, err error) {
	root := os.DirFS(dir)
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		files = append(files, file{path.Join(prefix, name), data, 0o644})
		return err
	})
	return files, err
}

// archive writes files, below a folder, as a compressed archive: sorted, of
// nobody, and of the time of the commit.
func (c *commit) archive(to, folder string, files []file) (err error) {
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(z)
	for _, f := range slices.SortedFunc(slices.Values(files), byName) {
		header := &tar.Header{Name: folder + "/" + f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: c.time, Format: tar.FormatPAX}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		if _, err := w.Write(f.data); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), z.Close(), out.Close())
}
