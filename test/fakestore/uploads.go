package fakestore

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// multipart answers what belongs to uploads in parts.
func (s *Store) multipart(w http.ResponseWriter, r *http.Request, key string) {
	q := r.URL.Query()
	id := q.Get("uploadId")
	if r.Method == "POST" && q.Has("uploads") {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ids++
		id = strconv.Itoa(s.ids)
		if s.uploads == nil {
			s.uploads = map[string]*upload{}
		}
		s.uploads[id] = &upload{key, map[int]int64{}, about(r)}
		fmt.Fprintf(w, `<InitiateMultipartUploadResult><UploadId>%s</UploadId></InitiateMultipartUploadResult>`, id)
		return
	}
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	u := s.uploads[id]
	s.mu.Unlock()
	switch {
	case u == nil || u.key != key:
		fail(w, http.StatusNotFound, "NoSuchUpload")
	case r.Method == "PUT":
		number, _ := strconv.Atoi(q.Get("partNumber"))
		s.mu.Lock()
		u.parts[number] = n
		s.mu.Unlock()
		w.Header().Set("ETag", fmt.Sprintf(`"part-%d"`, number))
	case r.Method == "DELETE":
		s.forget(id)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == "POST":
		s.complete(w, r, id, u)
	default:
		fail(w, http.StatusNotImplemented, "NotImplemented")
	}
}

// complete makes the object of an upload.
func (s *Store) complete(w http.ResponseWriter, r *http.Request, id string, u *upload) {
	s.puts.Add(1)
	m := &made{header: u.header}
	s.mu.Lock()
	for _, n := range u.parts {
		m.size += n
	}
	s.mu.Unlock()
	if s.commit(w, r, u.key, m) {
		s.forget(id)
		fmt.Fprintf(w, `<CompleteMultipartUploadResult><ETag>%s</ETag></CompleteMultipartUploadResult>`, m.etag)
	}
}

// forget removes an upload.
func (s *Store) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.uploads, id)
}
