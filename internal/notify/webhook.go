package notify

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// Webhook is the options of a place that stores call.
type Webhook struct {
	Listen   string      `yaml:"listen" required:"true" doc:"Address to listen at, as 127.0.0.1:9610, for notifications of MinIO and VersityGW."`
	Path     string      `yaml:"path" default:"/" doc:"Path that is called."`
	Token    unit.Secret `yaml:"token" doc:"What callers show as Authorization: Bearer TOKEN; MinIO calls it auth_token."`
	Insecure bool        `yaml:"insecure" doc:"Anybody may call, without a token, from other machines too."`
	TLS      struct {
		Cert string `yaml:"cert" doc:"File with the certificate chain (PEM) that is shown to callers."`
		Key  string `yaml:"key" doc:"File with the key (PEM) of that certificate."`
	} `yaml:"tls" doc:"Certificate, if callers speak https."`
}

const (
	longest = 1 << 20         // bytes of a body
	crowd   = 16              // bodies in memory; the other callers wait
	leave   = 3 * time.Second // for calls that are under way at the end
)

// Problems checks the options. It reads no files.
func (h *Webhook) Problems() (list []kind.Problem) {
	add := func(option, format string, args ...any) {
		list = append(list, kind.Problem{Option: option, Message: fmt.Sprintf(format, args...)})
	}
	host, _, err := net.SplitHostPort(h.Listen)
	if err != nil {
		add("listen", "%q is not host:port; write it as 127.0.0.1:9610", h.Listen)
	} else if h.Token == "" && !h.Insecure && !loopback(host) {
		add("token", "it is missing: whoever reaches %s could call; give it, listen at 127.0.0.1, or allow it with insecure: true", h.Listen)
	}
	if !strings.HasPrefix(h.Path, "/") {
		add("path", "%q does not begin with /", h.Path)
	}
	if (h.TLS.Cert == "") != (h.TLS.Key == "") {
		add("tls", "cert and key must be given together")
	}
	return list
}

// Warnings implements [kind.Warner].
func (h *Webhook) Warnings() (list []string) {
	host, _, _ := net.SplitHostPort(h.Listen)
	switch {
	case loopback(host):
	case h.Token == "":
		list = append(list, "anybody who reaches "+h.Listen+" can send notifications, which are looked up in the store")
	case h.TLS.Cert == "":
		list = append(list, "the token of the webhook travels in clear: it has no tls")
	}
	return list
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Bind begins to listen. It reads the certificate.
func (h *Webhook) Bind(ctx context.Context) (net.Listener, error) {
	var cert tls.Certificate
	if h.TLS.Cert != "" {
		var err error
		if cert, err = tls.LoadX509KeyPair(h.TLS.Cert, h.TLS.Key); err != nil {
			return nil, fmt.Errorf("webhook: %w", err)
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", h.Listen)
	if err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	if h.TLS.Cert != "" {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
	}
	return l, nil
}

// Taker makes events durable, or remembers them in another way that is good
// enough for the caller: they are acknowledged once it returns nil. It is
// called from several goroutines.
type Taker func(ctx context.Context, events []Event) error

// Serve answers calls until ctx ends, and closes l. What take has begun by then
// is given a few seconds. It returns nil if ctx ended it.
func (h *Webhook) Serve(ctx context.Context, l net.Listener, take Taker) error {
	room := semaphore.NewWeighted(crowd)
	s := &http.Server{
		Handler:           h.handler(take, room),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 2 * time.Minute,
		IdleTimeout:    time.Minute, // VersityGW leaves each connection open
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // what callers do wrong on the wire
	}
	g, gone := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("webhook: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-gone.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), leave)
		defer cancel()
		if s.Shutdown(end) != nil {
			s.Close() // ends the contexts of those who still work
		}
		return room.Acquire(context.WithoutCancel(ctx), crowd) // all have left
	})
	return g.Wait()
}

// Handler answers POST with 200 once take has taken the events of the body, with
// 503 if it fails, so that the caller keeps them and comes again, and with
// another 4xx if the body cannot be understood. GET and HEAD are answered
// without being looked at: callers see whether somebody is there.
func (h *Webhook) Handler(take Taker) http.Handler {
	return h.handler(take, semaphore.NewWeighted(crowd))
}

func (h *Webhook) handler(take Taker, room *semaphore.Weighted) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != h.Path:
			http.NotFound(w, r)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			w.WriteHeader(http.StatusOK)
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", "POST, GET, HEAD")
			http.Error(w, "POST notifications", http.StatusMethodNotAllowed)
		case !h.knows(r.Header.Get("Authorization")):
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "the token is missing or wrong", http.StatusUnauthorized)
		case room.Acquire(r.Context(), 1) != nil: // the caller has left
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			defer room.Release(1)
			receive(w, r, take)
		}
	})
}

// knows reports whether the header shows the token.
func (h *Webhook) knows(header string) bool {
	if h.Token == "" {
		return true
	}
	shown := strings.TrimSpace(header)
	if scheme, rest, ok := strings.Cut(shown, " "); ok && strings.EqualFold(scheme, "Bearer") {
		shown = strings.TrimSpace(rest)
	}
	return subtle.ConstantTimeCompare([]byte(shown), []byte(h.Token.Reveal())) == 1
}

func receive(w http.ResponseWriter, r *http.Request, take Taker) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, longest))
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		http.Error(w, "a body has at most 1 MiB", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil { // the caller has not said all
		http.Error(w, "the body was cut", http.StatusRequestTimeout)
		return
	}
	events, err := Decode(body)
	if err != nil {
		pipeline.Logger(r.Context()).Warn("a notification cannot be understood", "error", err, "caller", r.RemoteAddr)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if len(events) > 0 {
		err = take(r.Context(), events)
	}
	if err != nil {
		pipeline.Logger(r.Context()).Warn("notifications were not taken; the caller is told to come again", "error", err)
		w.Header().Set("Retry-After", "5")
		http.Error(w, "not taken: come again", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}
