package pipelinetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"sluice/pipeline"
)

// Lane is a lane of a [Source]: in a pass, items up to To.
type Lane struct {
	Name, ID string
	To       int
	Aside    bool // its items are documents, which count no records
}

// Source gives items whose content follows from lane and number. Its fields
// survive a crash: it is the server.
type Source struct {
	World  *World
	Lanes  func(pass int64) []Lane
	Lines  int            // of an item
	Blocks bool           // items are blocks; else streams
	Delay  time.Duration  // of an item
	Lose   map[string]int // ID to item: read for the first time, the position is lost
	Acks   bool           // forgets what was acknowledged
	Bad    func(format string, args ...any)

	Epoch map[string]int                      // of an ID: one more when the position was lost
	Acked map[string]pipeline.Position        // by lane name
	Pos   func(lane string) pipeline.Position // the saved one, to check that saves come first
	gone  map[string]int                      // by ID: items below are forgotten
}

// Open implements [pipeline.Source].
func (s *Source) Open(_ context.Context, p *pipeline.Pass) (pipeline.Reader, error) {
	if s.Epoch == nil {
		s.Epoch, s.Acked, s.gone = map[string]int{}, map[string]pipeline.Position{}, map[string]int{}
	}
	r := &reader{Source: s, pass: p}
	if s.Acks {
		return &acking{r}, nil
	}
	return r, nil
}

type reader struct {
	*Source
	pass *pipeline.Pass
	wg   sync.WaitGroup
}

// Plan implements [pipeline.Reader].
func (r *reader) Plan(context.Context) (plan []pipeline.Lane, err error) {
	for _, l := range r.Lanes(r.pass.Number) {
		plan = append(plan, pipeline.Lane{Name: l.Name, ID: l.ID, Spec: fmt.Sprint(l.To), Aside: l.Aside})
	}
	return plan, nil
}

// Read implements [pipeline.Reader].
func (r *reader) Read(ctx context.Context, lane pipeline.Lane, from pipeline.Position, out chan<- *pipeline.Item) error {
	r.wg.Add(1)
	defer r.wg.Done()
	n, epoch, to := 0, 0, 0
	fmt.Sscan(lane.Spec, &to)
	whole := to
	if from != (pipeline.Position{}) {
		fmt.Sscanf(from.Token, "%d:%d", &epoch, &n)
	}
	quota := pipeline.NewQuota(3)
	if epoch > 0 {
		to = whole / 2 // there is less in it after the position was lost
	}
	for ; n < to; n++ {
		lost, gone := false, false
		err := r.World.Do(func() {
			if k, ok := r.Lose[lane.ID]; ok && n == k && r.Epoch[lane.ID] == 0 {
				r.Epoch[lane.ID]++
			}
			if from == (pipeline.Position{}) && epoch == 0 && n == 0 {
				epoch = r.Epoch[lane.ID]
			}
			if epoch > 0 {
				to = whole / 2
			}
			lost, gone = epoch != r.Epoch[lane.ID], n < r.gone[lane.ID]
		})
		switch {
		case err != nil:
			return err
		case lost:
			return fmt.Errorf("context: %w", pipeline.ErrStartOver)
		case gone:
			r.Bad("lane %s: item %d is read after it was acknowledged", lane.Name, n)
		}
		it, err := r.item(ctx, lane, epoch, n, quota)
		if err != nil {
			return err
		}
		if err := pipeline.Send(ctx, out, it); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) item(ctx context.Context, lane pipeline.Lane, epoch, n int, quota *pipeline.Quota) (*pipeline.Item, error) {
	select {
	case <-time.After(r.Delay + time.Duration(len(lane.Name)+int(lane.Name[0]))*time.Millisecond):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	pos := pipeline.Position{Token: fmt.Sprintf("%d:%d", epoch, n+1)}
	key := fmt.Sprintf("%s-%d", lane.Name, n)
	content := Content(lane.ID, epoch, n, r.Lines)
	it := &pipeline.Item{Key: key, Pos: pos, Size: -1, Records: -1}
	if r.Blocks {
		b, err := quota.Block(ctx)
		if err != nil {
			return nil, err
		}
		b.Write(content)
		it = b.Item(key, pos, int64(r.Lines))
	} else {
		it.Body = pipeline.BodyFunc(func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(content)), nil
		})
	}
	if lane.Aside {
		it.Records = 0
	}
	it.Version = "v1"
	it.Notes = []pipeline.Row{{Bucket: "source.known", Key: key, Value: []byte("v1")}}
	return it, nil
}

// Content is the bytes of an item.
func Content(id string, epoch, n, lines int) []byte {
	var b bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&b, "%s/%d/%d/%d\n", id, epoch, n, i)
	}
	return b.Bytes()
}

// Close implements [pipeline.Reader].
func (r *reader) Close() error { r.wg.Wait(); return nil }

type acking struct{ *reader }

// Saved implements [pipeline.Saver]: the source forgets what comes before pos.
func (a *acking) Saved(_ context.Context, lane pipeline.Lane, pos pipeline.Position) error {
	var epoch, n int
	fmt.Sscanf(pos.Token, "%d:%d", &epoch, &n)
	saved := a.Pos(lane.Name)
	return a.World.Do(func() {
		if saved != pos {
			a.Bad("lane %s: acknowledged %v, saved %v", lane.Name, pos, saved)
		}
		a.Acked[lane.Name] = pos
		if epoch == a.Epoch[lane.ID] && a.Epoch[lane.ID] == 0 && a.Lose[lane.ID] == 0 {
			a.gone[lane.ID] = max(a.gone[lane.ID], n)
		}
	})
}
