package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"sluice/internal/config"
	"sluice/internal/jq"
	"sluice/internal/letters"
	"sluice/internal/state"
)

func deadLettersCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "dead-letters",
		Short: "List, show or replay records that could not be delivered",
		Long: `List, show or replay records that could not be delivered.

A letter counts once, however often a run that was interrupted wrote it. What
was replayed, and what a lane left behind before it started over, is left out.`,
	})
	cmd.AddCommand(listLettersCommand(), showLettersCommand(), replayCommand())
	return cmd
}

// letterPlace is how the commands of dead-letters find letters, and choose some.
type letterPlace struct {
	config, dir   string
	reason, where string
	limit         int
}

func (p *letterPlace) flags(cmd *cobra.Command) {
	cmd.Args = cobra.ExactArgs(1)
	cmd.ValidArgsFunction = completePipelines(&p.config, 1)
	configFlag(cmd, &p.config)
	f := cmd.Flags()
	f.StringVar(&p.reason, "reason", "", "letters with `TEXT` in their reason, or whose reason is listed as TEXT")
	f.StringVar(&p.where, "where", "", "letters of which `EXPR`, in jq, is true: '.status == 400 and .record._index == \"logs\"'")
	f.IntVar(&p.limit, "limit", 0, "`N` letters at most")
}

// without lets letters be found without a configuration.
func (p *letterPlace) without(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.dir, "dir", "", "`DIR` of the letters, if there is no configuration (sluice copy --dead-letters)")
	cmd.MarkFlagDirname("dir")
	cmd.MarkFlagsMutuallyExclusive("config", "dir")
}

// box gives the letters of a pipeline.
func (p *letterPlace) box(cmd *cobra.Command, name string) (*letters.Box, error) {
	if p.dir != "" {
		return &letters.Box{Config: &letters.Config{File: &letters.File{Path: p.dir}}, Pipeline: name}, nil
	}
	file, c, err := p.pipeline(cmd, name)
	if err != nil {
		return nil, err
	}
	box := &letters.Box{Config: c.DeadLetters, Pipeline: c.Name}
	box.Replayed, err = letters.Replayed(func(bucket string, f func(string, []byte) error) error {
		return state.Rows(replayFile(file.State, c.Name), bucket, f)
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return box, err
}

// pipeline gives a pipeline that has dead letters.
func (p *letterPlace) pipeline(cmd *cobra.Command, name string) (*config.File, *config.Pipeline, error) {
	file, err := load(p.config, cmd.InOrStdin())
	if err != nil {
		return nil, nil, err
	}
	chosen, err := choose(file, []string{name})
	if err != nil {
		return nil, nil, err
	}
	if len(chosen) > 1 {
		names := ""
		for _, p := range chosen {
			names += " " + p.Name
		}
		return nil, nil, usage(fmt.Errorf("%s is several pipelines, each with letters of its own; name one of them:%s", name, names))
	}
	if chosen[0].DeadLetters == nil {
		return nil, nil, usage(fmt.Errorf("pipeline %s keeps no dead letters: it has no dead_letters", name))
	}
	return file, chosen[0], nil
}

// filter gives what the flags choose.
func (p *letterPlace) filter() (letters.Filter, error) {
	f := letters.Filter{Reason: p.reason, Limit: p.limit}
	if p.where == "" {
		return f, nil
	}
	where, err := jq.Parse(p.where)
	if err != nil {
		return f, usage(fmt.Errorf("--where: %w", err))
	}
	f.Where = where
	return f, nil
}

// chosen calls f for the letters that the flags choose.
func (p *letterPlace) chosen(ctx context.Context, box *letters.Box, f func(l *letters.Letter, line []byte) error) error {
	filter, err := p.filter()
	if err != nil {
		return err
	}
	return box.Each(ctx, func(l *letters.Letter, line []byte) error {
		ok, err := filter.Chooses(ctx, l, line)
		if !ok {
			return err
		}
		return f(l, line)
	})
}

// replayFile is where a pipeline remembers which letters were replayed.
func replayFile(dir, pipeline string) string { return stateFile(dir, pipeline) + state.Replays }
