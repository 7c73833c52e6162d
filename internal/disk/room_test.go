package disk_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/disk"
)

func TestADirectoryThatCanBeMadeIsWritable(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir:                                "",
		filepath.Join(dir, "a", "b"):       "",
		file:                               "not a directory",
		filepath.Join(file, "below", "it"): file + ": not a directory",
	} {
		err := disk.Writable(path)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "a")); err == nil {
		t.Error("a directory was made")
	}
}

func TestADirectoryOfOthersIsNotWritable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, fs.FileMode(0o500)); err != nil {
		t.Fatal(err)
	}
	if err := disk.Writable(filepath.Join(dir, "a")); err == nil || !strings.Contains(err.Error(), "cannot be written to") {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsFreeIsThatOfTheNearestDirectory(t *testing.T) {
	dir := t.TempDir()
	got, err := disk.Free(filepath.Join(dir, "a", "b"))
	if err != nil || got <= 0 {
		t.Errorf("got %d, %v", got, err)
	}
}
