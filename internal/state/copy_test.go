package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sluice/internal/state"
	"sluice/pipeline"
)

func TestACopyIsAStateOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	path, to := filepath.Join(dir, "p.db"), filepath.Join(dir, "copy.db")
	if err := state.Copy(path, to); err != nil {
		t.Errorf("of nothing: %v", err)
	}
	s, err := state.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(pipeline.Row{Bucket: "b", Key: "k", Value: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if err := state.Copy(path, to); !errors.Is(err, state.ErrInUse) {
		t.Errorf("of a state in use: got %v", err)
	}
	s.Close()
	before, _ := os.ReadFile(path)
	if err := state.Copy(path, to); err != nil {
		t.Fatal(err)
	}
	c, err := state.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if v, err := c.Get("b", "k"); string(v) != "1" || err != nil {
		t.Errorf("got %q, %v", v, err)
	}
	if err := c.Put(pipeline.Row{Bucket: "b", Key: "k", Value: []byte("2")}); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Error("the original was changed")
	}
}
