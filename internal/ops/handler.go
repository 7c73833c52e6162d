package ops

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Control changes what pipelines do. Its methods may be called from several
// goroutines.
type Control interface {
	Pause(name string) error
	Resume(name string) error
	RunNow(name string) error
}

// ErrUnknown is wrapped by the error of what names no pipeline that runs.
var ErrUnknown = errors.New("no such pipeline")

// ErrPaused is wrapped by the error of what cannot be done while a pipeline is
// paused.
var ErrPaused = errors.New("the pipeline is paused")

// Site is what is served over HTTP.
type Site struct {
	Build   Build
	Board   *Board
	Events  *Events // nil: none are kept
	Control Control // nil: nothing can be changed
	Guard   Guard
	Memory  int64 // the option memory, in bytes
	Started time.Time
	Log     *slog.Logger
	Metrics prometheus.Gatherer
	Page    http.Handler // at /; nil: there is none
	Pprof   bool         // profiles of the process, below /debug/pprof/
}

// mostBody is how many bytes of a body are taken. Nothing asks for any.
const mostBody = 4 << 10

// Handler answers /healthz (the process lives), /readyz (the state of every
// pipeline can be written), /metrics, and /api/v1.
func (s *Site) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.Metrics, promhttp.HandlerOpts{}))
	here := func(pattern string, h http.Handler) { mux.Handle(pattern, s.Guard.here(h)) }
	here("GET /api/v1/pipelines", http.HandlerFunc(s.overview))
	here("GET /api/v1/pipelines/{name}", http.HandlerFunc(s.detail))
	here("POST /api/v1/pipelines/{name}/{action}", s.Guard.change(s.act))
	if s.Page != nil {
		here("GET /{$}", s.Page)
		here("GET /assets/", s.Page)
	}
	if s.Pprof {
		here("GET /debug/pprof/", s.Guard.only(pprof.Index))
		here("GET /debug/pprof/profile", s.Guard.only(pprof.Profile))
		here("GET /debug/pprof/trace", s.Guard.only(pprof.Trace))
		here("GET /debug/pprof/cmdline", http.NotFoundHandler()) // it may hold a password
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		if r.ContentLength > mostBody {
			refuse(w, http.StatusRequestEntityTooLarge, "nothing here takes a body")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		mux.ServeHTTP(w, r)
	})
}

// ready says why the process is not ready, or "". How its pipelines fare is no
// reason: to be taken out of service would help none of them.
func (s *Site) ready() string {
	for _, p := range s.Board.Watches() {
		if !p.Writable() {
			return p.Name() + ": the state cannot be written"
		}
	}
	return ""
}

func (s *Site) readyz(w http.ResponseWriter, _ *http.Request) {
	if why := s.ready(); why != "" {
		http.Error(w, why, http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (s *Site) overview(w http.ResponseWriter, _ *http.Request) {
	now := time.Now()
	o := Overview{
		Version: s.Build.Version, Started: s.Started.UTC(), Now: now.UTC(), Ready: s.ready() == "", Actions: s.actions(),
		Memory: Memory{Bound: s.Memory}, Configuration: s.Board.Configuration(), Pipelines: []View{}, Events: s.Events.List(""),
	}
	for _, p := range s.Board.Watches() {
		o.Pipelines = append(o.Pipelines, p.View(now))
		reserved, held := p.memory()
		o.Memory.Reserved, o.Memory.InFlight = o.Memory.Reserved+reserved, o.Memory.InFlight+held
	}
	answer(w, http.StatusOK, o)
}

func (s *Site) actions() Actions {
	if s.Control == nil {
		return Forbidden
	}
	return s.Guard.actions()
}

func (s *Site) detail(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	for _, p := range s.Board.Watches() {
		if p.Name() == name {
			d := p.Detail(time.Now(), s.Guard.trusted(r))
			d.Events, d.Errors = s.Events.List(name), s.Events.Errors(name)
			answer(w, http.StatusOK, d)
			return
		}
	}
	refuse(w, http.StatusNotFound, ErrUnknown.Error())
}

// act pauses, resumes or runs a pipeline.
func (s *Site) act(w http.ResponseWriter, r *http.Request) {
	name, action := r.PathValue("name"), r.PathValue("action")
	if s.Control == nil {
		refuse(w, http.StatusForbidden, "nothing can be changed here")
		return
	}
	do, ok := map[string]func(string) error{"pause": s.Control.Pause, "resume": s.Control.Resume, "run": s.Control.RunNow}[action]
	if !ok {
		refuse(w, http.StatusNotFound, "there are pause, resume and run")
		return
	}
	switch err := do(name); {
	case errors.Is(err, ErrUnknown):
		refuse(w, http.StatusNotFound, err.Error())
	case err != nil:
		refuse(w, http.StatusConflict, err.Error())
	default:
		s.Log.Info("asked over http", "pipeline", name, "action", action, "from", r.RemoteAddr)
		w.WriteHeader(http.StatusNoContent)
	}
}

// refuse answers with why a request is not served.
func refuse(w http.ResponseWriter, status int, why string) { answer(w, status, Fault{why}) }

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(v) // an error is that of the connection
}
