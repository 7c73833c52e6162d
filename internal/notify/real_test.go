package notify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"golang.org/x/sync/errgroup"

	"sluice/internal/awscreds"
	"sluice/internal/awscreds/awstest"
	"sluice/internal/notify"
	"sluice/internal/notify/notifytest"
	"sluice/internal/objects"
	"sluice/internal/unit"
	"sluice/test/servers"
)

// realQueue is a new queue of a real server, and how to send to it.
func realQueue(t *testing.T, visibility time.Duration) (r *notify.Queue, send func(bodies ...string)) {
	t.Helper()
	q := notifytest.New(t)
	c := notify.QueueConfig{URL: q.URL, Region: "us-east-1", Visibility: unit.Duration(visibility), MaxReceives: 2}
	r, err := c.Open(t.Context(), awscreds.Config{AccessKey: "test", SecretKey: "testsecret"}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r, q.Send
}

func TestARealQueue(t *testing.T) {
	t.Parallel()
	r, send := realQueue(t, 2*time.Second)
	send(numbered(25)...)
	var got []notify.Message
	for len(got) < 25 {
		list := must[[]notify.Message](t)(r.Receive(t.Context(), 100, 5*time.Second))
		if len(list) == 0 {
			t.Fatalf("got %d messages, want 25", len(got))
		}
		got = append(got, list...)
	}
	want := strings.Join(slices.Sorted(slices.Values(numbered(25))), " ")
	slices.SortFunc(got, func(a, b notify.Message) int { return bytes.Compare(a.Body, b.Body) })
	if bodies(got) != want {
		t.Fatalf("got %q, want %s", bodies(got), want)
	}
	if lost, err := r.Extend(t.Context(), append(receipts(got), "nonsense")); !slices.Equal(lost, []string{"nonsense"}) || err != nil {
		t.Errorf("got %v, %v, want the receipt lost that is none", lost, err)
	}
	if err := r.Delete(t.Context(), receipts(got[:24])); err != nil {
		t.Error(err)
	}
	if err := r.Delete(t.Context(), receipts(got[:24])); err != nil {
		t.Errorf("got %v, want no error of what is deleted", err)
	}
	for n := 2; n <= 3; n++ { // when its time is over
		again := must[[]notify.Message](t)(r.Receive(t.Context(), 10, 20*time.Second))
		if len(again) != 1 || string(again[0].Body) != string(got[24].Body) || again[0].Receives != n || again[0].Poison != (n > 2) {
			t.Fatalf("got %+v, want the last one for the %d. time", again, n)
		}
	}
	if lost, err := r.Extend(t.Context(), receipts(got[24:])); len(lost) != 1 || err != nil {
		t.Errorf("got %v, %v, want the receipt of the first time lost", lost, err)
	}
}

func TestARealQueueKeepsWhatIsKept(t *testing.T) {
	t.Parallel()
	r, send := realQueue(t, 3*time.Second)
	send("long")
	ours := receipts(must[[]notify.Message](t)(r.Receive(t.Context(), 1, 5*time.Second)))
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error { return r.Keep(ctx, func() []string { return ours }) })
	if got := must[[]notify.Message](t)(r.Receive(t.Context(), 1, 5*time.Second)); len(got) != 0 {
		t.Errorf("got %q, want it kept beyond its three seconds", bodies(got))
	}
	cancel()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	if got := must[[]notify.Message](t)(r.Receive(t.Context(), 1, 10*time.Second)); bodies(got) != "long" {
		t.Errorf("got %q, want it again", bodies(got))
	}
}

func TestARealQueueWakesWhoWaits(t *testing.T) {
	t.Parallel()
	r, send := realQueue(t, 30*time.Second)
	var g errgroup.Group
	begun := time.Now()
	g.Go(func() error {
		got, err := r.Receive(t.Context(), 1, 20*time.Second)
		if d := time.Since(begun); err == nil && (bodies(got) != "news" || d > 10*time.Second) {
			return fmt.Errorf("got %q after %s, want it when it comes", bodies(got), d)
		}
		return err
	})
	send("news")
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// heard is what came in.
type heard struct {
	fails int // so often, nothing is taken
	mu    sync.Mutex
	list  []notify.Event
	more  chan struct{}
}

func (h *heard) take(_ context.Context, list []notify.Event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fails--; h.fails >= 0 {
		return errors.New("the disk is full")
	}
	h.list = append(h.list, list...)
	h.more <- struct{}{}
	return nil
}

// find waits for an event for which key is the likeliest.
func (h *heard) find(t *testing.T, key string, removed bool) notify.Event {
	t.Helper()
	for end := time.After(20 * time.Second); ; {
		h.mu.Lock()
		i := slices.IndexFunc(h.list, func(e notify.Event) bool { return e.Keys()[0] == key && e.Removed == removed })
		if i >= 0 {
			defer h.mu.Unlock()
			return h.list[i]
		}
		h.mu.Unlock()
		select {
		case <-h.more:
		case <-end:
			t.Fatalf("got %+v, want an event of %s, removed %t", h.list, key, removed)
		}
	}
}

func TestRealStoresCallTheWebhook(t *testing.T) {
	if os.Getenv("SLUICE_REQUIRE_SERVERS") == "" {
		t.Skip("stores are started where servers are required: set SLUICE_REQUIRE_SERVERS")
	}
	for _, name := range []string{"versitygw", "minio"} {
		t.Run(name, func(t *testing.T) {
			hook := &notify.Webhook{Listen: "127.0.0.1:0", Path: "/"}
			if name == "minio" {
				hook.Token = "hook" + secret
			}
			h, addr, stop := serve(t, hook)
			defer stop()
			if name == "minio" { // it keeps what was not taken
				h.fails = 1
			}
			for key, value := range map[string]string{
				"VGW_EVENT_WEBHOOK_URL":          "http://" + addr + "/",
				"MINIO_NOTIFY_WEBHOOK_ENABLE_T1": "on", "MINIO_NOTIFY_WEBHOOK_ENDPOINT_T1": "http://" + addr, "MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_T1": hook.Token.Reveal(),
				"MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_T1": t.TempDir(),
			} {
				t.Setenv(key, value)
			}
			products, err := servers.FindProducts(name)
			if err != nil {
				t.Fatal(err)
			}
			store, err := servers.StartStore(t.Context(), products[0], t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer store.Kill()
			tellsOfObjects(t, h, store.URL)
		})
	}
}

func tellsOfObjects(t *testing.T, h *heard, endpoint string) {
	c := objects.Config{Bucket: "news", Endpoint: endpoint, Region: "us-east-1", Config: awscreds.Config{AccessKey: "test", SecretKey: "testsecret"}, Retry: unit.Duration(20 * time.Second)}
	client, err := c.Client(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	signed(t, c, http.MethodPut, "", "")
	if strings.Contains(t.Name(), "minio") {
		signed(t, c, http.MethodPut, "?notification", `<NotificationConfiguration><QueueConfiguration><Queue>arn:minio:sqs:us-east-1:T1:webhook</Queue><Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event><Event>s3:ObjectAccessed:*</Event></QueueConfiguration></NotificationConfiguration>`)
	}
	for _, key := range []string{"plain", "a b+c/é%25.txt"} {
		if err := client.Put(t.Context(), objects.New{Key: key}, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		info, err := client.Head(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		e := h.find(t, key, false)
		if e.Bucket != "news" || e.Size != 5 || e.ETag != strings.Trim(info.ETag, `"`) || e.Sequencer == "" {
			t.Errorf("got %+v, want the object %+v", e, info)
		}
		if err := client.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		h.find(t, key, true)
	}
}

// serve runs a webhook for a test.
func serve(t *testing.T, hook *notify.Webhook) (h *heard, addr string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l, err := hook.Bind(ctx)
	if err != nil {
		t.Fatal(err)
	}
	h = &heard{more: make(chan struct{}, 1000)}
	var g errgroup.Group
	g.Go(func() error { return hook.Serve(ctx, l, h.take) })
	stop = func() error { cancel(); return g.Wait() }
	return h, l.Addr().(*net.TCPAddr).String(), stop
}

// signed asks for something of a bucket that a client has no method for.
func signed(t *testing.T, c objects.Config, method, query, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.Endpoint+"/"+c.Bucket+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	hash := awstest.SHA(body)
	req.Header.Set("X-Amz-Content-Sha256", hash)
	keys := aws.Credentials{AccessKeyID: "test", SecretAccessKey: "testsecret"}
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, req, hash, "s3", c.Region, time.Now()); err != nil {
		t.Fatal(err)
	}
	req.Close = true
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if text, err := io.ReadAll(reply.Body); err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: got %s %s, %v", method, query, reply.Status, text, err)
	}
}
