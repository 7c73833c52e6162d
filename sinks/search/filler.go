package search

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"sluice/pipeline"
)

// filler fills requests with the records of a lane.
type filler struct {
	*writer
	free <-chan *request
	full chan<- *request
	q    *request
	env  envelope

	index []byte              // the last _index that was checked, as it stood in the record
	fault fault               // what was found
	seen  map[string]struct{} // those that were noted
	fresh []string            // of seen: those that nothing was written to
	notes []pipeline.Row      // not yet with a request
}

// fill hands on requests until the end of in. It closes full then, and only then.
func (f *filler) fill(ctx context.Context, in <-chan *pipeline.Item) (err error) {
	if f.q, _, err = pipeline.Receive(ctx, f.free); err != nil {
		return err
	}
	for {
		it, ok, err := pipeline.Receive(ctx, in)
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := f.item(ctx, it); err != nil {
			return err
		}
	}
	if len(f.q.items) == 0 {
		f.requests.Put(f.q)
	} else if err := pipeline.Send(ctx, f.full, f.q); err != nil {
		return err
	}
	close(f.full)
	return nil
}

// next hands on the request and takes another, which is there once the one
// before it was delivered.
func (f *filler) next(ctx context.Context) error {
	err := pipeline.Send(ctx, f.full, f.q)
	if err == nil {
		f.q, _, err = pipeline.Receive(ctx, f.free)
	}
	return err
}

// item copies the records of an item, and releases it.
func (f *filler) item(ctx context.Context, it *pipeline.Item) error {
	if it.Delete {
		return f.remove(ctx, it)
	}
	b, ok := it.Body.(*pipeline.Block)
	if !ok {
		return fmt.Errorf("%s: BUG: no block of records", it.Key)
	}
	number, records := int32(0), it.Records // those that are refused are taken off while others are still copied
	for rest := b.B(); len(rest) > 0; number++ {
		n := bytes.IndexByte(rest, '\n') + 1
		if n == 0 {
			return fmt.Errorf("%s: BUG: a block ends inside a record", it.Key)
		}
		if err := f.record(ctx, it, rest[:n:n], number); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if records >= 0 && records != int64(number) {
		return fmt.Errorf("%s: BUG: %d records in a block of %d", it.Key, number, records)
	}
	f.end(it)
	return nil
}

// end says that all of the item is in requests.
func (f *filler) end(it *pipeline.Item) {
	it.Release()
	f.q.of(it)
	f.q.ended = len(f.q.items)
	f.q.notes, f.notes = append(f.q.notes, f.notes...), f.notes[:0]
}

// remove adds what deletes the document that an item names.
func (f *filler) remove(ctx context.Context, it *pipeline.Item) error {
	if f.cfg.Action == "create" {
		return fmt.Errorf("delete %s: action create leaves documents as they are; use index", it.Key)
	}
	f.env = envelope{index: f.Sink.index, id: quoted(it.Key)}
	if it.Meta != nil {
		if f.env.index == nil {
			f.env.index = quoted(it.Meta.Index)
		}
		if routing, ok := it.Meta.Tags[Routing]; ok {
			f.env.routing = quoted(routing)
		}
	}
	if it.Version != "" && f.cfg.Versions {
		f.env.version = []byte(it.Version)
	}
	if fault := f.sound(); fault != sound {
		return fmt.Errorf("delete %s: %w", it.Key, &refusals[fault])
	}
	if err := f.place(ctx, nil); err != nil {
		return err
	}
	f.q.add("delete", nil, &f.env, sound).item = f.q.of(it)
	f.end(it)
	return nil
}

// quoted is text as JSON, but for text that is not UTF-8, which becomes no JSON.
func quoted(text string) []byte {
	if !utf8.ValidString(text) {
		return []byte(text)
	}
	b, _ := json.Marshal(text) // a string: it never fails
	return b
}

// record copies one record into a request.
func (f *filler) record(ctx context.Context, it *pipeline.Item, line []byte, number int32) error {
	fault := f.check(line)
	if fault != sound {
		f.env = envelope{}
	}
	if err := f.place(ctx, line); err != nil {
		return err
	}
	if fault == sound && f.env.id == nil {
		f.doubt.Do(func() {
			pipeline.Logger(ctx).Warn("records have no _id: one that is sent again, after a lost reply or a crash, is there twice")
		})
	}
	r := f.q.add(f.cfg.Action, line, &f.env, fault)
	r.item, r.number = f.q.of(it), number
	return nil
}

// place sees to it that there is room in the request for the record that was
// looked at last, and that its index is ready.
func (f *filler) place(ctx context.Context, line []byte) error {
	for ; len(f.fresh) > 0; f.fresh = f.fresh[1:] {
		if err := f.around.prepare(ctx, f.fresh[0]); err != nil {
			return err
		}
	}
	if !f.q.fits(line, &f.env, int(f.most.Load())) {
		if err := f.next(ctx); err != nil {
			return err
		}
	}
	if f.q.small != nil || f.q.room(line, &f.env) {
		return nil
	}
	small, err := pipeline.Large(ctx)
	f.q.small = small
	return err
}

// check takes a line apart and looks for what would cost the whole request.
func (f *filler) check(line []byte) fault {
	if !f.env.scan(line) {
		return noEnvelope
	}
	if f.Sink.index != nil {
		f.env.index = f.Sink.index
	}
	if !f.cfg.Versions || f.cfg.Action == "create" || f.env.id == nil {
		f.env.version = nil // a document whose _id the engine makes is always new
	}
	return f.sound()
}

// sound looks for what is wrong with the parts of a record.
func (f *filler) sound() fault {
	if f.index == nil || !bytes.Equal(f.index, f.env.index) {
		f.index = append(f.index[:0], f.env.index...)
		f.fault = f.target(f.index)
	}
	switch {
	case f.fault != sound:
		return f.fault
	case f.env.id != nil && !within(f.env.id, maxID):
		return badID
	case f.env.routing != nil && decodedLen(f.env.routing) < 0:
		return badRouting
	case f.env.version != nil && !whole(f.env.version):
		return badVersion
	}
	return sound
}

// within reports whether raw is a string of at most so many bytes.
func within(raw []byte, most int) bool {
	n := decodedLen(raw)
	return 0 <= n && n <= most
}

// target checks the name of an index, as JSON, and notes that it is written to.
func (f *filler) target(raw []byte) fault {
	if len(raw) == 0 {
		return noIndex
	}
	if decodedLen(raw) < 0 {
		return badIndex
	}
	name := raw[1 : len(raw)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return badIndex
		}
		name = []byte(s)
	}
	if fault := checkName(name); fault != sound {
		return fault
	}
	if _, ok := f.seen[string(name)]; !ok {
		f.seen[string(name)] = struct{}{}
		f.fresh = append(f.fresh, string(name))
		f.notes = append(f.notes, pipeline.Row{Bucket: bucket, Key: string(name), Value: []byte{1}})
	}
	return sound
}

// checkName refuses what may stand for several indices, or for one that nobody
// named. The rest of the rules are the engine's.
func checkName(name []byte) fault {
	switch {
	case len(name) == 0:
		return badIndex
	case name[0] == '.':
		return systemIndex
	case bytes.IndexByte([]byte("_-+<"), name[0]) >= 0, bytes.ContainsAny(name, "*?,/\\\"<>| #"):
		return badIndex
	}
	return sound
}
