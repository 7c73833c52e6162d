package s3_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/internal/kind"
	"sluice/internal/notify"
	"sluice/internal/notify/notifytest"
	"sluice/internal/objects/objectstest"
	"sluice/internal/unit"
	"sluice/sources/s3"
	"sluice/test/faultproxy"
)

// told is a pipeline that is told what is new by a queue.
func told(t *testing.T, b *objectstest.Bucket, endpoint string) (*daily, *notifytest.Queue) {
	t.Helper()
	q := notifytest.New(t)
	c := s3.Config{Config: b.Config(endpoint), Notifications: &s3.Notifications{
		SQS:       &notify.QueueConfig{URL: q.URL, Region: "us-east-1", Visibility: unit.Duration(30 * time.Second), MaxReceives: 3},
		ListEvery: unit.Duration(time.Hour),
	}}
	d := newDaily(c)
	d.env.Every = true
	return d, q
}

func TestANotificationNamesWhatMayBeNew(t *testing.T) {
	b := objectstest.New(t)
	b.Put("old", []byte("1"))
	lists := &faultproxy.Rule{Method: "GET", Query: "list-type", Times: -1}
	proxy := faultproxy.New(t, b.Store.Endpoint)
	proxy.Add(lists)
	d, q := told(t, b, proxy.URL)
	d.pass(t, "old=1") // lists the bucket
	before := lists.Hits()
	for _, k := range []string{"a b+c", "é/x%2F", "unsaid"} {
		b.Put(k, []byte("1"))
	}
	q.Send(notifytest.Created(b.Name, "a+b%2Bc"), notifytest.Created(b.Name, "%C3%A9%2Fx%252F"), notifytest.Created(b.Name, "old"),
		notifytest.Created(b.Name, "a+b%2Bc"), notifytest.Created(b.Name, "never"), `{"Event":"s3:TestEvent"}`)
	d.pass(t, "a b+c=1", "é/x%2F=1")
	if n := lists.Hits() - before; n > 1 { // one may look whether the bucket is there
		t.Errorf("the bucket was listed %d times in a pass that looks at what was named", n)
	}
	if n := q.Left(); n != 0 {
		t.Errorf("%d messages are left, want none", n)
	}
	q.Send(notifytest.Created(b.Name, "a+b%2Bc")) // again, late
	d.pass(t)
	d.config.Notifications.ListEvery = unit.Duration(time.Nanosecond)
	d.pass(t, "unsaid=1")
	want := []string{"a b+c", "old", "unsaid", "é/x%2F"}
	if got := slices.Sorted(maps.Keys(d.known())); !slices.Equal(got, want) {
		t.Errorf("remembered are %q, want %q", got, want)
	}
}

// TestAMessageIsDeletedWhenWhatItNamesIsSaved fails while an object is read.
func TestAMessageIsDeletedWhenWhatItNamesIsSaved(t *testing.T) {
	b := objectstest.New(t)
	proxy := faultproxy.New(t, b.Store.Endpoint)
	d, q := told(t, b, proxy.URL)
	d.pass(t)
	b.Put("a", []byte("1"))
	b.Put("b", []byte("1"))
	q.Send(notifytest.Created(b.Name, "a"), notifytest.Created(b.Name, "b"))
	proxy.Add(&faultproxy.Rule{Match: func(r *http.Request) bool { return r.Method == "GET" && strings.HasSuffix(r.URL.Path, "/b") },
		Status: 403, Body: "<Error><Code>AccessDenied</Code></Error>"})
	if res, err := d.run(t); err == nil || res.Complete {
		t.Fatalf("complete %v, %v, want an error", res.Complete, err)
	}
	if n := q.Left(); n < 1 || n > 2 {
		t.Errorf("%d messages are left, want that of b, or both", n)
	}
	d.run(t) // the interrupted pass goes on with its own hints
	if got := len(d.known()); got != 2 {
		t.Errorf("%d objects are known, want both", got)
	}
}

// TestACrashLosesNoHint crashes at every operation on the state.
func TestACrashLosesNoHint(t *testing.T) {
	try := func(at int) int {
		b := objectstest.New(t)
		d, q := told(t, b, "")
		d.config.Notifications.ListEvery = unit.Duration(3 * time.Second) // a pass waits no longer
		d.pass(t)
		for _, k := range []string{"a", "b", "c"} {
			b.Put(k, []byte("1"))
			q.Send(notifytest.Created(b.Name, k))
		}
		begin := d.world.Ops()
		if at > 0 {
			d.world.At = begin + at
		}
		all := map[string]bool{}
		for complete := false; !complete; d.world.Restart() {
			res, err := d.run(t)
			if (err == nil) != res.Complete {
				t.Fatalf("crash at %d: complete %v, %v", at, res.Complete, err)
			}
			for _, s := range d.taken {
				all[s] = true
			}
			complete = res.Complete
			if err != nil && d.rows("source.hints") == 0 && len(d.known()) == 0 {
				return 0 // the hints were not noted yet: the messages come again, later
			}
		}
		if len(all) != 3 {
			t.Errorf("crash at %d: %v was delivered, want all three", at, all)
		}
		return d.world.Ops() - begin
	}
	for at := range try(0) {
		try(at + 1)
	}
}

// TestWhatIsPoisonIsDropped sends what nobody understands, again and again.
func TestWhatIsPoisonIsDropped(t *testing.T) {
	b := objectstest.New(t)
	d, q := told(t, b, "")
	d.config.Notifications.SQS.Visibility = unit.Duration(time.Second)
	d.pass(t)
	q.Send("no JSON", notifytest.Created("another", "k"))
	for range 8 {
		if q.Left() == 0 {
			return
		}
		d.run(t)
	}
	t.Errorf("%d messages are left after 8 passes, want none", q.Left())
}

func TestAStorePostsWhatIsNew(t *testing.T) {
	b := objectstest.New(t)
	b.Put("old", []byte("1"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	d := newDaily(s3.Config{Config: b.Config(""), Notifications: &s3.Notifications{
		Webhook: &notify.Webhook{Listen: address, Path: "/"}, ListEvery: unit.Duration(time.Hour),
	}})
	d.env.Every = true
	src, err := d.config.Build(d.env)
	if err != nil {
		t.Fatal(err)
	}
	d.source = src
	serve, err := src.(*s3.Source).Listen(t.Context(), d.store)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error { return serve(ctx) })
	defer func() {
		stop()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	}()
	d.pass(t, "old=1")
	post := func(body string) int {
		req, err := http.NewRequestWithContext(ctx, "POST", "http://"+address+"/", bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Close = true
		reply, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		reply.Body.Close()
		return reply.StatusCode
	}
	for i := range 3 {
		key := fmt.Sprintf("new %d", i)
		b.Put(key, []byte("1"))
		if status := post(notifytest.Created(b.Name, key)); status != 200 {
			t.Fatalf("%s: answered %d", key, status)
		}
	}
	d.pass(t, "new 0=1", "new 1=1", "new 2=1")
	if n := d.rows("source.inbox"); n != 0 {
		t.Errorf("%d rows are in the inbox, want none", n)
	}
	g.Go(func() error { // while a pass waits
		time.Sleep(50 * time.Millisecond)
		b.Put("late", []byte("1"))
		post(notifytest.Created(b.Name, "late"))
		return nil
	})
	began := time.Now()
	d.pass(t, "late=1")
	if waited := time.Since(began); waited > 10*time.Second {
		t.Errorf("the pass noticed after %s", waited)
	}
	if status := post("nonsense"); status != 400 {
		t.Errorf("nonsense was answered with %d, want 400", status)
	}
}

func TestImpossibleNotificationsAreRefused(t *testing.T) {
	both := &s3.Notifications{SQS: &notify.QueueConfig{URL: "https://sqs.eu-west-1.amazonaws.com/1/q"}, Webhook: &notify.Webhook{Listen: "127.0.0.1:1", Path: "/"}}
	one := &s3.Notifications{Webhook: both.Webhook}
	for _, tc := range []struct {
		n   *s3.Notifications
		env kind.Env
		bad bool
	}{
		{both, kind.Env{New: true, Every: true}, true}, {&s3.Notifications{}, kind.Env{New: true, Every: true}, true},
		{one, kind.Env{Every: true}, true}, {one, kind.Env{New: true}, true}, {one, kind.Env{New: true, Every: true}, false},
	} {
		c := s3.Config{Notifications: tc.n}
		c.Bucket = "b"
		if got := c.Problems(tc.env); (len(got) > 0) != tc.bad {
			t.Errorf("%+v, %+v: got %v", tc.n, tc.env, got)
		}
	}
}
