// Package fakestore is an S3 store of one bucket that makes up what it is asked
// for and forgets the bytes that it is given, so that objects may be many or
// large. It speaks the protocol, conditions of writes included, and looks at no
// signatures.
package fakestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Store is the store. What is exported is set before it serves; Count and Body
// together say which objects there are from the beginning: all objects number i
// of 0 to Count-1 have the key Prefix and i in nine digits, and Size bytes.
type Store struct {
	Prefix string
	Count  int
	Size   int64
	Body   func(i int, off int64) io.Reader // gives Size-off bytes; nil: zeros
	Delay  time.Duration                    // before each answer
	Omit   func(i int) bool                 // objects that are not there

	gets, puts, lists atomic.Int64

	mu      sync.Mutex
	made    map[string]*made
	uploads map[string]*upload
	ids     int
}

// made is an object that was put.
type made struct {
	etag   string
	size   int64
	header http.Header // metadata and content type
	body   []byte      // of a small one
}

// upload is an object on its way.
type upload struct {
	key    string
	parts  map[int]int64 // their sizes
	header http.Header
}

// keep is the size to which the bytes of objects are kept.
const keep = 64 << 10

// Stats is what was asked for.
type Stats struct{ Gets, Puts, Lists int64 }

// Stats counts requests for bodies, for writing objects, and for pages.
func (s *Store) Stats() Stats { return Stats{s.gets.Load(), s.puts.Load(), s.lists.Load()} }

// Written returns how many objects were put that are still there, and their bytes.
func (s *Store) Written() (objects int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.made {
		objects, bytes = objects+1, bytes+m.size
	}
	return objects, bytes
}

// Uploads returns how many uploads are neither completed nor aborted.
func (s *Store) Uploads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uploads)
}

// Serve serves the store at a port of this machine while f runs, and gives f
// its URL.
func (s *Store) Serve(f func(url string) error) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s}
	var g errgroup.Group
	g.Go(func() error { return server.Serve(l) })
	err = f("http://" + l.Addr().String())
	stop, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if server.Shutdown(stop) != nil {
		server.Close()
	}
	if served := g.Wait(); !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// ServeHTTP implements http.Handler.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.Delay > 0 {
		time.Sleep(s.Delay)
	}
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := r.URL.Query()
	switch {
	case key == "":
		s.bucket(w, r)
	case q.Has("uploadId") || q.Has("uploads"):
		s.multipart(w, r, key)
	case r.Method == "GET" || r.Method == "HEAD":
		s.get(w, r, key)
	case r.Method == "PUT":
		s.put(w, r, key)
	case r.Method == "DELETE":
		s.mu.Lock()
		delete(s.made, key)
		s.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	default:
		fail(w, http.StatusNotImplemented, "NotImplemented")
	}
}

// bucket answers what is asked of the bucket.
func (s *Store) bucket(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case r.Method == "HEAD":
	case r.Method != "GET":
		fail(w, http.StatusNotImplemented, "NotImplemented")
	case q.Has("list-type"):
		s.lists.Add(1)
		s.list(w, q)
	case q.Has("versioning"):
		io.WriteString(w, `<VersioningConfiguration/>`)
	case q.Has("uploads"):
		io.WriteString(w, `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>`)
	default:
		fail(w, http.StatusNotImplemented, "NotImplemented")
	}
}

// fail answers with an error.
func fail(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message></Error>`, code, code)
}

// key is that of object number i.
func (s *Store) key(i int) string { return fmt.Sprintf("%s%09d", s.Prefix, i) }

// number is that of the object under a key, if it is there from the beginning.
func (s *Store) number(key string) (i int, ok bool) {
	digits, ok := strings.CutPrefix(key, s.Prefix)
	if !ok || len(digits) != 9 {
		return 0, false
	}
	i, err := strconv.Atoi(digits)
	return i, err == nil && i >= 0 && i < s.Count && !s.omitted(i)
}

func (s *Store) omitted(i int) bool { return s.Omit != nil && s.Omit(i) }

func etag(i int) string { return fmt.Sprintf(`"%032x"`, i+1) }

// modified is when all objects were.
var modified = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// get answers GET and HEAD of an object.
func (s *Store) get(w http.ResponseWriter, r *http.Request, key string) {
	h := w.Header()
	h.Set("Last-Modified", modified.Format(http.TimeFormat))
	size, body := s.Size, func(off int64) io.Reader { return io.LimitReader(zeros{}, s.Size-off) }
	if i, ok := s.number(key); ok {
		h.Set("ETag", etag(i))
		if s.Body != nil {
			body = func(off int64) io.Reader { return s.Body(i, off) }
		}
	} else {
		s.mu.Lock()
		m := s.made[key]
		s.mu.Unlock()
		if m == nil {
			fail(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		h.Set("ETag", m.etag)
		for name, v := range m.header {
			h[name] = v
		}
		size, body = m.size, func(off int64) io.Reader { return strings.NewReader(string(m.body[min(off, int64(len(m.body))):])) }
	}
	if match := r.Header.Get("If-Match"); match != "" && match != h.Get("ETag") {
		fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	from, to := int64(0), size
	if asked := r.Header.Get("Range"); asked != "" {
		var last int64 = size - 1
		fmt.Sscanf(asked, "bytes=%d-%d", &from, &last)
		to = min(size, last+1)
		if from >= size {
			fail(w, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
			return
		}
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, size))
	}
	h.Set("Content-Length", strconv.FormatInt(to-from, 10))
	if r.Method == "HEAD" {
		return
	}
	s.gets.Add(1)
	if h.Get("Content-Range") != "" {
		w.WriteHeader(http.StatusPartialContent)
	}
	io.Copy(w, io.LimitReader(body(from), to-from)) // the client sees whether it was all
}

// zeros is an endless body.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// put answers PUT of an object.
func (s *Store) put(w http.ResponseWriter, r *http.Request, key string) {
	s.puts.Add(1)
	m := &made{header: about(r)}
	var err error
	if r.ContentLength >= 0 && r.ContentLength <= keep {
		m.body, err = io.ReadAll(r.Body)
		m.size = int64(len(m.body))
	} else {
		m.size, err = io.Copy(io.Discard, r.Body)
	}
	if err != nil {
		return
	}
	s.commit(w, r, key, m)
}

// commit makes an object visible, if the request's condition holds.
func (s *Store) commit(w http.ResponseWriter, r *http.Request, key string, m *made) (ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, there := s.number(key)
	there = there || s.made[key] != nil
	if there && r.Header.Get("If-None-Match") == "*" {
		fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return false
	}
	s.ids++
	m.etag = fmt.Sprintf(`"%x"`, s.ids)
	if s.made == nil {
		s.made = map[string]*made{}
	}
	s.made[key] = m
	w.Header().Set("ETag", m.etag)
	return true
}

// about is the part of a request's header that belongs to the object.
func about(r *http.Request) http.Header {
	h := http.Header{}
	for name, v := range r.Header {
		if strings.HasPrefix(name, "X-Amz-Meta-") || slices.Contains([]string{"Content-Type", "Cache-Control", "Content-Disposition", "Content-Language"}, name) {
			h[name] = v
		}
	}
	return h
}
