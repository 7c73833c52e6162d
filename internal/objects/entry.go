package objects

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// object reads an entry. Key and ETag share their memory.
func (p *page) object(e *entry) (Object, error) {
	text, err := p.appendKey(p.text[:0], e.key)
	if err != nil {
		return Object{}, err
	}
	n := len(text)
	p.text = append(text, bytes.Trim(e.etag, `"`)...)
	s := string(p.text)
	o := Object{Key: s[:n], ETag: s[n:], VersionID: string(e.version), Class: classOf(e.class)}
	if o.Size, err = strconv.ParseInt(string(bytes.TrimSpace(e.size)), 10, 64); e.deleted {
		o.Size, err = 0, nil
	}
	if o.Key == "" || err != nil || o.Size < 0 {
		return o, fmt.Errorf("entry %q has no key or no size", o.Key)
	}
	if o.Modified, err = modified(e.modified); err != nil {
		return o, fmt.Errorf("entry %q: %w", o.Key, err)
	}
	return o, nil
}

// key gives a key of the page.
func (p *page) key(raw []byte) (string, error) {
	b, err := p.appendKey(nil, raw)
	return string(b), err
}

// appendKey appends a key of the page, as it is in the store. A store that does
// not know the encoding does not say that it has used it.
func (p *page) appendKey(dst, raw []byte) ([]byte, error) {
	if !p.encoded {
		return append(dst, raw...), nil
	}
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '+':
			dst = append(dst, ' ')
		case '%':
			if i+2 >= len(raw) || unhex[raw[i+1]] == 0 || unhex[raw[i+2]] == 0 {
				return nil, fmt.Errorf("key %q is not encoded as the store says", raw)
			}
			dst = append(dst, (unhex[raw[i+1]]-1)<<4|(unhex[raw[i+2]]-1))
			i += 2
		default:
			dst = append(dst, raw[i])
		}
	}
	return dst, nil
}

// unhex is the value of a digit and one; 0: it is none.
var unhex = func() (t [256]byte) {
	for _, digits := range []string{"0123456789abcdef", "0123456789ABCDEF"} {
		for value, d := range []byte(digits) {
			t[d] = byte(value + 1)
		}
	}
	return t
}()

// modified reads the time of an entry, as 2026-01-02T03:04:05.678Z, in whole
// seconds.
func modified(b []byte) (time.Time, error) {
	if len(b) >= 20 && b[4] == '-' && b[7] == '-' && b[10] == 'T' && b[13] == ':' && b[16] == ':' && b[len(b)-1] == 'Z' {
		year, month, day := number(b[:4]), number(b[5:7]), number(b[8:10])
		hour, minute, second := number(b[11:13]), number(b[14:16]), number(b[17:19])
		fraction := b[19 : len(b)-1]
		usual := len(fraction) == 0 || fraction[0] == '.' && len(fraction) > 1 && number(fraction[1:]) >= 0
		if usual && year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= 28 && hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60 {
			return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC), nil
		}
	}
	if len(b) == 0 {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, string(b))
	return t.Truncate(time.Second), err
}

// number reads a few digits; -1: they are none.
func number(digits []byte) (n int) {
	for _, d := range digits {
		if d < '0' || d > '9' {
			return -1
		}
		n = n*10 + int(d-'0')
	}
	return n
}

// standard is the usual storage class.
const standard = "STANDARD"

// class is the name of a storage class; "" is the usual one.
func class(c string) string {
	if c == standard {
		return ""
	}
	return c
}

// classOf is class without new memory for those that are met most often.
func classOf(b []byte) string {
	switch string(b) {
	case "", standard:
		return ""
	case "STANDARD_IA":
		return "STANDARD_IA"
	case "INTELLIGENT_TIERING":
		return "INTELLIGENT_TIERING"
	case "GLACIER":
		return "GLACIER"
	case "DEEP_ARCHIVE":
		return "DEEP_ARCHIVE"
	}
	return string(b)
}

// versionID is the id of a version; "": the bucket keeps none.
func versionID(id string) string {
	if id == "null" {
		return ""
	}
	return id
}

func unquote(etag string) string { return strings.Trim(etag, `"`) }
