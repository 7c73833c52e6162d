package ops

import "sluice/pipeline"

// expected adds up what lanes hold: of those that have ended, what came. A figure
// is 0 unless it is known of all.
func expected(lanes []pipeline.LaneStatus) (all Expected) {
	records, bytes, objects := true, true, true
	for _, l := range lanes {
		e, ended := held(l), l.State.Ended
		if ended {
			e = came(l.State.Counts)
		}
		all = Expected{all.Records + e.Records, all.Bytes + e.Bytes, all.Objects + e.Objects}
		records = records && (ended || e.Records > 0)
		bytes = bytes && (ended || e.Bytes > 0 || l.Counted)
		objects = objects && (ended || e.Objects > 0 || l.Counted)
	}
	if !records {
		all.Records = 0
	}
	if !bytes {
		all.Bytes = 0
	}
	if !objects {
		all.Objects = 0
	}
	return all
}

// reached adds up how far lanes are.
func reached(lanes []pipeline.LaneStatus) (c pipeline.Counts) {
	for _, l := range lanes {
		c.Add(l.State.Counts)
	}
	return c
}

// held is what a lane is expected to hold.
func held(l pipeline.LaneStatus) Expected { return Expected{l.Records, l.Bytes, l.Objects} }

// came is what a source has given.
func came(c pipeline.Counts) Expected {
	return Expected{c.Read + c.Created, c.BytesRead, c.Objects()}
}

// far says how much of what is expected is done, and how many seconds are left at
// a speed; nil if that is unknown.
func far(c pipeline.Counts, of Expected, records, bytes float64) (done, left *float64) {
	have, all, speed := came(c).Records, of.Records, records
	if all == 0 {
		have, all, speed = c.BytesRead, of.Bytes, bytes
	}
	if all <= 0 {
		return nil, nil
	}
	if speed > 0 {
		left = new(float64(max(0, all-have)) / speed)
	}
	return new(min(1, float64(have)/float64(all))), left
}
