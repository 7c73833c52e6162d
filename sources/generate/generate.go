// Package generate is a source of made-up log records. They follow from a seed
// and their number alone, so that any range can be made again at any time.
package generate

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Config is the options of the source.
type Config struct {
	Records int64      `yaml:"records" doc:"How many records there are." default:"1000000" min:"1" max:"999999999999"`
	Bytes   unit.Bytes `yaml:"bytes" doc:"Size of the document in each record, without its envelope; at least 400." default:"700"`
	Seed    int64      `yaml:"seed" doc:"What the documents are made from: another seed gives other documents." default:"1"`
	Rate    int64      `yaml:"rate" doc:"Records per second at most, in blocks of 1 MiB; 0 is as fast as they are taken." default:"0" min:"0"`
	Index   string     `yaml:"index" doc:"Name of the index that the records say they are from." default:"generated"`
}

var _ kind.Source = (*Config)(nil)

// Problems implements [kind.Source].
func (c *Config) Problems(env kind.Env) (all []kind.Problem) {
	if c.Bytes < MinBytes {
		all = append(all, kind.Problem{Option: "bytes", Message: fmt.Sprintf("a document has at least %d bytes", MinBytes)})
	}
	if n := int64(c.records().Len()); env.MaxRecord > 0 && c.Bytes > 0 && n > env.MaxRecord {
		all = append(all, kind.Problem{Option: "bytes",
			Message: fmt.Sprintf("a record has %d bytes with its envelope, and max_record is %d; make documents smaller", n, env.MaxRecord)})
	}
	if c.Index == "" || strings.ContainsAny(c.Index[:1], "-_+.") || strings.ContainsFunc(c.Index, notInName) {
		all = append(all, kind.Problem{Option: "index",
			Message: "use lower-case letters, digits, '-', '_' and '.'; the first one a letter or digit"})
	}
	return all
}

func notInName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r))
}

// Gives implements [kind.Source].
func (*Config) Gives() kind.Form { return kind.Records }

// Identity implements [kind.Source].
func (c *Config) Identity() string {
	return fmt.Sprintf("generate index %s: %d records of %d bytes, seed %d", c.Index, c.Records, int64(c.Bytes), c.Seed)
}

// Build implements [kind.Source].
func (c *Config) Build(kind.Env) (pipeline.Source, error) {
	return &Source{Records: c.records(), N: c.Records, Rate: c.Rate}, nil
}

func (c *Config) records() Records {
	return Records{Index: c.Index, Seed: c.Seed, Bytes: int(c.Bytes)}
}

// Source gives records 0 to N-1.
type Source struct {
	Records
	N    int64
	Rate int64 // records per second in all lanes together; 0: no limit
}

// blocks in flight per lane.
const blocks = 3

// Need implements [pipeline.Sized].
func (s *Source) Need() (lane, shared int64) {
	return pipeline.QuotaSize(blocks), pipeline.LargeSize(int64(s.Len() + longestWord))
}

// Open implements [pipeline.Source].
func (s *Source) Open(_ context.Context, p *pipeline.Pass) (pipeline.Reader, error) {
	return &reader{Source: s, parallel: p.Parallel}, nil
}

type reader struct {
	*Source
	parallel int
	mu       sync.Mutex
	free     time.Time // when the next record may be given
}

// Plan implements [pipeline.Reader]: ranges of the same size.
func (r *reader) Plan(context.Context) ([]pipeline.Lane, error) {
	n := min(int64(max(1, r.parallel)), r.N)
	lanes := make([]pipeline.Lane, n)
	for i := range n {
		from, to := r.N/n*i+min(i, r.N%n), r.N/n*(i+1)+min(i+1, r.N%n)
		spec := fmt.Sprintf("%d-%d", from, to)
		lanes[i] = pipeline.Lane{
			Name: fmt.Sprintf("%s-%d", r.Index, i), Part: int(i), Parts: int(n), Spec: spec,
			ID:      fmt.Sprintf("%s seed %d bytes %d records %s", r.Index, r.Seed, r.Bytes, spec),
			Records: to - from, Bytes: (to - from) * int64(r.Len()),
		}
	}
	return lanes, nil
}

// Read implements [pipeline.Reader]. A block ends with the first record that
// ends at BlockSize or later.
func (r *reader) Read(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	n, to, err := place(lane.Spec, from.Token)
	if err != nil {
		return err
	}
	meta := &pipeline.Meta{Index: r.Index}
	quota := pipeline.NewQuota(blocks)
	for n < to {
		b, err := quota.Block(ctx)
		if err != nil {
			return err
		}
		if err := b.Reserve(ctx, pipeline.BlockSize+r.Len()+longestWord); err != nil {
			return err
		}
		begin, buf := n, b.AvailableBuffer()
		for ; n < to && len(buf) < pipeline.BlockSize; n++ {
			buf = r.Append(buf, n)
		}
		b.Write(buf)
		it := b.Item(r.Index, pipeline.Position{Token: fmt.Sprint(n)}, n-begin)
		it.Meta = meta
		if err := r.pace(ctx, n-begin); err != nil {
			return err
		}
		if err := pipeline.Send(ctx, out, it); err != nil {
			return err
		}
	}
	return nil
}

// place reads where a lane goes on, and its end.
func place(spec, token string) (n, to int64, err error) {
	var from int64
	if _, err := fmt.Sscanf(spec, "%d-%d", &from, &to); err != nil {
		return 0, 0, fmt.Errorf("plan %q: %w", spec, err)
	}
	if token == "" {
		return from, to, nil
	}
	if _, err := fmt.Sscanf(token, "%d", &n); err != nil || n < from || n > to {
		return 0, 0, fmt.Errorf("position %q is not in records %s", token, spec)
	}
	return n, to, nil
}

// pace waits until n records more may be given.
func (r *reader) pace(ctx context.Context, n int64) error {
	if r.Rate <= 0 {
		return nil
	}
	r.mu.Lock()
	now := time.Now()
	if r.free.Before(now) {
		r.free = now
	}
	r.free = r.free.Add(time.Duration(float64(n) / float64(r.Rate) * float64(time.Second)))
	wait := time.NewTimer(r.free.Sub(now))
	r.mu.Unlock()
	defer wait.Stop()
	_, _, err := pipeline.Receive(ctx, wait.C)
	return err
}

// Close implements [pipeline.Reader].
func (r *reader) Close() error { return nil }
