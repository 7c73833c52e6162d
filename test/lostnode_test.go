package test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/test/faultproxy"
	"sluice/test/servers"
)

// loss is an index on a cluster of three nodes that is read while one of them
// is lost, the one that manages the cluster.
type loss struct {
	*nodes
	index string
	shard []documents // what is in each

	// of one read
	victim int
	lost   []int // shards that have a copy on the victim
	left   cluster
	killed *faultproxy.Rule
	bucket *bucket
	job    *job
}

// newLoss makes the cluster and the index.
func newLoss(t *testing.T, replicas int) *loss {
	t.Helper()
	l := &loss{nodes: startNodes(t, servers.Engines()[0]), index: unique(t), shard: make([]documents, 6)}
	c := cluster{l.servers[0].URL}
	c.call(t, http.MethodPut, "/"+l.index, fmt.Sprintf(
		`{"settings":{"number_of_shards":%d,"number_of_replicas":%d},"mappings":{"dynamic":false}}`, len(l.shard), replicas))
	c.call(t, http.MethodGet, "/_cluster/health/"+l.index+"?wait_for_status=green&timeout=60s", "")
	c.put(t, l.index, generated(18_000, 700))
	for i := range l.shard {
		l.shard[i] = c.documents(t, l.index, fmt.Sprintf("preference=_shards:%d", i))
	}
	return l
}

// begin makes a job that reads all shards side by side in pages of 64 KiB, the
// sixtieth of which is the last thing that the victim may be asked for.
func (l *loss) begin(t *testing.T, options ...string) {
	t.Helper()
	victim, other := l.manager(t)
	l.victim, l.left, l.bucket = victim, cluster{l.servers[other].URL}, newBucket(t)
	l.lost = l.left.on(t, l.index, victim)
	l.killed = &faultproxy.Rule{Match: anyPage, Skip: 60, Do: l.servers[victim].Kill}
	l.rules(l.killed, &faultproxy.Rule{Match: anyPage, Times: -1, Delay: 20 * time.Millisecond})
	l.job = newJob(t, "memory: 200MiB\n"+pipelines(dump("dump", l.stage(l.index, append([]string{"page: 64KiB"}, options...)...),
		l.bucket.stage(l.bucket.store.Endpoint, `key: "{lane}/{sequence}.gz"`), fmt.Sprint("lanes: ", len(l.shard)))))
}

// anyPage matches the requests for pages, whatever the way of reading.
func anyPage(req *http.Request) bool {
	return strings.HasSuffix(req.URL.Path, "/_search") || req.URL.Path == "/_search/scroll"
}

// run runs the job while the node is lost.
func (l *loss) run(t *testing.T) outcome {
	t.Helper()
	o := l.job.run(t, "dump")
	if l.killed.Hits() == 0 {
		t.Fatalf("it ended before a node was lost: exit status %d\n%s", o.Status, o.Stderr)
	}
	return o
}

// restore brings the node back.
func (l *loss) restore(t *testing.T) {
	t.Helper()
	ctx, cancel := within(3 * time.Minute)
	defer cancel()
	l.rules()
	if err := l.servers[l.victim].Start(ctx); err != nil {
		t.Fatal(err)
	}
}

// delivered is what has arrived of a shard.
func (l *loss) delivered(t *testing.T, shard int) documents {
	t.Helper()
	return parse(t, l.bucket.lines(t, fmt.Sprintf("%s-%d/", l.index, shard)))
}

// exact fails unless all has arrived.
func (l *loss) exact(t *testing.T) {
	t.Helper()
	for i, want := range l.shard {
		same(t, fmt.Sprint("shard ", i), l.delivered(t, i), want)
	}
}

// waysOfLoss are the ways in which shards are read that are lost with a node.
type waysOfLoss []struct {
	read string
	// again says that a page which did not arrive ends its lane, because a
	// scroll never gives it again: the next run begins the shard anew.
	again bool
	// others says that shards fail with those that are lost: their pages were
	// asked for at the node, come from a point in time of all shards, or end with
	// a refresh, which is one of all shards.
	others bool
}

func ways() waysOfLoss {
	return waysOfLoss{{read: "pit"}, {read: "shared", others: true}, {read: "scroll", again: true, others: true}, {read: "sequence", others: true}}
}

// TestALostNodeIsSurvivedWithReplicas: the other copies give what it gave.
func TestALostNodeIsSurvivedWithReplicas(t *testing.T) {
	long(t)
	l := newLoss(t, 1)
	for _, way := range ways() {
		t.Run(way.read, func(t *testing.T) {
			l.begin(t, "read: "+way.read, "retry: 1m")
			o := l.run(t)
			defer l.restore(t)
			switch {
			case o.Status == 0 && len(o.Reports["dump"].Retries) > 0:
			case o.Status == 1 && way.again:
				l.job.want(t, 0, "dump")
			default:
				t.Fatalf("exit status %d, %+v, want 0 after something was tried again\n%s", o.Status, o.Reports, o.Stderr)
			}
			l.exact(t)
		})
	}
}

// TestALostNodeIsReportedWithoutReplicas: the run names every shard that was
// lost with it, and delivers all others; the next one, with the node, delivers
// the rest.
func TestALostNodeIsReportedWithoutReplicas(t *testing.T) {
	long(t)
	l := newLoss(t, 0)
	for _, way := range ways() {
		t.Run(way.read, func(t *testing.T) {
			l.begin(t, "read: "+way.read, "retry: 6s")
			o := l.run(t)
			l.restore(t)
			r := o.Reports["dump"]
			if o.Status != 1 || r.Outcome != "failed" || len(l.lost) == 0 {
				t.Fatalf("exit status %d without shards %v, %+v\n%s", o.Status, l.lost, r, o.Stderr)
			}
			for i, want := range l.shard {
				named := strings.Contains(r.Error, fmt.Sprintf("index %s, shard %d:", l.index, i))
				if lost := slices.Contains(l.lost, i); named != lost && (lost || !way.others) {
					t.Errorf("shard %d is named: %t, want %t\n%s", i, named, lost, r.Error)
				}
				if !named {
					same(t, fmt.Sprint("shard ", i), l.delivered(t, i), want)
				}
			}
			l.job.want(t, 0, "dump")
			l.exact(t)
		})
	}
}
