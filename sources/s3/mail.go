package s3

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/internal/notify"
	"sluice/pipeline"
)

// mail is the messages of a queue that a pass works on. They are deleted when
// all that they name is saved. Those of a pass that was interrupted come again,
// and name what is known by then.
type mail struct {
	queue *notify.Queue

	mu   sync.Mutex
	open map[string]int      // receipts: keys that are not saved
	keys map[string][]string // receipts of those that name a key

	keeper errgroup.Group // keeps them from others, until cancel is called
	cancel context.CancelFunc
}

// receive takes messages, and gives the rows of what they name.
func (m *mail) receive(ctx context.Context, s *Source, wait time.Duration) (rows []pipeline.Row, err error) {
	messages, err := m.queue.Receive(ctx, mostHints, wait)
	if err != nil {
		return nil, err
	}
	var over []string // those of which nothing is to be done
	poison := 0
	for _, msg := range messages {
		events, err := notify.Decode(msg.Body)
		named, foreign := s.rows(hintBucket, events)
		switch {
		case msg.Poison:
			poison++
			over = append(over, msg.Receipt)
		case err != nil:
			pipeline.Logger(ctx).Warn("a message cannot be understood: it is left in the queue", "message", msg.ID, "error", err)
		case len(named) == 0 && foreign > 0:
			pipeline.Logger(ctx).Warn("a message is about another bucket: it is left in the queue", "message", msg.ID, "bucket", events[0].Bucket)
		case len(named) == 0:
			over = append(over, msg.Receipt)
		default:
			m.enter(msg.Receipt, named)
			rows = append(rows, named...)
		}
	}
	if poison > 0 {
		pipeline.Logger(ctx).Warn("messages were received too often: dropped, the next listing finds what they name", "count", poison)
	}
	m.keep(ctx)
	return rows, m.queue.Delete(ctx, over)
}

// enter notes what a message names.
func (m *mail) enter(receipt string, rows []pipeline.Row) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range rows {
		m.open[receipt]++
		m.keys[r.Key] = append(m.keys[r.Key], receipt)
	}
}

// keep keeps open messages from others until the mail is closed.
func (m *mail) keep(ctx context.Context) {
	if len(m.open) == 0 {
		return
	}
	ctx, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
	m.keeper.Go(func() error {
		if err := m.queue.Keep(ctx, m.receipts); err != nil {
			pipeline.Logger(ctx).Warn("messages cannot be kept; they come again, and what they name is known then", "error", err)
		}
		return nil
	})
}

// receipts are those of open messages.
func (m *mail) receipts() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Keys(m.open))
}

// saved is told that all hints of a lane up to one are saved. It deletes the
// messages of which all is.
func (m *mail) saved(ctx context.Context, of func(key string) bool) error {
	return m.queue.Delete(ctx, m.done(of))
}

// done gives the receipts of messages of which all is saved.
func (m *mail) done(of func(key string) bool) (done []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, receipts := range m.keys {
		if !of(key) {
			continue
		}
		delete(m.keys, key)
		for _, r := range receipts {
			if m.open[r]--; m.open[r] == 0 {
				delete(m.open, r)
				done = append(done, r)
			}
		}
	}
	return done
}

// close ends keeping messages.
func (m *mail) close() {
	if m.cancel != nil {
		m.cancel()
	}
	m.keeper.Wait() // it has said what failed
	m.queue.Close()
}
