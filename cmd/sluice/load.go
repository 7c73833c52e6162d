package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/config"
)

// defaultFiles are looked for, in this order, where no file is named.
var defaultFiles = []string{"sluice.yaml", "config.yaml"}

// configFlag adds the flag that names the configuration.
func configFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVarP(path, "config", "c", "", "configuration `FILE`, - for standard input (default: ./sluice.yaml, else ./config.yaml)")
	cmd.MarkFlagFilename("config", "yaml", "yml")
}

// load reads the configuration that path names, or one of the default files.
func load(path string, stdin io.Reader) (*config.File, error) {
	file, _, err := loadFrom(path, stdin)
	return file, err
}

// loadFrom also says where the configuration came from; nil if it cannot be read
// there again.
func loadFrom(path string, stdin io.Reader) (*config.File, *origin, error) {
	name, text, err := read(path, stdin)
	if err != nil {
		return nil, nil, usage(err)
	}
	file, err := config.Parse(name, text, config.Options{})
	if err != nil || path == "-" {
		return file, nil, usage(err)
	}
	return file, &origin{path: name, text: text}, nil
}

func read(path string, stdin io.Reader) (name string, text []byte, err error) {
	switch path {
	case "-":
		text, err = io.ReadAll(stdin)
		return "stdin", text, err
	case "":
		for _, path := range defaultFiles {
			if text, err = os.ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
				return path, text, err
			}
		}
		return "", nil, fmt.Errorf("there is neither %s here; name the configuration with -c FILE, or move data without one: sluice copy SOURCE SINK", strings.Join(defaultFiles, " nor "))
	}
	text, err = os.ReadFile(path)
	return path, text, err
}

// choose returns the named pipelines, in the order of the file; all if none is
// named. The name of a definition with several sinks is that of all of its
// pipelines.
func choose(file *config.File, names []string) ([]*config.Pipeline, error) {
	var chosen []*config.Pipeline
	for _, p := range file.Pipelines {
		if len(names) == 0 || slices.ContainsFunc(names, p.Called) {
			chosen = append(chosen, p)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(chosen, func(p *config.Pipeline) bool { return p.Called(name) }) {
			return nil, usage(fmt.Errorf("no pipeline %q in the configuration; there are: %s", name, strings.Join(known(file), ", ")))
		}
	}
	return chosen, nil
}

// known are the names by which pipelines are chosen.
func known(file *config.File) (names []string) {
	for _, p := range file.Pipelines {
		if of := string(p.Of); of != "" && !slices.Contains(names, of) {
			names = append(names, of)
		}
		names = append(names, p.Name)
	}
	return names
}

// stateFile is where the state of a pipeline is.
func stateFile(dir, pipeline string) string { return filepath.Join(dir, pipeline+".db") }

// completePipelines completes names of pipelines from the configuration.
func completePipelines(config *string, most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) >= most || *config == "-" {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		file, err := load(*config, nil)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []cobra.Completion
		for _, name := range known(file) {
			if !slices.Contains(args, name) {
				names = append(names, name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
