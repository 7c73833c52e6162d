package translate_test

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"sluice/internal/config"
	"sluice/internal/translate"
)

var update = flag.Bool("update", false, "write what was got into testdata")

// known gives variables some value.
func known(string) (string, bool) { return "x", true }

// words are those of a shell command.
func words(t *testing.T, command string) []string {
	t.Helper()
	out, err := exec.Command("sh", "-c", `printf '%s\0' `+command).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// TestWhatOthersWereTold translates command lines and environments that people
// published; the first line of each file in testdata says where. There are
//
//	command     for a shell; without it, there is none
//	env         lines of NAME=VALUE
//	secrets     texts that must not be shown
//	want.yaml   the configuration, or
//	error       why there is none
//
// and files that options name.
func TestWhatOthersWereTold(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) < 50 {
		t.Fatalf("got %d files, %v", len(files), err)
	}
	for _, file := range files {
		tool := translate.Find(filepath.Base(filepath.Dir(file)))
		t.Run(tool.Name+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(a.Comment), "From ") {
				t.Error("it does not say where it is from")
			}
			in := translate.Input{ReadFile: func(name string) ([]byte, error) {
				if i := find(a, filepath.Base(name)); i >= 0 {
					return a.Files[i].Data, nil
				}
				return nil, os.ErrNotExist
			}}
			if i := find(a, "command"); i >= 0 {
				in.Args = words(t, string(a.Files[i].Data))
			}
			if i := find(a, "env"); i >= 0 {
				in.Env, err = tool.ReadVariables(strings.NewReader(string(a.Files[i].Data)))
				if err != nil {
					t.Fatal(err)
				}
			}
			name, got := "want.yaml", ""
			if result, err := tool.Translate(in); err != nil {
				name, got = "error", err.Error()+"\n"
			} else {
				got = result.Text
				parses(t, got)
			}
			if i := find(a, "secrets"); i >= 0 {
				for s := range strings.FieldsSeq(string(a.Files[i].Data)) {
					if strings.Contains(got, s) {
						t.Errorf("a secret is shown: %s", s)
					}
				}
			}
			compare(t, file, a, name, got)
		})
	}
}

func find(a *txtar.Archive, name string) int {
	for i, f := range a.Files {
		if f.Name == name {
			return i
		}
	}
	return -1
}

// parses says what is wrong with a configuration.
func parses(t *testing.T, text string) {
	t.Helper()
	_, err := config.Parse("got.yaml", []byte(text), config.Options{Env: known})
	var bad config.Errors
	if errors.As(err, &bad) {
		t.Errorf("%v\n%s", err, text)
	}
}

// compare wants a file of an archive to have a text, or writes it there.
func compare(t *testing.T, file string, a *txtar.Archive, name, got string) {
	t.Helper()
	i := find(a, name)
	if i >= 0 && string(a.Files[i].Data) == got {
		return
	}
	if !*update {
		want := ""
		if i >= 0 {
			want = string(a.Files[i].Data)
		}
		t.Errorf("%s (-want +got):\n%s", name, cmp.Diff(want, got))
		return
	}
	for _, old := range []string{"want.yaml", "error"} {
		if i := find(a, old); i >= 0 {
			a.Files = append(a.Files[:i], a.Files[i+1:]...)
		}
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(got)})
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}
