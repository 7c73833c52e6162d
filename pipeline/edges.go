package pipeline

import (
	"context"
	"fmt"
)

// place stands behind the source. It says of each item where it begins, asks
// the sink whether it wants it, and tells the first one where inside of it the
// lane goes on.
func (c *chain) place(ctx context.Context, in <-chan *Item, out chan<- *Item) error {
	from := c.start.Pos
	for {
		it, ok, err := Receive(ctx, in)
		if err != nil {
			return err
		}
		if !ok {
			return c.unplaced(ctx, from)
		}
		c.placed = true
		it.From = from
		c.count(it)
		if from.Inner != "" {
			err = c.resume(ctx, it, from)
		} else {
			err = c.skip(ctx, it)
		}
		if err != nil {
			return err
		}
		if it.Pos != (Position{}) {
			from = it.Pos
		} else {
			from = Position{Token: from.Token}
		}
		if err := Send(ctx, out, it); err != nil {
			return err
		}
	}
}

// count adds what the source gave to the counts of the item.
func (c *chain) count(it *Item) {
	it.Counts.Read += max(0, it.Records)
	if it.Body == nil {
		return
	}
	it.Counts.BytesRead += max(0, it.Size)
	if _, block := it.Body.(*Block); !block {
		it.Counts.ObjectsRead++
	}
}

// resume lets the lane go on inside of it, if that is still the item from was
// taken of. Else that one is given up, and it begins at its beginning.
func (c *chain) resume(ctx context.Context, it *Item, from Position) error {
	if it.Key == from.Key && it.Version == from.Version && it.Body != nil {
		it.resume = from.Inner
		return nil
	}
	if err := lost(from).GiveUp(ctx, errReplaced); err != nil {
		return err
	}
	it.Counts.GivenUp++
	it.From = Position{Token: from.Token}
	return nil
}

// unplaced gives up the item that a lane was inside of when the source has
// nothing more in it.
func (c *chain) unplaced(ctx context.Context, from Position) error {
	if from.Inner == "" || c.cut.Load() { // cut: the source was stopped before it came to the item
		return nil
	}
	if err := lost(from).GiveUp(ctx, errReplaced); err != nil {
		return err
	}
	c.ledger.leave()
	return nil
}

// errReplaced is why an item is given up whose first part was delivered.
var errReplaced = fmt.Errorf("replaced while half of it was delivered: %w", ErrGone)

func lost(from Position) *Item {
	return &Item{Key: from.Key, Version: from.Version, From: from}
}

// skip takes the body of an item that the sink does not want.
func (c *chain) skip(ctx context.Context, it *Item) error {
	s, ok := c.writer.(Skipper)
	if !ok || it.Body == nil {
		return nil
	}
	unwanted, err := s.Skip(ctx, c.lane, it)
	if err != nil {
		return fmt.Errorf("skip %s: %w", it.Key, err)
	}
	if unwanted {
		it.leaveOut()
	}
	return nil
}

// leaveOut takes the body of an item before it is opened.
func (it *Item) leaveOut() {
	it.Release()
	it.Counts.Skipped++
	it.Counts.BytesRead, it.Counts.ObjectsRead = 0, 0
	it.Counts.Filtered += max(0, it.Records)
	it.Body, it.Records, it.resume = nil, 0, ""
	it.Notes = nil // it was not delivered
}

// mostNotes is how many notes of a lane may wait for the next save: a source
// that remembers what it skips gives them faster than they can be written.
const mostNotes = 2_000

// note stands before the sink and enters each item in the ledger. It saves when
// too many notes wait for that.
func (c *chain) note(ctx context.Context, in <-chan *Item, out chan<- *Item) error {
	for {
		it, ok, err := Receive(ctx, in)
		if !ok {
			return err
		}
		deliver, err := c.ledger.note(it)
		if err != nil {
			return err
		}
		if c.ledger.waiting() >= mostNotes {
			if err := c.run.saver.save(); err != nil {
				c.run.kill(err)
				return err
			}
		}
		if !deliver {
			continue
		}
		if err := Send(ctx, out, it); err != nil {
			return err
		}
	}
}
