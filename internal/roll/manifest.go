package roll

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/internal/keys"
	"sluice/pipeline"
)

// Head is the first line of a manifest.
type Head struct {
	Manifest int       `json:"sluice_manifest"` // of the format: 1
	Pipeline string    `json:"pipeline"`
	Pass     int64     `json:"pass"`
	Began    time.Time `json:"began"`
}

// Line is what a manifest says of one object.
type Line struct {
	Key     string `json:"key"`
	Bytes   int64  `json:"bytes"`             // as they are stored
	Records *int64 `json:"records,omitempty"` // nil: nobody has counted them
	CRC32C  string `json:"crc32c,omitempty"`  // of the stored bytes, in the form of S3: four bytes, the highest first, in base64; "": they did not pass through Sluice
	ETag    string `json:"etag,omitempty"`    // "": it is not known
	Lane    string `json:"lane"`
	Start   int    `json:"start,omitempty"` // how often the lane had started over
	Index   string `json:"index,omitempty"`
	First   string `json:"first,omitempty"`   // position in the lane where it begins; "": that of the lane
	Last    string `json:"last,omitempty"`    // position that holds behind it; "": none does
	Item    string `json:"item,omitempty"`    // key of the item, if the object is of a single one
	Version string `json:"version,omitempty"` // of that item

	KeyBase64  string `json:"key_base64,omitempty"`  // the key, if it is not UTF-8; Key is then about it
	ItemBase64 string `json:"item_base64,omitempty"` // likewise
}

// Total is the last line of a manifest.
type Total struct {
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
	Records *int64 `json:"records,omitempty"` // nil: they are not known of each object
}

// Manifest reads the option `manifest` of a sink: a template of keys with
// {pass} and {date}. Without them a pass replaces the manifest of the last.
func Manifest(text string, style keys.Style) (*keys.Template, error) {
	t, err := keys.Parse(text, style)
	if err != nil {
		return nil, err
	}
	for _, field := range []string{"index", "lane", "sequence", "key", "stem", "ext", "version"} {
		if t.Has(field) {
			return nil, fmt.Errorf("%q: a pass has one manifest: there are {pass} and {date:2006/01/02}, but no {%s}", text, field)
		}
	}
	if path.Base(text) != keys.Manifest {
		return nil, fmt.Errorf("%q: it ends with /%s, so that who reads these objects again knows that it is no data", text, keys.Manifest)
	}
	return t, nil
}

// ManifestKey is the key of the pass's manifest; "" if it has none.
func (w *Writer) ManifestKey() (string, error) {
	if w.Manifest == nil {
		return "", nil
	}
	return w.Manifest.Render(keys.Values{Pass: w.pass.Number, Date: w.date})
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// tally counts what is written to an object and, for a manifest, sums it.
type tally struct {
	Object
	bytes int64
	sum   hash.Hash32 // nil: not wanted, or the bytes do not pass through here
}

func (w *Writer) tally(o Object) tally {
	t := tally{Object: o}
	if w.Manifest != nil {
		t.sum = crc32.New(castagnoli)
	}
	return t
}

// Write implements [io.Writer].
func (t *tally) Write(p []byte) (int, error) {
	n, err := t.Object.Write(p)
	t.bytes += int64(n)
	if t.sum != nil {
		t.sum.Write(p[:n])
	}
	return n, err
}

// line is the row of a committed object, if there is to be a manifest.
func (w *Writer) line(key string, t *tally, l Line) ([]pipeline.Row, error) {
	if w.Manifest == nil {
		return nil, nil
	}
	l.Key, l.Bytes = key, t.bytes
	if t.sum != nil {
		l.CRC32C = base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, t.sum.Sum32()))
	}
	if o, ok := t.Object.(Tagged); ok {
		l.ETag = o.ETag()
	}
	if !utf8.ValidString(l.Key) {
		l.KeyBase64 = base64.StdEncoding.EncodeToString([]byte(l.Key))
	}
	if !utf8.ValidString(l.Item) {
		l.ItemBase64 = base64.StdEncoding.EncodeToString([]byte(l.Item))
	}
	b, err := marshal(l)
	return []pipeline.Row{{Bucket: manifestBucket, Key: passKey(w.pass) + key, Value: b}}, err
}

// marshal gives a line. Keys stay as one can read them.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// head puts the first line into the Store when the pass begins. A pass that
// began without has made objects of which there are no lines.
func (w *Writer) head() error {
	row := pipeline.Row{Bucket: manifestBucket, Key: passKey(w.pass)}
	if w.Manifest == nil {
		return remove(w.pass.Store, manifestBucket, row.Key, behind(row.Key))
	}
	b, err := w.pass.Store.Get(row.Bucket, row.Key)
	if err != nil || b != nil {
		return err
	}
	saved, err := pipeline.Load(w.pass.Store)
	if err != nil {
		return err
	}
	for _, lane := range saved.Lanes {
		if saved.States[lane.Name].Counts.ObjectsWritten > 0 {
			return fmt.Errorf("manifest: pass %d has made objects without one: let it end without, the next one will have it", w.pass.Number)
		}
	}
	if row.Value, err = marshal(Head{1, w.pass.Pipeline, w.pass.Number, w.date.UTC()}); err != nil {
		return err
	}
	return w.pass.Store.Put(row)
}

// Finish implements the Finish of [pipeline.Writer]: it writes the manifest.
func (w *Writer) Finish(ctx context.Context) error {
	key, err := w.ManifestKey()
	if err != nil || key == "" {
		return err
	}
	o, err := w.target.Create(ctx, Draft{
		Key: key, Beside: true, First: &pipeline.Item{Key: key, Size: -1, Records: -1, Meta: &pipeline.Meta{ContentType: "application/x-ndjson"}},
		Owner: w.manifestOwner(),
	})
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if err = w.writeManifest(o); err == nil {
		err = o.Commit(ctx)
	}
	if err != nil {
		return fmt.Errorf("manifest: %w", errors.Join(err, abort(ctx, o)))
	}
	return nil
}

// manifestOwner lets a manifest whose key is the same in each pass be replaced.
func (w *Writer) manifestOwner() Owner {
	const source = "//manifest" // stands for a lane, or for the key of an item
	o := Owner{Pipeline: w.pass.Pipeline, Pass: w.pass.Number, Lane: source}
	if !w.Manifest.Has("pass") {
		o.Source = source
	}
	return o
}

// writeManifest writes the lines of the pass to o.
func (w *Writer) writeManifest(o Object) error {
	saved, err := pipeline.Load(w.pass.Store)
	if err != nil {
		return err
	}
	m := manifest{starts: saved.States, total: Total{Records: new(int64)}}
	for from := passKey(w.pass); from != ""; {
		if from, err = m.read(w.pass, from); err != nil {
			return fmt.Errorf("state: %w", err)
		}
		if _, err := o.Write(m.lines); err != nil {
			return err
		}
	}
	last, err := marshal(m.total)
	if err != nil {
		return err
	}
	_, err = o.Write(last)
	return err
}

// manifest is what is read of the rows of a pass.
type manifest struct {
	starts map[string]pipeline.LaneState
	total  Total
	lines  []byte // of the last read
}

// read takes some rows from a key on, and says where it goes on; "": nowhere.
// It ends the Range before anything is done with them: a Store may not be
// written to meanwhile.
func (m *manifest) read(p *pipeline.Pass, from string) (next string, err error) {
	m.lines = m.lines[:0]
	n, head := 0, passKey(p)
	err = p.Store.Range(manifestBucket, from, func(key string, line []byte) error {
		switch n++; {
		case !strings.HasPrefix(key, head):
			return errEnd
		case n > batch:
			next = key
			return errEnd
		case key == head:
			m.lines = append(m.lines, line...)
			return nil
		}
		return m.add(line)
	})
	if errors.Is(err, errEnd) {
		err = nil
	}
	return next, err
}

// add takes the line of an object, unless it is of a walk that was given up.
func (m *manifest) add(line []byte) error {
	var l Line
	if err := json.Unmarshal(line, &l); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if l.Start < m.starts[l.Lane].Start {
		return nil
	}
	m.total.Objects++
	m.total.Bytes += l.Bytes
	if l.Records == nil {
		m.total.Records = nil
	} else if m.total.Records != nil {
		*m.total.Records += *l.Records
	}
	m.lines = append(m.lines, line...)
	return nil
}
