package state_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/test/powerloss"
)

func TestAfterALossOfPowerTheStateIsThatOfASave(t *testing.T) {
	dir := t.TempDir()
	log, err := powerloss.Record(child(t, "some", nil, dir), dir)
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	log.Try(t, func(t *testing.T, dir, said string) {
		tries++
		path := filepath.Join(dir, "new", "x.db")
		last := strings.Count(said, "\n")
		if _, err := os.Stat(path); last == 0 && err != nil {
			return // it came no further
		}
		saved(t, path, last, last+1)
	})
	t.Logf("%d losses of power", tries)
	if tries < 100 {
		t.Errorf("%d tries", tries)
	}
}
