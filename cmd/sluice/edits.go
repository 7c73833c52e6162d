package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sluice/internal/config"
	"sluice/pipeline"
)

func editsCommand() *cobra.Command {
	var (
		path string
		most int
	)
	cmd := &cobra.Command{
		Use:   "test-transforms PIPELINE [FILE]",
		Short: "Show what the transforms of a pipeline make of sample records",
		Long: `Show what those transforms of a pipeline that change records make of samples:
the first records of its source, or of FILE, which is NDJSON, compressed or not;
- is standard input, and s3://BUCKET/KEY and the like will do, too. Nothing is
written anywhere, nothing is deleted or acknowledged at the source.

Of each record that changes there is a line with - before it, as it was, and a
line with + for each record that it becomes. A line with = is one that stays as
it is. Behind ! stands why a record would be a dead letter, behind # by which
transform it is dropped.

Exit status:
  0  the records were shown
  1  the records could not be read
  2  usage or configuration
  3  some of them would be dead letters`,
		Example: `  sluice test-transforms logs
  sluice test-transforms logs sample.ndjson -n 100
  echo '{"user":{"email":"a@example.org"}}' | sluice test-transforms logs -`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: completePipelines(&path, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := load(path, cmd.InOrStdin())
			if err != nil {
				return err
			}
			chosen, err := choose(file, args[:1])
			if err != nil {
				return err
			}
			edits, before, err := chosen[0].Edits()
			switch {
			case err != nil:
				return usage(err)
			case most < 1:
				return usage(fmt.Errorf("--records %d: at least 1", most))
			case len(edits) == 0:
				return usage(fmt.Errorf("pipeline %s has no transforms that change records", args[0]))
			}
			s := sample{file: file, pipeline: chosen[0], before: before, most: most}
			records, err := s.take(cmd.Context(), args[1:])
			if err != nil {
				return err
			}
			t := trial{edits: edits, most: int(chosen[0].MaxRecord), out: bufio.NewWriter(cmd.OutOrStdout())}
			return t.run(cmd.Context(), records, cmd.ErrOrStderr())
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().IntVarP(&most, "records", "n", 10, "show the first `N` records")
	return cmd
}

// trial is edits being tried on records.
type trial struct {
	edits []config.Edit
	most  int // longest record
	out   *bufio.Writer

	lines            []byte // what is shown below the record
	kept             int    // records that it becomes
	same, dead       bool   // it stays as it is; some of it would be a dead letter
	changed, stay    int
	dropped, letters int
}

// run shows what becomes of records.
func (t *trial) run(ctx context.Context, records [][]byte, summary io.Writer) error {
	for _, rec := range records {
		t.lines, t.kept, t.same, t.dead = t.lines[:0], 0, false, false
		if err := t.through(ctx, 0, rec, rec); err != nil {
			return err
		}
		mark := "- "
		switch {
		case t.dead:
			t.letters++
		case t.kept == 0:
			t.dropped++
		case t.kept == 1 && t.same:
			mark, t.lines = "= ", nil
			t.stay++
		default:
			t.changed++
		}
		t.out.WriteString(mark)
		t.out.Write(rec)
		t.out.Write(t.lines)
	}
	if err := t.out.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(summary, "%s: %d changed, %d as before, %d dropped, %d would be dead letters\n", plural(len(records), "record"), t.changed, t.stay, t.dropped, t.letters)
	if t.letters > 0 {
		return &exit{status: exitPartial}
	}
	return nil
}

// through gives a record to the edits from one on. first is what it was before
// all of them.
func (t *trial) through(ctx context.Context, from int, rec, first []byte) error {
	if from == len(t.edits) {
		t.kept++
		t.same = bytes.Equal(rec, first)
		t.lines = append(append(t.lines, "+ "...), rec...)
		return nil
	}
	e := t.edits[from]
	b, err := pipeline.NewQuota(1).Block(ctx)
	if err != nil {
		return err
	}
	defer b.Release()
	verdict, err := e.Edit(ctx, rec, b)
	if verdict == pipeline.Keep && len(b.B()) > t.most {
		verdict, err = pipeline.Dead, errors.New("record is longer than max_record")
	}
	switch {
	case verdict == pipeline.Dead:
		t.dead = true
		t.lines = fmt.Appendf(t.lines, "! %s: %v\n", e.Stage, err)
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", e.Stage, err)
	case verdict == pipeline.Drop:
		t.lines = fmt.Appendf(t.lines, "# dropped by %s\n", e.Stage)
		return nil
	}
	for line := range bytes.Lines(b.B()) {
		if err := t.through(ctx, from+1, line, first); err != nil {
			return err
		}
	}
	return nil
}
