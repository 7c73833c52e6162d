package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"sluice/internal/config"
	"sluice/internal/jq"
	"sluice/internal/kind"
	"sluice/internal/letters"
	"sluice/internal/ops"
	"sluice/internal/state"
	"sluice/pipeline"
)

// replay is the command: which letters, and how they are sent again.
type replay struct {
	place        letterPlace
	view         view
	edit         string
	dry, replace bool

	file   *config.File
	p      *config.Pipeline
	box    *letters.Box
	edits  *jq.Program
	filter *letters.Filter
	log    *slog.Logger
}

func replayCommand() *cobra.Command {
	var r replay
	cmd := &cobra.Command{
		Use:   "replay PIPELINE",
		Short: "Send the records of dead letters again",
		Long: `Send the records of dead letters again, through the stage that refused them and
all behind it. What is delivered is remembered, and not sent a second time;
what is refused again stays a dead letter, with its new reason. The pipeline
may run meanwhile.

A record with a _version never replaces a newer document. Of one without, nobody
can tell whether the document that is there is newer: it is then written only if
there is none, or the same; else it stays a dead letter, until --replace says
that it is to be written over what is there.

Exit status:
  0  all letters that were chosen are delivered
  1  failed; run again to go on
  2  usage or configuration
  3  some are left
  4  stopped; run again to go on`,
		Example: `  sluice dead-letters replay logs
  sluice dead-letters replay logs --where '.type == "mapper_parsing_exception"'
  sluice dead-letters replay logs --edit '._source.took |= tonumber' --dry-run
  sluice dead-letters replay logs --reason 'no date' --edit empty     drop them`,
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd, args[0]) },
	}
	r.place.flags(cmd)
	r.view.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&r.edit, "edit", "", "send what `EXPR`, in jq, makes of each record; none: the letter is dropped")
	f.BoolVar(&r.replace, "replace", false, "write records without a _version also over documents that are there")
	f.BoolVar(&r.dry, "dry-run", false, "write to standard output what would be sent, and send nothing")
	return cmd
}

func (r *replay) run(cmd *cobra.Command, name string) (err error) {
	ctx := cmd.Context()
	if err := r.prepare(cmd, name); err != nil {
		return err
	}
	if r.dry {
		return r.rehearse(ctx, cmd.OutOrStdout())
	}
	store, err := state.Open(replayFile(r.file.State, r.p.Name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if r.box.Replayed, err = letters.Replayed(func(bucket string, f func(string, []byte) error) error { return store.Range(bucket, "", f) }); err != nil {
		return err
	}
	dead, err := r.p.DeadLetters.Open(ctx, r.p.Name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dead.Close()) }()
	report, left, err := r.send(ctx, store, dead)
	if err != nil {
		return err
	}
	return r.end(cmd.OutOrStdout(), report, left)
}

// prepare reads what the flags say.
func (r *replay) prepare(cmd *cobra.Command, name string) (err error) {
	if r.file, r.p, err = r.place.pipeline(cmd, name); err != nil {
		return err
	}
	if r.box, err = r.place.box(cmd, name); err != nil {
		return err
	}
	filter, err := r.place.filter()
	if err != nil {
		return err
	}
	r.filter = &filter
	if r.edit != "" {
		if r.edits, err = jq.Parse(r.edit); err != nil {
			return usage(fmt.Errorf("--edit: %w", err))
		}
	}
	sink, ok := r.p.Sink.Options.(kind.Replayer)
	if !ok {
		return usage(fmt.Errorf("pipeline %s: records are replayed into an index, and its sink is %s: take them with sluice dead-letters show %s --records", name, r.p.Sink.Kind, name))
	}
	sink.Replay(r.replace)
	_, r.log, err = r.view.open()
	return err
}

// rehearse writes what would be sent.
func (r *replay) rehearse(ctx context.Context, stdout io.Writer) error {
	out, from := bufio.NewWriter(stdout), letters.Replay{Edit: r.edits}
	err := r.place.chosen(ctx, r.box, func(l *letters.Letter, _ []byte) error {
		if l.Record == nil {
			r.log.Warn("not in the letter", "key", l.Source.Key, "reason", l.Reason)
			return nil
		}
		lines, err := from.Lines(ctx, l)
		if err != nil {
			r.log.Warn("stays a dead letter", "key", l.Source.Key, "letter", l.ID(), "error", err)
		}
		for _, rec := range lines {
			out.Write(rec)
		}
		return nil
	})
	return errors.Join(err, out.Flush())
}

// send replays the letters, those of one stage after those of another. left is
// how many cannot be sent.
func (r *replay) send(ctx context.Context, store *state.Store, dead *letters.Writer) (report ops.Report, left int, err error) {
	stages := []string{"source"}
	for _, t := range r.p.Transforms {
		stages = append(stages, t.Name)
	}
	stages = append(stages, "sink")
	found, left, err := r.look(ctx, stages)
	if err != nil {
		return report, 0, err
	}
	began := time.Now()
	sum := pipeline.Result{Complete: true}
	var status pipeline.Status
	for i, stage := range stages {
		if !found[stage] || !sum.Complete || err != nil {
			continue
		}
		var p *pipeline.Pipeline
		if p, err = r.pipeline(max(0, i-1), stage, dead); err != nil {
			return report, 0, usage(err)
		}
		if err = letters.Reset(store); err != nil {
			return report, 0, err
		}
		p.Store = store
		var res pipeline.Result
		res, err = p.Run(ctx)
		sum.Counts.Add(res.Counts)
		sum.Pass, sum.Complete = res.Pass, res.Complete
		status, _ = p.Status()
	}
	report = ops.NewReport(sum, status, err)
	report.Seconds = time.Since(began).Round(time.Millisecond).Seconds()
	if report.Outcome == ops.Complete && left > 0 {
		report.Outcome = ops.Partial
	}
	return report, left, nil
}

// look finds the stages of the letters that are chosen, and those that cannot
// be sent.
func (r *replay) look(ctx context.Context, stages []string) (found map[string]bool, left int, err error) {
	found = map[string]bool{}
	filter := *r.filter
	filter.Limit = 0 // it holds for all stages together
	err = r.box.Each(ctx, func(l *letters.Letter, line []byte) error {
		ok, err := filter.Chooses(ctx, l, line)
		switch {
		case !ok:
			return err
		case l.Record == nil:
			left++
		case !slices.Contains(stages, l.Stage):
			left++
			r.log.Warn("cannot be sent: the pipeline has no such stage any more", "stage", l.Stage, "key", l.Source.Key, "letter", l.ID())
		default:
			found[l.Stage] = true
		}
		return nil
	})
	return found, left, err
}

// pipeline is one that sends the letters of a stage, without the first n
// transforms.
func (r *replay) pipeline(n int, stage string, dead *letters.Writer) (*pipeline.Pipeline, error) {
	fitted, err := r.file.Fit(r.p)
	if err != nil {
		return nil, err
	}
	ops.LimitMemory(r.file.Memory)
	p := fitted[0].Pipeline(config.Links{Log: r.log})
	from := &letters.Replay{Box: r.box, Filter: r.filter, Edit: r.edits, Stage: stage}
	p.Source, p.Stages, p.Dead, p.Lanes, p.New = from, p.Stages[n:], from.Dead(dead), 1, false
	return p, nil
}

// end reports, and says with which status the process ends.
func (r *replay) end(out io.Writer, report ops.Report, left int) error {
	if err := r.write(out, report); err != nil {
		return err
	}
	n := report.Records
	text := fmt.Sprintf("%s: %s replayed", r.p.Name, plural(int(max(0, n.Read-n.Dead)), "dead letter"))
	if n.Dead > 0 {
		text += fmt.Sprintf(", %d refused again", n.Dead)
	}
	if left > 0 {
		text += fmt.Sprintf(", %d cannot be sent", left)
	}
	if n.Dead > 0 || left > 0 {
		text += fmt.Sprintf(": see sluice dead-letters list %s", r.p.Name)
	}
	if !r.view.quiet && r.view.report != "-" {
		fmt.Fprintln(out, text)
	}
	switch report.Outcome {
	case ops.Failed:
		return errors.New(report.Error)
	case ops.Stopped:
		return &exit{status: exitStopped}
	case ops.Partial:
		return &exit{status: exitPartial}
	}
	return nil
}

func (r *replay) write(out io.Writer, report ops.Report) error {
	reports := ops.Reports{r.p.Name: report}
	switch r.view.report {
	case "":
		return nil
	case "-":
		return reports.Write(out)
	}
	return reports.WriteFile(r.view.report)
}
