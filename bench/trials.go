package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// odd is documents that are changed by who decodes and encodes them, by _id.
var odd = map[string]string{
	"numbers":         `{"a":1.0,"b":1e3,"c":-0,"d":1E+2,"e":1.50}`,
	"large integer":   `{"n":9007199254740993}`,
	"many digits":     `{"long":123456789012345678901234567890,"fraction":0.10000000000000000001}`,
	"large exponent":  `{"n":1e400}`,
	"order of keys":   `{"b":1,"10":2,"a":3,"2":4}`,
	"blanks":          `{ "pretty" : [ 1,		2 ],  "x" : {"y" : "z"  } }`,
	"escapes":         `{"escaped":"\u2028 \ud83d\ude00 \/ \u00e9 \n"}`,
	"not escaped":     "{\"raw\":\"\u2028\u2029 é 🎉\"}",
	"members of hits": `{"_id":"x","_source":{"_index":"y","sort":[1]},"hits":{"hits":[{"_id":"no"}]}}`,
	"empty":           `{}`,
}

// oddIndex makes an index of them.
func (b *bench) oddIndex(ctx context.Context) (string, error) {
	name := b.Bucket + "-odd"
	if err := b.newIndex(ctx, name); err != nil {
		return "", err
	}
	for id, source := range odd {
		if err := b.call(ctx, "PUT", "/"+name+"/_doc/"+url.PathEscape(id), source); err != nil {
			return "", err
		}
	}
	return name, b.call(ctx, "POST", "/"+name+"/_refresh", "")
}

// program copies an index of n documents into files at a place, and returns
// its exit status.
type program struct {
	name string
	lost string // how the paths of the pages end of which one is lost
	dump func(ctx context.Context, n int, index, to string) (status int, err error)
}

// sluiceBy is Sluice, reading in a way, by small pages.
func (b *bench) sluiceBy(way string) program {
	lost := "/_search"
	if way == "scroll" {
		lost = "/_search/scroll"
	}
	return program{"sluice " + way, lost, func(ctx context.Context, n int, index, to string) (int, error) {
		b.Way, b.Page, b.Out = way, "64KiB", to
		_, err := b.sluice(ctx, n, "read", index)
		return exitStatus(err)
	}}
}

// elasticdumpWith is elasticdump with options beside its defaults.
func (b *bench) elasticdumpWith(options ...string) program {
	name := strings.Join(append([]string{"elasticdump"}, options...), " ")
	return program{name, "/_search/scroll", func(ctx context.Context, _ int, index, to string) (int, error) {
		_, err := b.elasticdump(ctx, index, to, options...)
		return exitStatus(err)
	}}
}

// tryAll prints how programs do in what is hard.
func (b *bench) tryAll(ctx context.Context, n int, elasticdump bool) error {
	index, err := b.oddIndex(ctx)
	if err != nil {
		return err
	}
	var programs []program
	for _, way := range ways {
		programs = append(programs, b.sluiceBy(way))
	}
	if elasticdump {
		programs = append(programs, b.elasticdumpWith(), b.elasticdumpWith("--support-big-int=true"))
	}
	fmt.Printf(tryHead, len(odd), n)
	for _, p := range programs {
		t, err := b.try(ctx, p, index, n)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Printf(tryLine, p.name, t.odd.Documents, t.odd.Altered, t.odd.Values, t.status, t.lost.Documents, n-t.lost.Documents)
	}
	return nil
}

const (
	tryHead = `
                                     | of %d odd documents       | a page of %d documents answers 504
                                     | written altered  values   | exit status    written  missing
`
	tryLine = "%-36s | %7d %7d %7d   | %11d %10d %8d\n"
)

// trial is how a program did in what is hard.
type trial struct {
	odd    compared // with the odd documents
	status int      // when one page was lost
	lost   compared // likewise
}

// try tries a program with the odd documents, and with n others.
func (b *bench) try(ctx context.Context, p program, index string, n int) (t trial, err error) {
	odds, lost := b.path("odd.files"), b.path("lost.files")
	defer func() { err = errors.Join(err, os.RemoveAll(odds), os.RemoveAll(lost)) }()
	if _, err := p.dump(ctx, len(odd), index, odds); err != nil {
		return t, err
	}
	t.odd, err = compareFiles(odds, func(id string) ([]byte, bool) {
		source, ok := odd[id]
		return []byte(source), ok
	})
	if err != nil {
		return t, err
	}
	err = b.losing(p.lost, func() error {
		t.status, err = p.dump(ctx, n, b.source(n), lost)
		return err
	})
	if err == nil {
		t.lost, err = b.compared(ctx, n, lost)
	}
	return t, err
}

// lostPage is the number of the page whose reply is lost, from 1.
const lostPage = 3

// losing calls f while what stands in front of the cluster answers 504 to one
// page, after the cluster has sent it: as a load balancer does that has waited
// for too long.
func (b *bench) losing(path string, f func() error) error {
	target, err := url.Parse(b.Search)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // clients may go away
	h := &loser{path: path, cluster: proxy}
	server := &http.Server{Handler: h}
	var g errgroup.Group
	g.Go(func() error { return server.Serve(l) })
	b.Search = "http://" + l.Addr().String()
	err = f()
	b.Search = target.String()
	server.Close()
	g.Wait() // it says that the server was closed
	if err == nil && h.pages.Load() < lostPage {
		err = errors.New("there were too few pages to lose one")
	}
	return err
}

type loser struct {
	path    string
	cluster http.Handler
	pages   atomic.Int64
}

// ServeHTTP implements http.Handler.
func (l *loser) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	page := strings.HasSuffix(r.URL.Path, l.path) && r.Method == http.MethodPost && len(body) > 0 && !bytes.Contains(body, []byte(`"size":0,`))
	if !page || l.pages.Add(1) != lostPage {
		l.cluster.ServeHTTP(w, r)
		return
	}
	l.cluster.ServeHTTP(nowhere{}, r)
	w.WriteHeader(http.StatusGatewayTimeout)
}

// nowhere takes a reply that nobody gets.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) WriteHeader(int)             {}
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
