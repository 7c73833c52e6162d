package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"sluice/internal/config"
	"sluice/internal/kind"
	"sluice/sinks"
	"sluice/sinks/file"
	"sluice/sources"
	"sluice/transforms"
)

// copyName is the name of the pipeline that copy makes.
const copyName = "copy"

// copying is the command copy: what to move, and how.
type copying struct {
	source, sink *location

	gzip, zstd           bool
	lanes                int
	memory, key          string
	state, deadLetters   string
	s3Endpoint, s3Region string
	set                  []string
	mirror               bool
}

func copyCommand() *cobra.Command {
	var (
		c copying
		s session
		m mirroring
	)
	cmd := &cobra.Command{
		Use:   "copy SOURCE SINK",
		Short: "Move data once, without a configuration",
		Long: `Move data once, without a configuration. SOURCE and SINK are each one of

` + locations + `

Files and objects that go into an index are decompressed and split into lines.
Records that go into files or objects are NDJSON, compressed with --gzip or
--zstd. Credentials for S3 come from the environment, the profile or the
machine's role; to keep a password out of the list of processes, name a file
that holds it: --set source.password_file=FILE.

Without --state, a copy that is interrupted begins anew.

` + statuses,
		Example: `  sluice copy opensearch+https://me:secret@search:9200/logs-* s3://archive/logs --gzip
  sluice copy s3://archive/logs opensearch+http://localhost:9200
  sluice copy elasticsearch+http://old:9200/users opensearch+http://new:9200 --state ./state
  sluice copy opensearch+http://localhost:9200/logs - | jq ._source
  sluice copy s3://photos file:backup --mirror --state ./state --dry-run
  sluice copy generate:1000 file:out --set source.seed=7`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := c.configuration(args)
			if err != nil {
				return usage(err)
			}
			if args[1] == "-" && s.view.report == "-" {
				return usage(errors.New("--report -: standard output takes the data; name a file"))
			}
			s.again = "run again to resume"
			if c.state == "" {
				s.again = anew(args)
				dir, err := os.MkdirTemp("", "sluice-copy-")
				if err != nil {
					return fmt.Errorf("temporary state: %w", err)
				}
				defer os.RemoveAll(dir)
				file.State = dir
			}
			s.file, s.pipelines, s.stdout = file, file.Pipelines, cmd.OutOrStdout()
			if err := m.apply(&s); err != nil {
				return err
			}
			return s.run(cmd.Context())
		},
	}
	c.flags(cmd)
	s.view.flags(cmd)
	m.flags(cmd)
	cmd.Flags().BoolVar(&s.accept, "accept", false, "go on with a state that was made with another source or sink")
	return cmd
}

func (c *copying) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&c.gzip, "gzip", false, "compress toward files or objects with gzip")
	f.BoolVar(&c.zstd, "zstd", false, "compress toward files or objects with zstd")
	f.IntVar(&c.lanes, "lanes", 0, "move `N` parts at the same time (default 4)")
	f.StringVar(&c.memory, "memory", "", "`SIZE` of the process, such as 80MiB, which is the default")
	f.StringVar(&c.key, "key", "", "`TEMPLATE` of the names of objects or files, such as {index}/{lane}-{sequence}.json")
	f.StringVar(&c.state, "state", "", "`DIR` to keep the state in, so that the copy can be resumed")
	f.BoolVar(&c.mirror, "mirror", false, "make SINK what SOURCE is: what SOURCE no longer has is deleted; with --state")
	f.StringVar(&c.deadLetters, "dead-letters", "", "`DIR` for records that can never be delivered; without it they end the copy")
	f.StringVar(&c.s3Endpoint, "s3-endpoint", "", "`URL` of a store that is not AWS")
	f.StringVar(&c.s3Region, "s3-region", "", "`REGION` of the bucket")
	f.StringArrayVar(&c.set, "set", nil, "any option, as source.`OPTION=VALUE`, sink.OPTION=VALUE, or one of the pipeline; may be given again")
	cmd.MarkFlagDirname("state")
	cmd.MarkFlagDirname("dead-letters")
}

// configuration makes a configuration of the arguments and flags.
func (c *copying) configuration(args []string) (*config.File, error) {
	if c.gzip && c.zstd {
		return nil, errors.New("--gzip and --zstd: choose one")
	}
	var err error
	if c.source, err = locate("source", args[0]); err != nil {
		return nil, fmt.Errorf("SOURCE: %w", err)
	}
	if c.sink, err = locate("sink", args[1]); err != nil {
		return nil, fmt.Errorf("SINK: %w", err)
	}
	settings := append(c.source.settings, c.sink.settings...)
	settings = append(settings, c.options()...)
	settings = append(settings, c.transforms()...)
	chosen, err := c.chosen()
	if err != nil {
		return nil, err
	}
	settings = append(without(settings, chosen), chosen...)
	if !isSet(settings, "sink."+c.sink.kind+".key") {
		settings = append(settings, c.defaultKey()...)
	}
	return config.New(copyName, settings, config.Options{Transient: c.state == "", Kinds: kinds()})
}

// kinds are those of configurations, and standard output.
func kinds() config.Kinds {
	all := config.Kinds{Sources: sources.Kinds, Transforms: transforms.Kinds, Sinks: maps.Clone(sinks.Kinds)}
	all.Sinks[stdout] = func() kind.Sink { return new(file.Stdout) }
	return all
}

// anew is what to do about a copy that cannot be resumed.
func anew(args []string) string {
	if slices.Contains(args, "-") {
		return "run it again, from the beginning"
	}
	return "run it again, from the beginning; with --state DIR it would resume"
}

// options are the settings of flags other than --set.
func (c *copying) options() (settings []config.Setting) {
	add := func(path, value, flag string) {
		if value != "" {
			settings = append(settings, config.Setting{Path: path, Value: value, Flag: flag})
		}
	}
	if c.lanes != 0 {
		add("lanes", strconv.Itoa(c.lanes), "--lanes")
	}
	add("memory", c.memory, "--memory")
	add("state", c.state, "--state")
	add("dead_letters.file.path", c.deadLetters, "--dead-letters")
	add("sink."+c.sink.kind+".key", c.key, "--key")
	if c.mirror {
		add("sink."+c.sink.kind+".mirror", "true", "--mirror")
	}
	for _, l := range []*location{c.source, c.sink} {
		if l.kind == "s3" {
			add(l.side+".s3.endpoint", c.s3Endpoint, "--s3-endpoint")
			add(l.side+".s3.region", c.s3Region, "--s3-region")
		}
	}
	return settings
}

// transforms are what stands between the two: what an index needs, and what
// flags ask for.
func (c *copying) transforms() (settings []config.Setting) {
	add := func(kind, flag string) {
		path := fmt.Sprintf("transforms.%d.%s", len(settings), kind)
		settings = append(settings, config.Setting{Path: path, Flag: flag})
	}
	if c.sink.records && !c.source.records {
		add("decompress", "SOURCE")
		add("lines", "SOURCE")
	}
	if c.gzip {
		add("gzip", "--gzip")
	}
	if c.zstd {
		add("zstd", "--zstd")
	}
	return settings
}

// chosen are the settings of --set.
func (c *copying) chosen() (settings []config.Setting, err error) {
	for _, s := range c.set {
		path, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, errors.New("--set: write source.OPTION=VALUE, sink.OPTION=VALUE or OPTION=VALUE")
		}
		flag := "--set " + path
		for _, l := range []*location{c.source, c.sink} {
			if option, ok := strings.CutPrefix(path, l.side+"."); ok {
				path = l.side + "." + l.kind + "." + option
				break
			}
		}
		settings = append(settings, config.Setting{Path: path, Value: value, Flag: flag})
	}
	return settings, nil
}

// defaultKey names files and objects: those that were read keep their names,
// records get new ones.
func (c *copying) defaultKey() []config.Setting {
	if c.sink.kind != "s3" && c.sink.kind != "file" {
		return nil
	}
	key := "{key}"
	if c.source.records {
		key = "{index}/{lane}-{sequence:6}.ndjson"
	}
	switch {
	case c.gzip:
		key += ".gz"
	case c.zstd:
		key += ".zst"
	}
	return []config.Setting{{Path: "sink." + c.sink.kind + ".key", Value: key, Flag: "--key"}}
}

// without removes the settings that chosen ones stand for.
func without(settings, chosen []config.Setting) (rest []config.Setting) {
	for _, s := range settings {
		if !isSet(chosen, s.Path) {
			rest = append(rest, s)
		}
	}
	return rest
}

func isSet(settings []config.Setting, path string) bool {
	for _, s := range settings {
		if s.Path == path {
			return true
		}
	}
	return false
}
