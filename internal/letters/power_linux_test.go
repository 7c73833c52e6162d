package letters_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sluice/pipeline"
	"sluice/test/powerloss"
)

func TestAfterALossOfPowerLettersThatWereSyncedAreThere(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c := exec.CommandContext(t.Context(), exe)
	c.Env = append(os.Environ(), "LETTERS_TEST_CHILD="+dir, "LETTERS_TEST_SOME=yes")
	c.Stderr = os.Stderr
	log, err := powerloss.Record(c, dir)
	if err != nil {
		t.Fatal(err)
	}
	log.Try(t, func(t *testing.T, dir, said string) {
		durable := len(strings.Fields(said))
		w := open(t, dir)
		write(t, w, pipeline.Letter{Pass: 1, Line: 90}, pipeline.Letter{Pass: 2, Line: 91})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		found := map[int64]bool{}
		for _, pass := range []int64{1, 2} {
			for line := range strings.Lines(read(t, dir, pass)) {
				if strings.ContainsRune(line, 0) { // written, not synced: it is written again
					continue
				}
				found[*lines(t, line)[0].Source.Line] = true
			}
		}
		for n := range int64(durable) {
			if !found[n] {
				t.Errorf("letter %d is not there", n)
			}
		}
		if !found[90] || !found[91] {
			t.Error("letters that were written after the loss are not there")
		}
	})
	if _, err := os.Stat(filepath.Join(dir, "logs", "2.ndjson")); err != nil {
		t.Error(err)
	}
}
