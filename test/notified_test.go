package test

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"syscall"
	"testing"
	"time"

	"sluice/internal/notify/notifytest"
)

// TestAThousandNotificationsLoadEachObjectOnce sends messages about a thousand
// objects, some of them again and in any order, and kills Sluice with -9 while
// they come.
func TestAThousandNotificationsLoadEachObjectOnce(t *testing.T) {
	long(t)
	const n, kills = 1000, 4
	c, b, q := openSearch(t), newBucket(t), notifytest.New(t)
	index := unique(t)
	c.index(t, index, 1, "")
	queue := fmt.Sprintf("notifications: {sqs: {url: %q, region: us-east-1, visibility: 30s}}", q.URL)
	j := newJob(t, pipelines(load("load", b.stage(b.store.Endpoint, queue), searchStage(c.url, index), "mode: new", "every: 10ms", "lanes: 2")))
	j.want(t, 0, "load", "--once") // lists the bucket while nothing is in it: notifications tell the rest
	var messages []string
	for i := range n {
		key := fmt.Sprintf("in/%04d é+ .json", i)
		b.put(t, key, fmt.Appendf(nil, "{\"_index\":%q,\"_id\":\"%d\",\"_source\":{\"n\":%d}}\n", index, i, i))
		m := notifytest.Created(b.name, url.QueryEscape(key))
		messages = append(messages, m)
		if i%5 == 0 {
			messages = append(messages, m)
		}
	}
	rand.Shuffle(len(messages), func(a, b int) { messages[a], messages[b] = messages[b], messages[a] })
	p := j.start(t, "run", "load")
	for k := range kills {
		q.Send(messages[k*len(messages)/kills : (k+1)*len(messages)/kills]...)
		time.Sleep(time.Duration(300+rand.IntN(700)) * time.Millisecond)
		p.cmd.Process.Signal(syscall.SIGKILL)
		p.wait(t)
		p = j.start(t, "run", "load")
	}
	for begin := time.Now(); c.count(t, index) < n || q.Left() > 0; time.Sleep(200 * time.Millisecond) {
		if time.Since(begin) > 2*time.Minute {
			t.Fatalf("after 2 minutes there are %d documents, and %d messages are left", c.count(t, index), q.Left())
		}
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	if o := p.wait(t); o.Status != 0 {
		t.Fatalf("exit status %d\n%s", o.Status, o.Stderr)
	}
	want := documents{}
	for i := range n {
		if err := want.add(document{Index: index, ID: fmt.Sprint(i), Source: fmt.Appendf(nil, `{"n":%d}`, i)}); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "index", c.documents(t, index), want)
}
