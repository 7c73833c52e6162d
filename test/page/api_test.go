package page_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"

	"sluice/internal/ops"
	"sluice/internal/page"
)

// api answers as the real one does, with what a test wants it to.
type api struct {
	URL string

	mu      sync.Mutex
	all     ops.Overview
	details ops.Detail // of each pipeline, but for its view
	silent  bool
	token   string // "": none is needed
	refusal string // why nothing is done; "": it is
	posts   []post
}

// post is a request that was to change something.
type post struct{ path, header, token string }

// serve serves the page and the examples of the API.
func serve(t *testing.T) *api {
	t.Helper()
	a := &api{}
	read(t, "pipelines", &a.all)
	read(t, "pipeline", &a.details)
	mux := http.NewServeMux()
	mux.Handle("GET /", page.Handler())
	mux.HandleFunc("GET /api/v1/pipelines", a.overview)
	mux.HandleFunc("GET /api/v1/pipelines/{name}", a.detail)
	mux.HandleFunc("POST /api/v1/pipelines/{name}/{action}", a.act)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	a.URL = s.URL
	return a
}

func read(t *testing.T, name string, v any) {
	t.Helper()
	text, err := os.ReadFile("../../internal/ops/testdata/" + name + ".json")
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// set changes what is answered.
func (a *api) set(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

func (a *api) posted() []post {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]post(nil), a.posts...)
}

func (a *api) overview(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.silent {
		panic(http.ErrAbortHandler)
	}
	json.NewEncoder(w).Encode(a.all)
}

func (a *api) detail(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, v := range a.all.Pipelines {
		if v.Name != r.PathValue("name") {
			continue
		}
		d := a.details
		d.View = v
		if v.Dead == 0 {
			d.DeadLetters.Reasons = []ops.DeadReason{}
		}
		json.NewEncoder(w).Encode(d)
		return
	}
	w.WriteHeader(http.StatusNotFound)
}

func (a *api) act(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.posts = append(a.posts, post{r.URL.Path, r.Header.Get("X-Sluice"), r.Header.Get("Authorization")})
	if a.token != "" && r.Header.Get("Authorization") != "Bearer "+a.token {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if a.refusal != "" {
		w.WriteHeader(http.StatusConflict)
		json.NewEncoder(w).Encode(ops.Fault{Error: a.refusal})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
