package search

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
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

	of    []byte              // the last _index that was looked at, as it stood in the record
	index []byte              // where its records go, as JSON
	fault fault               // what is wrong with that
	seen  map[string]struct{} // indices that were noted
	notes []pipeline.Row      // not yet with a request

	made    []byte              // parts of the record that are not in its line
	action  []byte              // of a create
	creates map[uint64]struct{} // documents that the request creates, by hash
	seed    maphash.Seed
}

func newFiller(w *writer, free <-chan *request, full chan<- *request) *filler {
	return &filler{writer: w, free: free, full: full, seen: map[string]struct{}{}, creates: map[uint64]struct{}{}, seed: maphash.MakeSeed()}
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
	clear(f.creates)
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
	switch {
	case f.cfg.Action == "create":
		return fmt.Errorf("delete %s: action create leaves documents as they are; use index", it.Key)
	case !f.cfg.keepsIDs():
		return fmt.Errorf("delete %s: documents have another _id here; use id: keep", it.Key)
	}
	f.env = envelope{verb: toDelete, id: quoted(it.Key)}
	if it.Meta != nil {
		f.env.index = quoted(it.Meta.Index)
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
	f.q.add(nil, &f.env, sound).item = f.q.of(it)
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
	if fault == sound && f.env.verb == toCreate && f.env.id != nil {
		if err := f.apart(ctx, line); err != nil {
			return err
		}
	} else if err := f.place(ctx, line); err != nil {
		return err
	}
	if fault == sound && f.env.id == nil {
		f.doubt.Do(func() {
			pipeline.Logger(ctx).Warn("records have no _id: one that is sent again, after a lost reply or a crash, is there twice")
		})
	}
	r := f.q.add(line, &f.env, fault)
	r.item, r.number = f.q.of(it), number
	return nil
}

// apart is place for a record that creates a document. Two of one document are
// never in one request: if the first were rejected for now, the second would be
// the one that stays.
func (f *filler) apart(ctx context.Context, line []byte) error {
	f.action = f.env.appendAction(f.action[:0])
	id := maphash.Bytes(f.seed, names(f.action[:len(f.action)-1]))
	if _, ok := f.creates[id]; ok {
		if err := f.next(ctx); err != nil {
			return err
		}
	}
	if err := f.place(ctx, line); err != nil {
		return err
	}
	f.creates[id] = struct{}{}
	return nil
}

// place sees to it that there is room in the request for the record that was
// looked at last.
func (f *filler) place(ctx context.Context, line []byte) error {
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
