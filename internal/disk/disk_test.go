package disk_test

import (
	"os"
	"path/filepath"
	"testing"

	"sluice/internal/disk"
)

func TestMkdirMakesParentsAndMayBeRepeated(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "c")
	for range 2 {
		if err := disk.Mkdir(dir, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() || info.Mode().Perm() != 0o750 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestMkdirOfAFileIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if err := disk.Mkdir(path, 0o750); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
}

func TestSyncDirOfNothingIsAnError(t *testing.T) {
	if err := disk.SyncDir(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error")
	}
}
