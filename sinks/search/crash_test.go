package search_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"sluice/internal/unit"
	"sluice/pipeline/pipelinetest"
	"sluice/sinks/search"
)

// crashing is a pass during which something happens, and that is run until it
// is complete. Documents, state and letters survive.
type crashing struct {
	*cluster
	*loading
	world *pipelinetest.World
}

// newCrashing makes blocks with an _id that comes in each of them, and one
// record that is refused.
func newCrashing(t *testing.T, mode pipelinetest.Mode, at int) *crashing {
	x := &crashing{cluster: newCluster(t), world: &pipelinetest.World{Mode: mode, At: at}}
	var blocks [][]string
	for n := range 8 {
		block := append(some(20*n, 20), rec("logs", "x", fmt.Sprintf(`{"v":%d}`, n)))
		blocks = append(blocks, block)
	}
	blocks[5] = append(blocks[5], rec("logs", "refused", `{}`))
	x.loading = newLoading(blocks...)
	x.delay = 200 * time.Millisecond // a save comes once a second
	x.cluster.world = x.world
	x.store.World = x.world
	x.item = func(_ int, o op) outcome {
		if o.ID == "refused" {
			return outcome{400, mapping, "failed to parse"}
		}
		return outcome{}
	}
	return x
}

// play runs until the pass is complete, and returns the number of runs.
func (x *crashing) play(t *testing.T, cfg *search.Config) (runs int) {
	for runs = 1; ; runs++ {
		res, err := x.run(t, cfg)
		x.world.Restart()
		if res.Complete && err == nil {
			return runs
		}
		if runs > 3 {
			t.Errorf("at %d: the pass does not complete: %v", x.world.At, err)
			return runs
		}
	}
}

// check checks what is left in the end, and that no version of x came after a
// newer one, but for those that a run which began again repeats.
func (x *crashing) check(t *testing.T) {
	t.Helper()
	if n := len(x.docs); n != 161 {
		t.Errorf("at %d: %d documents, want 161", x.world.At, n)
	}
	if got := x.docs["logs/x"]; got != `{"v":7}` {
		t.Errorf("at %d: x is %s, want the last version", x.world.At, got)
	}
	identities := map[string]bool{}
	for _, l := range x.letters.list {
		identities[fmt.Sprintf("%+v %d", l.From, l.Line)] = true
	}
	if len(identities) != 1 {
		t.Errorf("at %d: letters %v, want one", x.world.At, identities)
	}
}

func TestACrashAnywhereLosesAndDoublesNothing(t *testing.T) { anywhere(t, pipelinetest.Crash) }

func TestAFailureOfTheStateAnywhereLosesAndDoublesNothing(t *testing.T) {
	anywhere(t, pipelinetest.Fail)
}

// anywhere plays a pass once for each operation that something can happen at,
// all of them side by side.
func anywhere(t *testing.T, mode pipelinetest.Mode) {
	if testing.Short() {
		t.Skip("takes seconds: saves come once a second")
	}
	t.Parallel()
	undisturbed := newCrashing(t, mode, 0)
	undisturbed.play(t, undisturbed.once())
	undisturbed.check(t)
	ops := undisturbed.world.Ops()
	if ops < 12 {
		t.Fatalf("%d operations, want those of 8 requests, and of saves between them", ops)
	}
	var wg sync.WaitGroup
	resumed := make(chan bool, ops)
	for at := 1; at <= ops; at++ {
		x := newCrashing(t, mode, at)
		wg.Go(func() {
			runs := x.play(t, x.once())
			x.check(t)
			resumed <- runs > 1 && x.read < 2*len(x.blocks)
		})
	}
	wg.Wait()
	close(resumed)
	some := false
	for r := range resumed {
		some = some || r
	}
	if !some {
		t.Error("no run went on in the middle")
	}
}

// once is options with which a request holds less than a block, and is not
// tried again.
func (x *crashing) once() *search.Config {
	cfg := config(x.URL)
	cfg.Bulk, cfg.Retry = 4<<10, unit.Duration(0)
	return cfg
}
