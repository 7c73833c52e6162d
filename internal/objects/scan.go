package objects

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
)

// page is what a page of a listing says. What it holds lies in the page's bytes.
type page struct {
	entries   []entry
	prefixes  [][]byte // common ones
	truncated bool     // there is more
	encoded   bool     // the keys are
	token     string   // how to ask for it
	marker    string   // in the older protocols, encoded as keys are
	version   string
	text      []byte // scratch
	made      []byte // holds values that do not lie in the page's bytes
}

// entry is an object, or a version of one, as the page has it.
type entry struct {
	key, modified, etag, size, class, version []byte
	latest, deleted                           bool
}

// reset makes the page ready for another one.
func (p *page) reset() {
	*p = page{entries: p.entries[:0], prefixes: p.prefixes[:0], text: p.text, made: p.made}
}

// scan reads a page. It takes the XML that stores make, and all other XML by
// way of encoding/xml, which takes fifteen times as long. A document that ends
// early is an error. The page is valid until body changes.
func (p *page) scan(body []byte) error {
	s := &scanner{rest: body, made: p.made[:0]}
	err := p.read(s)
	p.made = s.made
	if err == errUnusual {
		err = p.read(&decoder{xml.NewDecoder(bytes.NewReader(body))})
	}
	return err
}

// tokens is XML in its parts: the beginning and the end of elements, each with
// its local name, and text.
type tokens interface {
	next() (kind tokenKind, data []byte, err error)
}

type tokenKind byte

const (
	begin tokenKind = iota + 1
	end
	text
)

// read reads a page of an answer from its tokens.
func (p *page) read(t tokens) error {
	p.reset()
	var (
		path  [8][]byte // names of the elements we are in
		depth int
		value []byte
	)
	for {
		kind, data, err := t.next()
		if err == io.EOF && depth == 0 && path[0] != nil {
			return nil
		}
		if err != nil {
			return unexpected(err)
		}
		switch kind {
		case begin:
			if depth == 0 && path[0] != nil {
				return errors.New("there are two documents in it")
			}
			if depth < len(path) {
				path[depth] = data
			}
			depth++
			value = nil
			if depth <= 2 {
				if err := p.begin(data, depth); err != nil {
					return err
				}
			}
		case text:
			if depth == 0 && path[0] != nil && !blank(data) {
				return errors.New("there is something behind its end")
			}
			if value == nil {
				value = data
			} else {
				value = append(bytes.Clone(value), data...)
			}
		case end:
			switch depth {
			case 2:
				p.field(data, value)
			case 3:
				p.entry(path[1], data, value)
			}
			depth--
			value = nil
		}
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// begin begins a document, or an entry.
func (p *page) begin(name []byte, depth int) error {
	if depth == 1 {
		switch string(name) {
		case "ListBucketResult", "ListVersionsResult":
			return nil
		}
		return errors.New("it is no listing, but " + strconv.Quote(string(name)))
	}
	switch string(name) {
	case "Contents", "Version":
		p.entries = append(p.entries, entry{})
	case "DeleteMarker":
		p.entries = append(p.entries, entry{deleted: true})
	}
	return nil
}

// field takes an element of the listing.
func (p *page) field(name, value []byte) {
	switch string(name) {
	case "IsTruncated":
		p.truncated = string(bytes.TrimSpace(value)) == "true"
	case "EncodingType":
		p.encoded = string(value) == "url"
	case "NextContinuationToken":
		p.token = string(value)
	case "NextMarker", "NextKeyMarker":
		p.marker = string(value)
	case "NextVersionIdMarker":
		p.version = string(value)
	}
}

// entry takes an element of an entry.
func (p *page) entry(of, name, value []byte) {
	switch string(of) {
	case "CommonPrefixes":
		if string(name) == "Prefix" {
			p.prefixes = append(p.prefixes, value)
		}
		return
	case "Contents", "Version", "DeleteMarker":
	default:
		return
	}
	e := &p.entries[len(p.entries)-1]
	switch string(name) {
	case "Key":
		e.key = value
	case "LastModified":
		e.modified = value
	case "ETag":
		e.etag = value
	case "Size":
		e.size = value
	case "StorageClass":
		e.class = value
	case "VersionId":
		e.version = value
	case "IsLatest":
		e.latest = string(value) == "true"
	}
}
