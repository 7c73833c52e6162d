package notify_test

import (
	"bufio"
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
		inside, most := 0, 0
		h := (&notify.Webhook{Path: "/"}).Handler(func(context.Context, []notify.Event) error {
			inside++
			most = max(most, inside)
			time.Sleep(time.Second)
			inside--
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
		if err := g.Wait(); err != nil || most != 16 {
			t.Errorf("got %v with %d at once, want 16", err, most)
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

// What has begun is taken before Serve returns, or its context ends; nothing is
// taken after that.
func TestTheEndWaitsForWhatHasBegun(t *testing.T) {
	hook := &notify.Webhook{Listen: "127.0.0.1:0", Path: "/"}
	begun, done := make(chan struct{}), make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	l, err := hook.Bind(ctx)
	if err != nil {
		t.Fatal(err)
	}
	over := false
	var g, calls errgroup.Group
	g.Go(func() error {
		defer func() { over = true }()
		return hook.Serve(ctx, l, func(ctx context.Context, _ []notify.Event) error {
			close(begun)
			<-done
			if over {
				return errors.New("Serve has returned")
			}
			return ctx.Err()
		})
	})
	calls.Go(func() error {
		reply, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Post("http://"+l.Addr().String(), "", strings.NewReader(created))
		if err != nil {
			return err
		}
		defer reply.Body.Close()
		if reply.StatusCode != 200 {
			return fmt.Errorf("got %s, want it taken", reply.Status)
		}
		return nil
	})
	<-begun
	cancel()
	close(done)
	if err := errors.Join(calls.Wait(), g.Wait()); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("got a connection, want nobody to listen")
	}
}

func TestTheEndDoesNotWaitForCallersThatAreSilent(t *testing.T) {
	t.Parallel()
	hook := &notify.Webhook{Listen: "127.0.0.1:0", Path: "/"}
	_, addr, stop := serve(t, hook)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
	answers := bufio.NewReader(c)
	if line, err := answers.ReadString('\n'); !strings.Contains(line, "100 Continue") { // the handler reads the body
		t.Fatalf("got %q, %v, want to be asked for it", line, err)
	}
	answers.ReadString('\n')
	begun := time.Now()
	if err := stop(); err != nil || time.Since(begun) > 6*time.Second {
		t.Errorf("got %v after %s, want the end after a few seconds", err, time.Since(begun))
	}
	if text, err := io.ReadAll(answers); strings.Contains(string(text), "200") {
		t.Errorf("got %q, %v, want no word that it was taken", text, err)
	}
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
