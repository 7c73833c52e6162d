package search

import (
	"slices"
	"sync/atomic"
	"time"
)

// downTime is how long a node is skipped after it could not be reached.
const downTime = 30 * time.Second

// node is one address of the cluster.
type node struct {
	base string       // without a final slash, user and password
	down atomic.Int64 // until when it is skipped, in Unix nanoseconds
}

// nodes takes its members in turn.
type nodes struct {
	list    []*node
	turn    atomic.Uint64
	reached atomic.Bool // one of them has answered once
}

// next gives the next node that is not skipped; if all are, the one that comes
// back first.
func (n *nodes) next() *node {
	turn, now := n.turn.Add(1), time.Now().UnixNano()
	first := n.list[turn%uint64(len(n.list))]
	for i := range n.list {
		c := n.list[(turn+uint64(i))%uint64(len(n.list))]
		if c.down.Load() <= now {
			return c
		}
		if c.down.Load() < first.down.Load() {
			first = c
		}
	}
	return first
}

// alive says whether there is a node that is not skipped.
func (n *nodes) alive() bool {
	now := time.Now().UnixNano()
	return slices.ContainsFunc(n.list, func(c *node) bool { return c.down.Load() <= now })
}

// failed says that the node could not be reached.
func (n *node) failed() { n.down.Store(time.Now().Add(downTime).UnixNano()) }

// answered says that the node is there.
func (n *nodes) answered(from *node) {
	from.down.Store(0)
	n.reached.Store(true)
}
