package ops

import (
	"slices"
	"sync"
	"time"
)

// Board is the pipelines of a process that are to be seen: their watches. They
// change when the configuration does. The zero Board is empty; its methods may
// be called from several goroutines.
type Board struct {
	mu            sync.Mutex
	watches       []*Watch
	configuration Configuration
}

// NewBoard is a board of watches.
func NewBoard(watches ...*Watch) *Board { return &Board{watches: watches} }

// Watches are those on the board, in the order in which they came.
func (b *Board) Watches() []*Watch {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.watches)
}

// Add puts a watch on the board.
func (b *Board) Add(w *Watch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watches = append(b.watches, w)
}

// Remove takes a watch from the board.
func (b *Board) Remove(w *Watch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watches = slices.DeleteFunc(b.watches, func(other *Watch) bool { return other == w })
}

// Loaded says that the configuration was read again, and what was wrong with it.
func (b *Board) Loaded(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.configuration = Configuration{At: time.Now()}
	if err != nil {
		b.configuration.Error = err.Error()
	}
}

// Configuration is what became of it when it was read last.
func (b *Board) Configuration() Configuration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.configuration
}
