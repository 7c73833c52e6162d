package s3

import (
	"context"
	"sync"
	"time"

	"sluice/internal/notify"
	"sluice/pipeline"
)

// mail is the messages of a queue that a pass works on. They are deleted when
// all that they name is saved. Those of a pass that was interrupted come again,
// and name what is known by then.
type mail struct {
	queue *notify.Queue
	every time.Duration // after which those that are open are kept for longer

	mu     sync.Mutex
	open   map[string]int      // receipts: keys that are not saved
	keys   map[string][]string // receipts of those that name a key
	keeper *time.Timer         // nil: there was no message
	closed bool
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
	ctx = context.WithoutCancel(ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.open) == 0 || m.closed {
		return
	}
	m.keeper = time.AfterFunc(m.every, func() { m.extend(ctx) })
}

func (m *mail) extend(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || len(m.open) == 0 {
		return
	}
	receipts := make([]string, 0, len(m.open))
	for r := range m.open {
		receipts = append(receipts, r)
	}
	limited, cancel := context.WithTimeout(ctx, m.every)
	defer cancel()
	if _, err := m.queue.Extend(limited, receipts); err != nil {
		pipeline.Logger(ctx).Warn("messages cannot be kept; they come again, and what they name is known then", "error", err)
	}
	m.keeper.Reset(m.every)
}

// saved is told that all hints of a lane up to one are saved. It deletes the
// messages of which all is.
func (m *mail) saved(ctx context.Context, of func(key string) bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var done []string
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
	return m.queue.Delete(ctx, done)
}

// close ends keeping messages.
func (m *mail) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	if m.keeper != nil {
		m.keeper.Stop()
	}
	m.queue.Close()
}
