package search

import (
	"encoding/json"
	"errors"
	"io"
)

// What is kept of a reply, in bytes: of one reason, of all of them, of a type,
// and for sending a record again.
const (
	maxReason  = 512
	kindSize   = 64
	fateSize   = 32
	maxReasons = 256 << 10
)

// replySize is the memory of a reply in which every item is refused, in bytes.
func replySize(records int64) int64 {
	return maxReasons + records*(refusedSize+kindSize+fateSize) + readerSize
}

// reply is what the reply to a bulk request says.
type reply struct {
	items   int       // how many it speaks of
	refused []refused // those with a status other than 2xx, in order
	text    []byte    // types and reasons, with their escapes
	in      *jsonReader
}

// refused is an item that was not applied.
type refused struct {
	at, status   int32   // its place in the request, from 0
	kind, reason textual // of the error
}

// refusedSize is the size of a refused, in bytes.
const refusedSize = 24

// textual is a piece of the text of a reply.
type textual struct{ begin, end uint32 }

func newReply() *reply { return &reply{in: newJSONReader()} }

// kind is the type of the error. It is valid until the next read.
func (r *reply) kind(f refused) []byte { return r.text[f.kind.begin:f.kind.end] }

// raw is the reason as it stands in the reply. It is valid until the next read.
func (r *reply) raw(f refused) []byte { return r.text[f.reason.begin:f.reason.end] }

// reason explains the error.
func (r *reply) reason(f refused) (s string) {
	raw := r.raw(f)
	quoted := append(append([]byte{'"'}, raw...), '"')
	if json.Unmarshal(quoted, &s) != nil { // cut inside an escape
		return string(raw)
	}
	return s
}

var errReply = errors.New("not the reply to a bulk request")

// read reads a reply to its end.
func (r *reply) read(src io.Reader) error {
	r.in.reset(src)
	r.items, r.refused, r.text = 0, r.refused[:0], r.text[:0]
	found := false
	err := r.in.object(func(key []byte) error {
		if string(key) != "items" {
			return r.in.skip()
		}
		found = true
		return r.in.array(r.item)
	})
	if err == nil && !found {
		err = errReply
	}
	if err != nil {
		return err
	}
	return r.in.end()
}

// plain is what nearly all items of a reply are.
var plain = [...]string{`{"index":{"status":201}}`, `{"index":{"status":200}}`, `{"create":{"status":201}}`, `{"delete":{"status":200}}`, `{"update":{"status":200}}`}

// item reads {"index":{"status":201}}, which may hold an error besides.
func (r *reply) item() error {
	f := refused{at: int32(r.items)}
	r.items++
	for _, text := range plain {
		if r.in.literally(text) {
			return nil
		}
	}
	err := r.in.object(func([]byte) error {
		return r.in.object(func(key []byte) (err error) {
			switch string(key) {
			case "status":
				f.status, err = r.in.number()
			case "error":
				err = r.error(&f)
			default:
				err = r.in.skip()
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	if f.status < 100 || f.status > 599 {
		return errReply
	}
	if f.status < 200 || f.status > 299 {
		r.refused = append(r.refused, f)
	}
	return nil
}

// error reads the type and the reason of an error.
func (r *reply) error(f *refused) error {
	return r.in.object(func(key []byte) (err error) {
		switch string(key) {
		case "type":
			f.kind, err = r.keep(kindSize)
		case "reason":
			f.reason, err = r.keep(min(maxReason, max(0, maxReasons-len(r.text))))
		default:
			err = r.in.skip()
		}
		return err
	})
}

// keep reads a string and keeps at most its first bytes.
func (r *reply) keep(most int) (t textual, err error) {
	t.begin = uint32(len(r.text))
	r.text, err = r.in.appendString(r.text, most)
	t.end = uint32(len(r.text))
	return t, err
}
