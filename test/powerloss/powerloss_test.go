//go:build linux

package powerloss_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/test/powerloss"
)

func TestMain(m *testing.M) {
	if how := os.Getenv("POWERLOSS_TEST_CHILD"); how != "" {
		if err := replace(os.Args[1], how); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// replace replaces a file six times and says so each time. how names what it
// does not forget: f, sync of the file; d, sync of the directory.
func replace(dir, how string) error {
	for n := range 6 {
		f, err := os.Create(filepath.Join(dir, "new"))
		if err != nil {
			return err
		}
		fmt.Fprintf(f, "%s%d", strings.Repeat("x", 1000), n)
		if strings.Contains(how, "f") {
			err = f.Sync()
		}
		err = errors.Join(err, f.Close(), os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "file")))
		if strings.Contains(how, "d") {
			d, _ := os.Open(dir)
			err = errors.Join(err, d.Sync(), d.Close())
		}
		if err != nil {
			return err
		}
		fmt.Printf("%d", n)
	}
	return nil
}

func TestWhatIsNotSyncedIsLost(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for how, want := range map[string]struct{ torn, lost bool }{
		"fd": {}, "f": {lost: true}, "d": {torn: true}, "none": {torn: true, lost: true},
	} {
		t.Run(how, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "old"), []byte("old"), 0o600); err != nil {
				t.Fatal(err)
			}
			c := exec.CommandContext(t.Context(), exe, dir)
			c.Env = append(os.Environ(), "POWERLOSS_TEST_CHILD="+how)
			log, err := powerloss.Record(c, dir)
			if err != nil {
				t.Fatal(err)
			}
			if log.Said() != "012345" {
				t.Fatalf("said %q", log.Said())
			}
			torn, lost, tries := false, false, 0
			log.Try(t, func(t *testing.T, dir, said string) {
				tries++
				if old, err := os.ReadFile(filepath.Join(dir, "old")); string(old) != "old" {
					t.Errorf("a file that nobody touched: %q, %v", old, err)
				}
				b, err := os.ReadFile(filepath.Join(dir, "file"))
				if err != nil {
					lost = lost || said != ""
					return
				}
				if torn = torn || len(b) != 1001 || b[0] != 'x' || b[1000] == 0; said != "" && len(b) == 1001 {
					lost = lost || b[1000] < said[len(said)-1]
				}
			})
			if torn != want.torn || lost != want.lost || tries < 60 {
				t.Errorf("torn %v, lost %v in %d tries, want %+v", torn, lost, tries, want)
			}
		})
	}
}
