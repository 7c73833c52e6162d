package notify_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/internal/notify"
)

// call asks a handler.
func call(h http.Handler, method, path, authorization, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const created = `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"k"}}}]}`

func TestTheWebhookAnswersWhatItsCallersExpect(t *testing.T) {
	var taken []notify.Event
	full := false
	take := func(_ context.Context, list []notify.Event) error {
		if full {
			return errors.New("the disk is full of " + secret)
		}
		taken = append(taken, list...)
		return nil
	}
	h := (&notify.Webhook{Path: "/hook", Token: "T"}).Handler(take)
	for _, test := range []struct {
		method, path, authorization, body string
		full                              bool
		status, taken                     int
	}{
		{"POST", "/hook", "Bearer T", created, false, 200, 1},
		{"POST", "/hook", "bearer  T", created, false, 200, 1},
		{"POST", "/hook", "T", created, false, 200, 1},
		{"POST", "/hook?x=1", "T", created, false, 200, 1},
		{"POST", "/hook", "", created, false, 401, 0},
		{"POST", "/hook", "Bearer TT", created, false, 401, 0},
		{"POST", "/hook", "Bearer ", created, false, 401, 0},
		{"POST", "/hook", "Basic T", created, false, 401, 0},
		{"POST", "/hook", "T", created, true, 503, 0},
		{"POST", "/hook", "T", `{"Event":"s3:TestEvent"}`, true, 200, 0},
		{"POST", "/hook", "T", "hello", false, 400, 0},
		{"POST", "/hook", "T", created + strings.Repeat(" ", 1<<20), false, 413, 0},
		{"POST", "/hook", "T", created + strings.Repeat(" ", 1<<20-len(created)), false, 200, 1},
		{"POST", "/other", "T", created, false, 404, 0},
		{"PUT", "/hook", "T", created, false, 405, 0},
		{"GET", "/hook", "", "", false, 200, 0},
		{"HEAD", "/hook", "", "", false, 200, 0},
	} {
		taken, full = nil, test.full
		w := call(h, test.method, test.path, test.authorization, test.body)
		if w.Code != test.status || len(taken) != test.taken || strings.Contains(w.Body.String(), secret) {
			t.Errorf("%s %s %q %.20s: got %d %s with %d taken, want %d with %d", test.method, test.path, test.authorization, test.body, w.Code, w.Body, len(taken), test.status, test.taken)
		}
		if test.status == 503 && w.Header().Get("Retry-After") == "" {
			t.Error("got no Retry-After, want to be called again")
		}
	}
}

func TestWithoutATokenAnybodyIsKnown(t *testing.T) {
	n := 0
	h := (&notify.Webhook{Path: "/"}).Handler(func(context.Context, []notify.Event) error { n++; return nil })
	for _, authorization := range []string{"", "Bearer x"} {
		if w := call(h, "POST", "/", authorization, created); w.Code != 200 {
			t.Errorf("got %d, want 200", w.Code)
		}
	}
	if n != 2 {
		t.Errorf("got %d, want both taken", n)
	}
}

func TestABodyThatIsCutIsNotTaken(t *testing.T) {
	h := (&notify.Webhook{Path: "/"}).Handler(func(context.Context, []notify.Event) error {
		t.Error("it was taken")
		return nil
	})
	r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(created), errorReader{}))
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 408 {
		t.Errorf("got %d, want the caller to come again", w.Code)
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestOnlySomeBodiesAreInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inside, most atomic.Int32
		h := (&notify.Webhook{Path: "/"}).Handler(func(context.Context, []notify.Event) error {
			if n := inside.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			inside.Add(-1)
			return nil
		})
		var g errgroup.Group
		for range 50 {
			g.Go(func() error {
				if w := call(h, "POST", "/", "", created); w.Code != 200 {
					return fmt.Errorf("got %d, want 200", w.Code)
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil || most.Load() != 16 {
			t.Errorf("got %v with %d at once, want 16", err, most.Load())
		}
	})
}

func TestOptionsOfTheWebhook(t *testing.T) {
	for name, test := range map[string]struct {
		hook     notify.Webhook
		problem  string
		warnings int
	}{
		"loopback":     {notify.Webhook{Listen: "127.0.0.1:1", Path: "/"}, "", 0},
		"loopback six": {notify.Webhook{Listen: "[::1]:1", Path: "/"}, "", 0},
		"localhost":    {notify.Webhook{Listen: "localhost:1", Path: "/"}, "", 0},
		"everywhere":   {notify.Webhook{Listen: ":1", Path: "/"}, "token", 1},
		"address":      {notify.Webhook{Listen: "10.0.0.1:1", Path: "/"}, "token", 1},
		"insecure":     {notify.Webhook{Listen: ":1", Path: "/", Insecure: true}, "", 1},
		"token":        {notify.Webhook{Listen: ":1", Path: "/", Token: "T"}, "", 1},
		"no port":      {notify.Webhook{Listen: "127.0.0.1", Path: "/", Token: "T"}, "listen", 1},
		"path":         {notify.Webhook{Listen: "127.0.0.1:1", Path: "hook"}, "path", 0},
	} {
		got := test.hook.Problems()
		if len(got) > 1 || (len(got) == 1) != (test.problem != "") || len(got) == 1 && got[0].Option != test.problem {
			t.Errorf("%s: got %v, want one of %q", name, got, test.problem)
		}
		if got := test.hook.Warnings(); len(got) != test.warnings {
			t.Errorf("%s: got %q, want %d", name, got, test.warnings)
		}
	}
	half := notify.Webhook{Listen: "127.0.0.1:1", Path: "/"}
	half.TLS.Cert = "x"
	if got := half.Problems(); len(got) != 1 || got[0].Option != "tls" {
		t.Errorf("got %v, want the missing key", got)
	}
}

// certificate makes one for 127.0.0.1, and who trusts it.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := errors.Join(os.WriteFile(cert, chain, 0o600), os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(chain)
	return cert, key, pool
}

func TestTheWebhookSpeaksHTTPS(t *testing.T) {
	hook := &notify.Webhook{Listen: "127.0.0.1:0", Path: "/"}
	cert, key, pool := certificate(t)
	hook.TLS.Cert, hook.TLS.Key = cert, key
	h, addr, stop := serve(t, hook)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	reply, err := client.Post("https://"+addr+"/", "application/json", strings.NewReader(created))
	if err != nil || reply.StatusCode != 200 || len(h.list) != 1 {
		t.Errorf("got %v, %v with %v, want it taken", reply, err, h.list)
	}
	if err == nil {
		reply.Body.Close()
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	hook.TLS.Cert = "/none"
	if _, err := hook.Bind(t.Context()); err == nil || !strings.Contains(err.Error(), "webhook: open /none") {
		t.Errorf("got %v, want the file named", err)
	}
}

// pipes is a listener without a network, whose connections keep the time of the
// test.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return new(net.TCPAddr) }

// dial connects to it.
func (p *pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// ended runs a webhook in a bubble of time, sends it a call, and ends it after a
// second. It returns when it ended, and the answer.
func ended(t *testing.T, body string, take notify.Taker) (after time.Duration, answer string) {
	t.Helper()
	p := &pipes{make(chan net.Conn), make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return (&notify.Webhook{Path: "/"}).Serve(ctx, p, take) })
	c := p.dial()
	defer c.Close()
	g.Go(func() error {
		text, _ := io.ReadAll(c)
		answer = string(text)
		return nil
	})
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(created), body)
	time.Sleep(time.Second)
	begun := time.Now()
	cancel()
	if err := g.Wait(); err != nil {
		t.Errorf("got %v, want no error at the end", err)
	}
	return time.Since(begun), answer
}

func TestTheEndWaitsForWhatHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		after, answer := ended(t, created, func(ctx context.Context, _ []notify.Event) error {
			time.Sleep(3 * time.Second)
			return ctx.Err()
		})
		if after < 2*time.Second || after > 3*time.Second || !strings.HasPrefix(answer, "HTTP/1.1 200") {
			t.Errorf("got the end after %s and %q, want it after two seconds, and answered", after, answer)
		}
	})
}

func TestTheEndDoesNotWaitForCallersThatAreSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		after, answer := ended(t, created[:5], func(context.Context, []notify.Event) error { t.Error("it was taken"); return nil })
		if after != 3*time.Second || strings.HasPrefix(answer, "HTTP/1.1 200") {
			t.Errorf("got the end after %s and %q, want it after three seconds", after, answer)
		}
	})
}

func TestNothingIsTakenAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		taking := false
		after, _ := ended(t, created, func(ctx context.Context, _ []notify.Event) error {
			taking = true
			<-ctx.Done()
			time.Sleep(time.Second)
			taking = false
			return ctx.Err()
		})
		if after != 4*time.Second || taking {
			t.Errorf("got the end after %s, taking %t, want it after what was begun", after, taking)
		}
	})
}

func TestAnAddressThatIsTakenIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := (&notify.Webhook{Listen: l.Addr().String(), Path: "/"}).Bind(t.Context()); err == nil || !strings.Contains(err.Error(), "webhook: listen tcp "+l.Addr().String()) {
		t.Errorf("got %v, want the address", err)
	}
}
