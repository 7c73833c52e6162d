package pipeline

// Unit is what becomes durable together: the items of one object, the lines of
// one commit. A saved position is never inside a unit. The zero Unit is empty.
type Unit struct {
	Counts Counts // what the sink adds when the unit is done: ObjectsWritten

	items []*Item
}

// Add puts an item of the unit's lane into the unit, which owns it from then
// on. Its bytes are released: add it when they have been copied out.
func (u *Unit) Add(it *Item) {
	it.Release()
	u.items = append(u.items, it)
}

// Len is the number of items in the unit.
func (u *Unit) Len() int { return len(u.items) }

// Done says that the unit is durable, and empties it. state is given back to
// the sink when the lane goes on after the unit; state and notes are written
// by the save that passes it. The last item must have a position, unless it is
// the only one: a sink that cuts units looks at Pos first. An error is one of
// the sink's making and ends the lane.
func (u *Unit) Done(state string, notes ...Row) error {
	if len(u.items) == 0 {
		return nil
	}
	u.items[len(u.items)-1].Counts.Add(u.Counts)
	l := u.items[0].entry.ledger
	err := l.done(u.items, state, notes)
	clear(u.items)
	u.items, u.Counts = u.items[:0], Counts{}
	return err
}

// Done says that the item alone is durable, and releases it. It is for sinks
// without state.
func (it *Item) Done() error {
	u := Unit{}
	u.Add(it)
	return u.Done("")
}

// written is what the sink's Done adds to the counts of an item.
func (it *Item) written() Counts {
	switch {
	case it.Delete:
		return Counts{Deleted: 1}
	case it.Body == nil: // given up
		return Counts{}
	case it.Records < 0:
		return Counts{Unknown: 1, BytesWritten: max(0, it.Size)}
	}
	return Counts{Written: it.Records, BytesWritten: max(0, it.Size)}
}
