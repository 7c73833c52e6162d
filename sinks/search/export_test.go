package search

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"unsafe"
)

// SetDial lets the sink reach the cluster in another way than by TCP.
func (s *Sink) SetDial(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	s.client.SetDial(dial)
}

// filling is a filler without a cluster, as cfg has it.
func filling(cfg Config) *filler {
	s := &Sink{cfg: cfg}
	s.prepare()
	return newFiller(&writer{Sink: s}, nil, nil)
}

// Body is what a line adds to the body of a request; or else the type of the
// fault in it.
func Body(cfg Config, line []byte) (body []byte, fault string) {
	f := filling(cfg)
	line = append(bytes.Clone(line), '\n')
	if fault := f.check(line); fault != sound {
		return nil, refusals[fault].Type
	}
	q := newRequest(1 << 20)
	r := q.add(line, &f.env, sound)
	if got := q.appendLine(nil, r); !bytes.Equal(got, line) {
		panic(fmt.Sprintf("the letter of %q has %q", line, got))
	}
	if room := f.env.room(); len(q.body) > room {
		panic(fmt.Sprintf("%q adds %d bytes, and room for %d", line, len(q.body), room))
	}
	return q.body, ""
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

// CountReply reads a reply, and counts.
func CountReply(src io.Reader) (items, refused int, err error) {
	r := newReply()
	err = r.read(src)
	return r.items, len(r.refused), err
}

// Filling fills one request again and again.
type Filling struct {
	f     *filler
	q     *request
	reply *reply
	src   bytes.Reader
}

// NewFilling makes a request of 8 MiB.
func NewFilling(cfg Config) *Filling {
	return &Filling{f: filling(cfg), q: newRequest(8 << 20), reply: newReply()}
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
		x.q.add(line, &x.f.env, fault)
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

// Faults is how many records of the last block cannot be sent.
func (x *Filling) Faults() int { return x.q.faults }

// Sizes are those of the structs that Need counts, as it says and as they are.
func Sizes() (said, are [2]uintptr) {
	return [2]uintptr{recordSize, refusedSize}, [2]uintptr{unsafe.Sizeof(record{}), unsafe.Sizeof(refused{})}
}

// Zip compresses a body once, for requests of a limit.
func Zip(limit int, body []byte) { newZipper(limit).zip(body) }

// ZipSize is what that takes.
func ZipSize(limit int) int { return zipped(limit) + encoderSize }
