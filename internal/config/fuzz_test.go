package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sluice/internal/config"
)

// FuzzParse: whatever the text, there is a configuration or there are errors
// with positions inside the text.
func FuzzParse(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.yaml")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := config.Parse("x.yaml", text, options())
		if err == nil {
			if len(file.Pipelines) == 0 {
				t.Error("got neither pipelines nor an error")
			}
			return
		}
		var errs config.Errors
		if !errors.As(err, &errs) || len(errs) == 0 {
			t.Fatalf("got %T, want errors", err)
		}
		for _, e := range errs {
			if e.Line < 1 || e.Col < 1 || e.Message == "" {
				t.Errorf("got %+v, want a position and a message", e)
			}
		}
		if errs.Error() == "" {
			t.Error("got an empty text")
		}
	})
}
