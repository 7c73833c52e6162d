package search_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/unit"
	"sluice/pipeline/pipelinetest"
)

// inFalseTime plays with a cluster in memory, under a false clock. A run takes a
// day at most.
func inFalseTime(t *testing.T, play func(t *testing.T, c *cluster, load func(blocks ...[]string) *loading)) {
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{world: &pipelinetest.World{}, docs: map[string]string{}, is: map[string]int64{}}
		l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		s := &http.Server{Handler: c, ErrorLog: log.New(io.Discard, "", 0)}
		go s.Serve(l)
		play(t, c, func(blocks ...[]string) *loading {
			load := newLoading(blocks...)
			load.limit, load.dial = 24*time.Hour, l.dial
			return load
		})
		s.Close()
		time.Sleep(time.Second) // connections that were cut linger half as long
	})
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return here, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept implements net.Listener.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *pipeListener) Close() error { close(l.closed); return nil }

// Addr implements net.Listener.
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{} }

// refuse refuses everything until a time, each record for itself or all of a
// request at once.
func (c *cluster) refuse(until time.Time, with outcome, whole bool) {
	c.item, c.whole = nil, nil
	if whole {
		c.whole = func(int, []op, int) *answer {
			if time.Now().Before(until) {
				return &answer{with.status, fmt.Sprintf(`{"error":{"type":%q,"reason":%q},"status":%d}`, with.kind, with.reason, with.status)}
			}
			return nil
		}
		return
	}
	c.item = func(int, op) outcome {
		if time.Now().Before(until) {
			return with
		}
		return outcome{}
	}
}

var queueFull = outcome{429, "es_rejected_execution_exception", "queue is full"}

func TestTenMinutesOfRejectionsLoseAndDoubleNothing(t *testing.T) {
	for _, whole := range []bool{false, true} {
		inFalseTime(t, func(t *testing.T, c *cluster, load func(...[]string) *loading) {
			c.refuse(time.Now().Add(10*time.Minute), queueFull, whole)
			cfg := config("http://memory")
			cfg.Retry = unit.Duration(15 * time.Minute)
			block := []string{rec("logs", "x", `{"v":1}`), rec("logs", "y", `{}`), rec("logs", "x", `{"v":2}`)}
			load(block, some(0, 10)).complete(t, cfg, 0)
			c.expect(t, block[1:], some(0, 10))
			if n := len(c.bulks); n < 20 || n > 150 {
				t.Errorf("whole %v: %d requests in ten minutes, want one in some seconds", whole, n)
			}
			if n := len(c.order); n != 13 {
				t.Errorf("whole %v: %d documents written, want each of the 13 records once", whole, n)
			}
		})
	}
}

func TestRejectionsThatLastTooLongAreAnErrorAndTheNextRunGoesOn(t *testing.T) {
	inFalseTime(t, func(t *testing.T, c *cluster, load func(...[]string) *loading) {
		begun := time.Now()
		c.refuse(begun.Add(10*time.Minute), queueFull, false)
		cfg := config("http://memory")
		cfg.Retry = unit.Duration(5 * time.Minute)
		l := load(some(0, 10))
		l.fails(t, cfg, "10 of 10 records", "429 es_rejected_execution_exception: queue is full (tried again for 5m0s)")
		if took := time.Since(begun); took < 5*time.Minute || took > 6*time.Minute {
			t.Errorf("it took %v, want 5 minutes", took)
		}
		time.Sleep(5 * time.Minute)
		l.complete(t, cfg, 0)
		c.expect(t, some(0, 10))
	})
}

// A cluster that takes a few records of each request is slow, not away.
func TestTheTimeForTryingAgainBeginsAnewWithEachRecordThatIsTaken(t *testing.T) {
	inFalseTime(t, func(t *testing.T, c *cluster, load func(...[]string) *loading) {
		begun, taken := time.Now(), -1
		c.item = func(n int, _ op) outcome {
			if taken == n {
				return queueFull
			}
			taken = n
			return outcome{}
		}
		cfg := config("http://memory")
		cfg.Retry = unit.Duration(time.Minute)
		load(some(0, 50)).complete(t, cfg, 0)
		c.expect(t, some(0, 50))
		if took := time.Since(begun); took < 2*time.Minute {
			t.Errorf("it took %v, want longer than retry", took)
		}
	})
}

// blocks is what clusters say while they take no writes.
var blocks = map[string]outcome{
	"full disk":         {429, "cluster_block_exception", "index [logs] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark]"},
	"read-only":         {403, "cluster_block_exception", "index [logs] blocked by: [FORBIDDEN/5/index read-only (api)]"},
	"no writes":         {403, "cluster_block_exception", "index [logs] blocked by: [FORBIDDEN/8/index write (api)]"},
	"read-only cluster": {403, "cluster_block_exception", "blocked by: [FORBIDDEN/6/cluster read-only (api)]"},
}

func TestABlockOfWritesIsWaitedForWithAWarningEveryMinute(t *testing.T) {
	for name, block := range blocks {
		for _, whole := range []bool{false, true} {
			inFalseTime(t, func(t *testing.T, c *cluster, load func(...[]string) *loading) {
				c.refuse(time.Now().Add(30*time.Minute), block, whole)
				cfg := config("http://memory")
				cfg.Pause, cfg.Retry = unit.Duration(time.Hour), unit.Duration(time.Second)
				var text bytes.Buffer
				l := load(some(0, 5), some(5, 5))
				l.log = slog.New(slog.NewTextHandler(&text, nil))
				l.complete(t, cfg, 0)
				c.expect(t, some(0, 10))
				if n := strings.Count(text.String(), "cause=\"blocked writes\""); n < 25 || n > 31 || !strings.Contains(text.String(), block.reason) {
					t.Errorf("%s, whole %v: %d warnings, want one in a minute, with the reason: %s", name, whole, n, text.String())
				}
				if n := strings.Count(text.String(), `msg="it goes on"`); n != 1 {
					t.Errorf("%s, whole %v: it is said %d times that it goes on, want once", name, whole, n)
				}
				if n := len(c.bulks); n > 400 {
					t.Errorf("%s, whole %v: %d requests in half an hour, want one in some seconds", name, whole, n)
				}
			})
		}
	}
}

func TestABlockOfWritesThatLastsTooLongIsAnErrorAndNoLetter(t *testing.T) {
	for name, block := range blocks {
		for _, whole := range []bool{false, true} {
			inFalseTime(t, func(t *testing.T, c *cluster, load func(...[]string) *loading) {
				begun := time.Now()
				c.refuse(begun.Add(time.Hour), block, whole)
				cfg := config("http://memory")
				cfg.Pause = unit.Duration(20 * time.Minute)
				l := load(some(0, 5))
				l.fails(t, cfg, fmt.Sprint(block.status), block.reason, "(tried again for 20m0s)")
				if took := time.Since(begun); took < 20*time.Minute || took > 21*time.Minute {
					t.Errorf("%s, whole %v: it took %v, want 20 minutes", name, whole, took)
				}
				time.Sleep(time.Hour)
				l.complete(t, cfg, 0)
				c.expect(t, some(0, 5))
			})
		}
	}
}

// Records of an index that is blocked wait; those of others are not sent again.
func TestOnlyRecordsOfTheBlockedIndexAreSentAgain(t *testing.T) {
	inFalseTime(t, func(t *testing.T, c *cluster, load func(...[]string) *loading) {
		until := time.Now().Add(10 * time.Minute)
		c.item = func(_ int, o op) outcome {
			if o.Index == "blocked" && time.Now().Before(until) {
				return blocks["read-only"]
			}
			return outcome{}
		}
		cfg := config("http://memory")
		cfg.Pause = unit.Duration(time.Hour)
		block := []string{rec("a", "1", `{}`), rec("blocked", "1", `{}`), rec("b", "1", `{}`), rec("blocked", "1", `{"v":2}`)}
		load(block).complete(t, cfg, 0)
		c.expect(t, []string{block[0], block[2], block[3]})
		if n := len(c.order); n != 4 {
			t.Errorf("written %q, want each record once", c.order)
		}
	})
}
