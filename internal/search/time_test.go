package search_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/search"
	"sluice/internal/unit"
)

// pipes is a cluster in memory, so that its time can be a false one.
func pipes(t *testing.T, f http.HandlerFunc) *search.Client {
	return inMemory(t, to("http://memory"), map[string]http.HandlerFunc{"memory:80": f})
}

// inMemory is a client of nodes in memory, by host and port. Those of port 443
// speak TLS. A node that is not there refuses connections.
func inMemory(t *testing.T, cfg search.Config, nodes map[string]http.HandlerFunc) *search.Client {
	listeners := map[string]*listener{}
	c := client(t, cfg)
	for host, f := range nodes {
		l := &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
		listeners[host] = l
		s := &http.Server{Handler: f, ErrorLog: log.New(io.Discard, "", 0)}
		if strings.HasSuffix(host, ":443") {
			pair := newPair(t)
			go s.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}}))
		} else {
			go s.Serve(l)
		}
		t.Cleanup(func() {
			s.Close()
			time.Sleep(time.Second) // false time: connections that were cut linger half as long
		})
	}
	c.SetDial(func(ctx context.Context, _, address string) (net.Conn, error) {
		l := listeners[address]
		if l == nil {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		}
		here, there := net.Pipe()
		select {
		case l.conns <- there:
			return here, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	return c
}

type listener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *listener) Close() error   { close(l.closed); return nil }
func (l *listener) Addr() net.Addr { return &net.UnixAddr{} }

func TestABodyThatStandsStillFailsAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := pipes(t, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "begin")
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		resp, err := c.Do(t.Context(), search.Request{Path: "/"})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if cause, _ := search.Retryable(err); string(got) != "begin" || cause != "timeout" || time.Since(start) != time.Minute {
			t.Errorf("got %q, %v after %v, want what came and a timeout after a minute", got, err, time.Since(start))
		}
	})
}

func TestABodyThatMovesSlowlyOrIsReadSlowlyDoesNotFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := pipes(t, func(w http.ResponseWriter, r *http.Request) {
			for range 5 {
				time.Sleep(59 * time.Second)
				io.WriteString(w, "x")
				http.NewResponseController(w).Flush()
			}
		})
		resp, err := c.Do(t.Context(), search.Request{Path: "/"})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadFull(resp.Body, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // who reads has something else to do
		if got, err := io.ReadAll(resp.Body); len(got) != 3 || err != nil {
			t.Errorf("got %q, %v, want the rest", got, err)
		}
	})
}

func TestARequestThatIsNotTakenOrNotAnsweredFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		defer close(end)
		for name, c := range map[string]struct {
			handler http.HandlerFunc
			after   time.Duration
		}{
			"not taken":    {func(w http.ResponseWriter, r *http.Request) { <-end }, time.Minute},
			"not answered": {func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body); <-end }, 2 * time.Minute},
		} {
			start := time.Now()
			_, err := pipes(t, c.handler).Do(t.Context(), search.Request{Path: "/", Body: make([]byte, 1<<20)})
			if cause, _ := search.Retryable(err); cause != "timeout" || time.Since(start) != c.after {
				t.Errorf("%s: got %v after %v, want a timeout after %v", name, err, time.Since(start), c.after)
			}
		}
	})
}

func TestTheEndOfTheContextIsItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("stopped")
		c := pipes(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/body" {
				io.WriteString(w, "x")
				http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		resp, err := c.Do(ctx, search.Request{Path: "/body"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, why) {
			t.Errorf("body: got %v, want %v", err, why)
		}
		resp.Body.Close()
		ctx, cancel = context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		if err := c.Call(ctx, search.Request{Path: "/"}, nil); !errors.Is(err, why) {
			t.Errorf("call: got %v, want %v", err, why)
		}
	})
}

func TestRetriesAreBoundedByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := to("http://h")
		cfg.Retry = unit.Duration(5 * time.Minute)
		c := client(t, cfg)
		busy := fmt.Errorf("bulk: %w", &search.Error{Status: 503})
		start, n := time.Now(), 0
		err := c.Retry(t.Context(), func() error { n++; return busy })
		if took := time.Since(start); !errors.Is(err, busy) || took != 5*time.Minute || n < 15 || n > 1000 {
			t.Errorf("got %v after %v and %d times, want the error after 5 minutes and tens of times", err, took, n)
		}
		if !strings.Contains(fmt.Sprint(err), "5m") {
			t.Errorf("got %q, want it to say how long it was tried", err)
		}
		n = 0
		if err := c.Retry(t.Context(), func() error { n++; return &search.Error{Status: 400} }); err == nil || n != 1 {
			t.Errorf("got %v after %d times, want a refusal at once", err, n)
		}
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, search.Config{URL: []string{"http://h"}, Retry: unit.Duration(time.Minute)})
		r := c.Retrier()
		for _, after := range []time.Duration{20 * time.Second, 20 * time.Second} {
			start := time.Now()
			if err := r.Wait(t.Context(), &search.Error{Status: 429, RetryAfter: after}); err != nil || time.Since(start) < after {
				t.Errorf("got %v after %v, want to wait at least %v", err, time.Since(start), after)
			}
		}
		r.Reset()
		start := time.Now()
		for r.Wait(t.Context(), &search.Error{Status: 429, RetryAfter: 50 * time.Second}) == nil {
		}
		if took := time.Since(start); took != time.Minute {
			t.Errorf("took %v, want one last try when the minute is over", took)
		}
	})
}

func TestAPatientRetrierSaysOnceAMinuteThatItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, to("http://memory"))
		r, begun, why := c.Patient(10*time.Minute), time.Now(), search.Again("block", errors.New("blocked"))
		waits := 0
		for r.Wait(t.Context(), why) == nil {
			waits++
		}
		if took := time.Since(begun); took != 10*time.Minute || waits < 20 || waits > 200 {
			t.Errorf("%d waits in %v, want one in some seconds for 10m", waits, took)
		}
	})
}

func TestProgressBeginsTheTimeAnewAndNotTheWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := to("http://memory")
		cfg.Retry = unit.Duration(time.Minute)
		r, begun, why := client(t, cfg).Retrier(), time.Now(), search.Again("429", errors.New("full"))
		waits := 0
		for ; time.Since(begun) < 10*time.Minute; waits++ {
			if err := r.Wait(t.Context(), why); err != nil {
				t.Fatalf("after %v: %v, want no end while there is progress", time.Since(begun), err)
			}
			r.Progress()
		}
		if waits > 120 {
			t.Errorf("%d waits in 10 minutes, want longer ones", waits)
		}
	})
}
