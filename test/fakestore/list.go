package fakestore

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// list gives a page of the listing: of the objects that were there from the
// beginning, and of those that were put.
func (s *Store) list(w http.ResponseWriter, q url.Values) {
	token, err := hex.DecodeString(q.Get("continuation-token"))
	if err != nil {
		fail(w, http.StatusBadRequest, "InvalidArgument")
		return
	}
	after := max(q.Get("start-after"), string(token))
	size := 1000
	if n, err := strconv.Atoi(q.Get("max-keys")); err == nil {
		size = min(n, size)
	}
	p := page{store: s, after: after, prefix: q.Get("prefix"), delimiter: q.Get("delimiter"), left: size}
	p.fill()
	w.Header().Set("Content-Type", "application/xml")
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><KeyCount>%d</KeyCount><MaxKeys>%d</MaxKeys><EncodingType>url</EncodingType><IsTruncated>%v</IsTruncated>`,
		size-p.left, size, p.more)
	if p.more {
		fmt.Fprintf(w, `<NextContinuationToken>%x</NextContinuationToken>`, p.last)
	}
	w.Write(p.out.Bytes())
	fmt.Fprint(w, `</ListBucketResult>`)
}

// page is one page of a listing while it is made.
type page struct {
	store                    *Store
	after, prefix, delimiter string
	left                     int // that it may still have
	last                     string
	more                     bool
	out                      bytes.Buffer
	common                   string // the last of the common prefixes
}

// fill merges what was put with what was there from the beginning.
func (p *page) fill() {
	s := p.store
	s.mu.Lock()
	put := slices.Sorted(maps.Keys(s.made))
	sizes := map[string]*made{}
	for _, k := range put {
		sizes[k] = s.made[k]
	}
	s.mu.Unlock()
	i := sort.Search(s.Count, func(i int) bool { return s.key(i) > p.after && s.key(i) >= p.prefix })
	for j := sort.SearchStrings(put, max(p.after, p.prefix)); !p.more; {
		switch first := i < s.Count; {
		case first && s.omitted(i):
			i++
		case first && (j >= len(put) || s.key(i) < put[j]):
			if !p.add(s.key(i), etag(i), s.Size) {
				return
			}
			i++
		case j < len(put):
			if !p.add(put[j], sizes[put[j]].etag, sizes[put[j]].size) {
				return
			}
			j++
		default:
			return
		}
	}
}

// add adds an object, and reports whether there may be more.
func (p *page) add(key, etag string, size int64) bool {
	switch {
	case key <= p.after || key < p.prefix:
		return true
	case !strings.HasPrefix(key, p.prefix):
		return false
	}
	if at := strings.Index(key[len(p.prefix):], p.delimiter); p.delimiter != "" && at >= 0 {
		return p.group(key, key[:len(p.prefix)+at+len(p.delimiter)])
	}
	if p.more = p.left == 0; p.more {
		return false
	}
	p.left--
	p.last = key
	fmt.Fprintf(&p.out, `<Contents><Key>%s</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&#34;%s&#34;</ETag><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>`,
		url.QueryEscape(key), strings.Trim(etag, `"`), size)
	return true
}

// group counts a key to a common prefix.
func (p *page) group(key, common string) bool {
	if common == p.common || strings.HasPrefix(p.after, common) {
		p.last = key
		return true
	}
	if p.more = p.left == 0; p.more {
		return false
	}
	p.left--
	p.last, p.common = key, common
	fmt.Fprintf(&p.out, `<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>`, url.QueryEscape(common))
	return true
}
