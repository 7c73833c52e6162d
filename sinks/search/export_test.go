package search

import (
	"bytes"
	"fmt"
	"io"
	"unsafe"
)

// Body is what a line adds to the body of a request; ok is false if there is a
// fault in it.
func Body(line []byte) (body []byte, ok bool) {
	f := filler{writer: &writer{Sink: &Sink{cfg: Config{Versions: true}}}, seen: map[string]struct{}{}}
	line = append(bytes.Clone(line), '\n')
	if fault := f.check(line); fault != sound {
		return nil, false
	}
	q := newRequest(1 << 20)
	r := q.add("index", line, &f.env, sound)
	if got := q.appendLine(nil, r); !bytes.Equal(got, line) {
		panic(fmt.Sprintf("the letter of %q has %q", line, got))
	}
	return q.body, true
}

// ReadReply reads a reply: "status place type: reason" of what was refused.
func ReadReply(src io.Reader) (items int, refused []string, err error) {
	r := newReply()
	err = r.read(src)
	for _, f := range r.refused {
		refused = append(refused, fmt.Sprintf("%d %d %s: %s", f.status, f.at, r.kind(f), r.reason(f)))
	}
	return r.items, refused, err
}

// Filling fills one request again and again.
type Filling struct {
	f     filler
	q     *request
	reply *reply
	src   bytes.Reader
}

// NewFilling makes a request of 8 MiB.
func NewFilling() *Filling {
	return &Filling{f: filler{writer: &writer{Sink: &Sink{cfg: Config{Versions: true}}}, seen: map[string]struct{}{}}, q: newRequest(8 << 20), reply: newReply()}
}

// Block fills the request with a block, and reads a reply, and returns the
// number of records.
func (x *Filling) Block(block, reply []byte) int {
	x.q.reset(8 << 20)
	for rest := block; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n') + 1
		line := rest[:n:n]
		fault := x.f.check(line)
		if !x.q.fits(line, &x.f.env, 8<<20) {
			panic("full")
		}
		x.q.add("index", line, &x.f.env, fault)
		rest = rest[n:]
	}
	if reply == nil {
		return len(x.q.recs)
	}
	x.src.Reset(reply)
	if err := x.reply.read(&x.src); err != nil {
		panic(err)
	}
	return x.reply.items
}

// Sizes are those of the structs that Need counts, as it says and as they are.
func Sizes() (said, are [2]uintptr) {
	return [2]uintptr{recordSize, refusedSize}, [2]uintptr{unsafe.Sizeof(record{}), unsafe.Sizeof(refused{})}
}
