package main

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"sluice/internal/check"
	"sluice/internal/config"
	"sluice/internal/letters"
	"sluice/pipeline"
)

const (
	checkTime = 30 * time.Second // how long one stage may take to be checked
	patience  = 5 * time.Second  // how long one of its requests is tried again
	sideways  = 8                // pipelines that are checked at a time
)

// checking is what check was asked for.
type checking struct {
	file   *config.File
	write  bool
	sample time.Duration
	page   *page
}

func checkCommand() *cobra.Command {
	var path string
	c := checking{}
	cmd := &cobra.Command{
		Use:   "check [PIPELINE...]",
		Short: "Check a configuration and what it connects to, and move nothing",
		Long: `Check a configuration: parse it, resolve it, see that it fits into memory,
connect to every source and sink, and find out what they are, what may be done
there, and how much there is to move. Nothing is moved.

Nothing is written either: whether something may be written is found out by
requests that cannot be carried out, such as a part of an upload that does not
exist. With --write, sinks also try what only writing shows: one of S3 puts an
object below its prefix and removes it again, to see whether the store honours
conditional writes.

How long a pass takes is estimated from a sample: each source is read for two
seconds (see --sample), through the transforms, and what comes is thrown away.

Exit status:
  0  it can run; there may be warnings
  1  something could not be connected to, is missing, or is not permitted
  2  the configuration is wrong`,
		ValidArgsFunction: completePipelines(&path, math.MaxInt),
		RunE: func(cmd *cobra.Command, names []string) error {
			fitted, err := c.load(cmd, path, names)
			if err != nil {
				return err
			}
			c.page = newPage(cmd.OutOrStdout())
			return c.run(cmd.Context(), fitted)
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().BoolVar(&c.write, "write", false, "also try what only writing shows, and remove what was written")
	cmd.Flags().DurationVar(&c.sample, "sample", 2*time.Second, "how long each source is read for the estimate; 0: not at all")
	return cmd
}

// load gives the pipelines as they would run, but with less patience.
func (c *checking) load(cmd *cobra.Command, path string, names []string) ([]*config.Fitted, error) {
	file, err := load(path, cmd.InOrStdin())
	if err != nil {
		return nil, err
	}
	pipelines, err := choose(file, names)
	if err != nil {
		return nil, err
	}
	for _, p := range pipelines {
		for _, options := range []any{p.Source.Options, p.Sink.Options, p.DeadLetters} {
			if h, ok := options.(check.Hurrier); ok && options != (*letters.Config)(nil) {
				h.Hurry(patience)
			}
		}
	}
	c.file = file
	fitted, err := file.Fit(pipelines...)
	return fitted, usage(err)
}

// finding is what is known of a pipeline before it runs.
type finding struct {
	*config.Fitted
	built    *pipeline.Pipeline
	before   standing
	parts    []*part  // source, sink, and the place of dead letters if there is one
	read     *reading // nil: there was none
	why      string   // there was none
	warnings []string
	expected estimate
	failed   int // things that are missing or went wrong
}

// part is what was found of a stage.
type part struct {
	name  string
	about string // what it is, by its configuration
	stage any
	*check.Report
	err error
}

func (f *finding) source() *part { return f.parts[0] }
func (f *finding) sink() *part   { return f.parts[1] }

// run checks pipelines, prints what it finds, and says whether they can run.
func (c *checking) run(ctx context.Context, fitted []*config.Fitted) error {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // what matters is in the errors
	found := make([]*finding, len(fitted))
	var g errgroup.Group
	g.SetLimit(sideways)
	for i, f := range fitted {
		g.Go(func() error { found[i] = c.examine(ctx, f); return nil })
	}
	g.Wait()
	failed, warned := 0, 0
	for i, f := range found {
		c.try(ctx, f) // one at a time, so that they do not share the machine
		c.conclude(f, fitted)
		if ctx.Err() != nil {
			return errors.New("stopped")
		}
		if i > 0 {
			c.page.line("")
		}
		c.show(f)
		failed, warned = failed+f.failed, warned+len(f.warnings)
	}
	c.total(fitted, failed, warned)
	if failed > 0 {
		return &exit{status: exitFailed}
	}
	return nil
}

// examine looks at both ends of a pipeline.
func (c *checking) examine(ctx context.Context, fitted *config.Fitted) *finding {
	p := fitted.Pipeline(config.Links{Log: slog.New(slog.DiscardHandler)})
	f := &finding{Fitted: fitted, built: p, before: stand(c.file, fitted.Config)}
	f.add("source", p.Source)
	f.add("sink", p.Sink)
	f.source().about = fitted.Config.Source.Options.Identity()
	f.sink().about = fitted.Config.Sink.Options.Identity()
	if d := fitted.Config.DeadLetters; d != nil {
		f.add("dead letters", &letters.Box{Config: d, Pipeline: fitted.Config.Name})
	}
	for _, part := range f.parts {
		part.Fresh, part.Write = f.before.fresh, c.write
		part.Indices = append(part.Indices, f.source().Indices...)
		part.check(ctx)
	}
	return f
}

func (f *finding) add(name string, stage any) {
	f.parts = append(f.parts, &part{name: name, stage: stage, Report: check.NewReport()})
}

func (p *part) check(ctx context.Context) {
	c, ok := p.stage.(check.Checker)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	p.err = c.Check(ctx, p.Report)
}

// failures is how many things are wrong with a stage.
func (p *part) failures() (n int) {
	if p.err != nil {
		n++
	}
	for _, g := range p.Grants {
		if g.Missing() {
			n++
		}
	}
	return n
}

// conclude adds up what is wrong, and what somebody may not expect.
func (c *checking) conclude(f *finding, together []*config.Fitted) {
	f.expected = expect(f)
	f.before.room(f.before.takes(f.expected.in.Lanes, f.source().Remembered))
	for _, p := range f.parts {
		f.failed += p.failures()
	}
	if f.before.err != nil {
		f.failed++
	}
	if f.read != nil && f.read.err != nil {
		f.failed++
	}
	f.warnings = warnings(f, together)
}

// total says what all pipelines take together, and how it went.
func (c *checking) total(fitted []*config.Fitted, failed, warned int) {
	if len(fitted) > 1 {
		var sum int64
		for _, f := range fitted {
			lane, shared := f.Need()
			sum += int64(f.Lanes)*int64(lane) + int64(shared)
		}
		c.page.line("")
		c.page.say("together", memoryOf(sum, c.file.Memory)+"; the process stays below that and 60 MB")
	}
	c.page.line("")
	if failed > 0 {
		c.page.line("%s: %s, %s", plural(len(fitted), "pipeline"), c.page.red(plural(failed, "check")+" failed"), plural(warned, "warning"))
		return
	}
	c.page.line("%s in %v of memory: %s, %s", plural(len(fitted), "pipeline"), c.file.Memory, c.page.green("ok"), plural(warned, "warning"))
}
