package pipelinetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sluice/pipeline"
)

// Letters is a [pipeline.DeadLetters] of one process.
type Letters struct {
	World   *World
	Delay   time.Duration
	Durable map[string]string // identity to record; survives
	mu      sync.Mutex
	taken   map[string]string // lost in a crash
}

// Write implements [pipeline.DeadLetters].
func (l *Letters) Write(_ context.Context, d pipeline.Letter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken == nil {
		l.taken = map[string]string{}
	}
	l.taken[fmt.Sprintf("%d %s %s %+v %d", d.Pass, d.Lane, d.Stage, d.From, d.Line)] = d.Key + ": " + string(d.Record)
	return nil
}

// Sync implements [pipeline.DeadLetters].
func (l *Letters) Sync(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.taken) == 0 {
		return nil
	}
	taken := l.taken
	l.taken = nil
	l.mu.Unlock()
	time.Sleep(l.Delay) // letters that are written meanwhile are not durable
	l.mu.Lock()
	return l.World.Do(func() {
		for k, v := range taken {
			l.Durable[k] = v
		}
	})
}
