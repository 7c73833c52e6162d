package config_test

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/config"
)

var update = flag.Bool("update", false, "write the golden files")

// options read a configuration with the fakes, in an environment of its own.
func options() config.Options {
	env := map[string]string{"PASSWORD": "hunter2", "INDEX": "logs", "LEVEL": "3", "EMPTY": ""}
	files := map[string]string{"/run/secret": "hunter2\n", "/run/two": "hunter2\n\n", "/run/empty": "\n"}
	return config.Options{
		Kinds:   fakes,
		Workers: 4,
		Env:     func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		ReadFile: func(path string) ([]byte, error) {
			if text, ok := files[path]; ok {
				return []byte(text), nil
			}
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		},
	}
}

func TestABrokenConfigurationSaysAllThatIsWrongAndWhere(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(paths) < 20 {
		t.Fatalf("got %d broken configurations, %v, want at least 20", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = config.Parse(filepath.Base(path), text, options())
			if err == nil {
				t.Fatal("got no error, want one")
			}
			got := err.Error() + "\n"
			if strings.Contains(got, "hunter") {
				t.Errorf("the error shows a secret:\n%s", got)
			}
			golden := strings.TrimSuffix(path, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("the errors differ (-want +got):\n%s", diff)
			}
		})
	}
}
