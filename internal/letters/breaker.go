package letters

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"sluice/internal/unit"
	"sluice/pipeline"
)

// Breaker is a [pipeline.DeadLetters] that ends a run which has too many of
// them: it fails before the save that would pass them, so the next run meets
// them again. The letters themselves are kept.
type Breaker struct {
	pipeline.DeadLetters
	max    int64
	ratio  *unit.Share
	window int64
	counts func() (pass int64, c pipeline.Counts) // up to the positions that a save would write

	mu      sync.Mutex
	pass    int64
	letters int64            // of the pass, in this process
	groups  map[string]int64 // likewise, by reason
	last    pipeline.Counts  // of the pass, when they were last looked at
	records int64            // of the window
	dead    int64            // among them
}

// Breaker lets the limits of c watch over the letters that go to dead. status is
// that of the pipeline.
func (c *Config) Breaker(dead pipeline.DeadLetters, status func() (pipeline.Status, bool)) pipeline.DeadLetters {
	if c.Max == 0 && c.MaxRatio == nil {
		return dead
	}
	return &Breaker{DeadLetters: dead, max: c.Max, ratio: c.MaxRatio, window: c.Window, groups: map[string]int64{},
		counts: func() (int64, pipeline.Counts) {
			s, _ := status()
			var sum pipeline.Counts
			for _, l := range s.Lanes {
				sum.Add(l.State.Counts)
			}
			return s.Pass, sum
		}}
}

// Write implements [pipeline.DeadLetters].
func (b *Breaker) Write(ctx context.Context, l pipeline.Letter) error {
	if err := b.DeadLetters.Write(ctx, l); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begin(l.Pass)
	b.letters++
	if g := Group(l.Reason); len(b.groups) < maxGroups || b.groups[g] > 0 {
		b.groups[g]++
	}
	if b.max > 0 && b.letters > b.max {
		return b.tooMany(b.letters)
	}
	return nil
}

// Sync implements [pipeline.DeadLetters].
func (b *Breaker) Sync(ctx context.Context) error {
	if err := b.DeadLetters.Sync(ctx); err != nil {
		return err
	}
	pass, now := b.counts()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.begin(pass)
	if b.max > 0 && now.Dead > b.max {
		return b.tooMany(now.Dead)
	}
	return b.look(now)
}

// begin forgets what was counted of another pass.
func (b *Breaker) begin(pass int64) {
	if pass != b.pass {
		b.pass, b.letters, b.last = pass, 0, pipeline.Counts{}
		clear(b.groups)
	}
}

// look adds what was counted since it was last called to the window, and judges
// one that is full. Counts that fell are those of a lane that starts over.
func (b *Breaker) look(now pipeline.Counts) error {
	records, dead := now.Read+now.Created-b.last.Read-b.last.Created, now.Dead-b.last.Dead
	b.last = now
	if records < 0 || dead < 0 {
		return nil
	}
	b.records, b.dead = b.records+records, b.dead+dead
	if b.ratio == nil || b.records < b.window {
		return nil
	}
	records, dead = b.records, b.dead
	b.records, b.dead = 0, 0
	if dead > b.ratio.Of(records) {
		return fmt.Errorf("too many: %d of %d records in a row, more than max_ratio (%v) allows%s", dead, records, b.ratio, b.reason())
	}
	return nil
}

func (b *Breaker) tooMany(n int64) error {
	return fmt.Errorf("too many: %d in pass %d, more than max (%d) allows%s", n, b.pass, b.max, b.reason())
}

// reason says which one is the most frequent, and what to do.
func (b *Breaker) reason() string {
	most := ""
	for g, n := range b.groups {
		if d := cmp.Compare(n, b.groups[most]); d > 0 || d == 0 && g < most {
			most = g
		}
	}
	if most == "" {
		return ""
	}
	return fmt.Sprintf("; the most frequent reason (%d): %s; remove the cause, or raise the limit", b.groups[most], most)
}

// maxGroups is how many reasons are told apart.
const maxGroups = 1000

var (
	quoted  = regexp.MustCompile(`(^|\W)'.*?'(\W|$)|"[^"]*"`)
	numbers = regexp.MustCompile(`\b\d+\b`)
)

// Group gives a reason without what differs from record to record: what is in
// quotes, and numbers.
func Group(reason string) string {
	reason = quoted.ReplaceAllStringFunc(reason, func(s string) string {
		if s[0] == '"' {
			return `"…"`
		}
		i := strings.IndexByte(s, '\'')
		return s[:i] + "'…'" + s[strings.LastIndexByte(s, '\'')+1:]
	})
	status := ""
	if len(reason) > 4 && reason[3] == ' ' { // 400 mapper_parsing_exception: …
		if _, err := strconv.Atoi(reason[:3]); err == nil {
			status, reason = reason[:4], reason[4:]
		}
	}
	return status + numbers.ReplaceAllString(reason, "N")
}
