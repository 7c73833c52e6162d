// Package letters keeps dead letters where people and tools can read them, one
// line of JSON per letter: in files, in objects of a bucket, or as documents of
// an index. It reads them again, says which reasons there are, and sends
// records once more.
//
// A run that was interrupted may write a letter again. Pass, lane, start, stage,
// position and line say which letters are the same; a [Box] gives one of them. A
// letter that is sent again and refused again becomes a letter of the same place
// with a higher Replay, and the one before it is done with.
package letters

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"sluice/pipeline"
)

// Letter is a line of a file or object, or a document of an index.
type Letter struct {
	Time     time.Time `json:"time"`
	Pipeline string    `json:"pipeline"`
	Pass     int64     `json:"pass"`
	Lane     string    `json:"lane"`
	Start    int       `json:"start"` // of the lane; void if the lane has started over since
	Stage    string    `json:"stage"` // to which the record was given as it is here
	Source   Source    `json:"source"`
	Replay   int       `json:"replay,omitempty"` // how often it was sent again
	Attempts int       `json:"attempts,omitempty"`
	Status   int       `json:"status,omitempty"`
	Type     string    `json:"type,omitempty"`
	Reason   string    `json:"reason"`
	Record   *string   `json:"record,omitempty"`   // all its bytes; none if it was too long, or if the letter is of an item
	Encoding string    `json:"encoding,omitempty"` // base64, if the record is not UTF-8
}

// Source says where a record is from.
type Source struct {
	Key      string   `json:"key"` // an object, or an index
	Version  string   `json:"version,omitempty"`
	Position Position `json:"position"`
	Line     *int64   `json:"line,omitempty"` // number of the record after the position, from 0; none: the whole item
}

// Position is where in its lane the item of a letter begins.
type Position struct {
	Token   string `json:"token"`
	Inner   string `json:"inner,omitempty"`
	Key     string `json:"key,omitempty"`
	Version string `json:"version,omitempty"`
}

// ID is the identity of a letter: equal for those that are the same.
type ID [16]byte

// String gives it as hexadecimal digits, as rows of the state and documents of
// an index are called.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ID is the identity of the letter.
func (l *Letter) ID() (id ID) {
	line := int64(-1)
	if l.Source.Line != nil {
		line = *l.Source.Line
	}
	s, p := l.Source, l.Source.Position
	sum := sha256.New()
	fmt.Fprintf(sum, "%q %d %q %d %q %q %q %q %q %q %q %d %d ",
		l.Pipeline, l.Pass, l.Lane, l.Start, l.Stage, s.Key, s.Version, p.Token, p.Inner, p.Key, p.Version, line, l.Replay)
	if l.Record != nil { // a state that was reset begins with pass 1 again: then other records may be at a place
		io.WriteString(sum, *l.Record)
	}
	copy(id[:], sum.Sum(nil))
	return id
}

// Bytes gives the record as it was, or nil if the letter has none.
func (l *Letter) Bytes() ([]byte, error) {
	switch {
	case l.Record == nil:
		return nil, nil
	case l.Encoding == "base64":
		return base64.StdEncoding.DecodeString(*l.Record)
	case l.Encoding != "":
		return nil, fmt.Errorf("record in the unknown encoding %q", l.Encoding)
	}
	return []byte(*l.Record), nil
}

// refused sets why the record was refused.
func (l *Letter) refused(reason string, r *pipeline.Refusal) {
	l.Time, l.Reason = time.Now().UTC(), reason
	l.Attempts, l.Status, l.Type = 0, 0, ""
	if r != nil {
		l.Attempts, l.Status, l.Type = r.Attempts, r.Status, r.Type
	}
}

// letter gives the form in which a letter is kept.
func letter(pipelineName string, l pipeline.Letter) *Letter {
	out := &Letter{
		Pipeline: pipelineName, Pass: l.Pass, Lane: l.Lane, Start: l.Start, Stage: l.Stage,
		Source: Source{Key: l.Key, Version: l.Version,
			Position: Position{Token: l.From.Token, Inner: l.From.Inner, Key: l.From.Key, Version: l.From.Version}},
	}
	out.refused(l.Reason, l.Refusal)
	if l.Line >= 0 {
		out.Source.Line = &l.Line
	}
	if l.Record != nil {
		record := string(l.Record)
		if !utf8.ValidString(record) {
			record, out.Encoding = base64.StdEncoding.EncodeToString(l.Record), "base64"
		}
		out.Record = &record
	}
	return out
}

// encode gives a letter as a line, with its newline.
func encode(l any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(l)
	return b.Bytes(), err
}

// keeper keeps letters. Its methods are called from several goroutines.
type keeper interface {
	// put takes a letter of a folder: a pass, or replays.
	put(ctx context.Context, folder string, l *Letter) error
	// Sync makes durable what was put.
	Sync(ctx context.Context) error
	// Close makes durable what was put. Nothing else may be called any more.
	Close() error
}

// Writer is a [pipeline.DeadLetters] that keeps letters as a [Config] says.
type Writer struct {
	keeper
	pipeline string
}

var _ pipeline.DeadLetters = (*Writer)(nil)

// Write implements [pipeline.DeadLetters].
func (w *Writer) Write(ctx context.Context, l pipeline.Letter) error {
	return w.put(ctx, strconv.FormatInt(l.Pass, 10), letter(w.pipeline, l))
}

// replays is the folder of letters that were sent again.
const replays = "replay"
