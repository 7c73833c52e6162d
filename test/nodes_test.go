package test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"sluice/test/faultproxy"
	"sluice/test/servers"
)

// nodes is a real cluster of three nodes of its own, with a proxy before each.
type nodes struct {
	servers []*servers.Server
	proxies []*faultproxy.Proxy
}

// startNodes starts the cluster, which ends with the test. The test is skipped
// if it cannot be had, and fails where it is required.
func startNodes(t *testing.T, e servers.Engine) *nodes {
	t.Helper()
	ctx, cancel := within(5 * time.Minute)
	defer cancel()
	list, err := servers.StartCluster(ctx, e, t.TempDir(), 3)
	if err != nil && os.Getenv("SLUICE_REQUIRE_SERVERS") == "" {
		t.Skipf("a cluster cannot be started here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	n := &nodes{servers: list}
	for _, s := range list {
		t.Cleanup(s.Kill)
		n.proxies = append(n.proxies, faultproxy.New(t, s.URL))
	}
	return n
}

// stage is an opensearch stage that knows all nodes, through their proxies.
func (n *nodes) stage(index string, options ...string) string {
	var urls []string
	for _, p := range n.proxies {
		urls = append(urls, fmt.Sprintf("%q", p.URL))
	}
	return searchStage("", index, append(options, "url: ["+strings.Join(urls, ", ")+"]")...)
}

// rules puts rules before all nodes, in the place of those that are there. What
// a rule counts, it counts over all of them.
func (n *nodes) rules(rules ...*faultproxy.Rule) {
	for _, p := range n.proxies {
		p.Clear()
		for _, r := range rules {
			p.Add(r)
		}
	}
}

// manager is the node that manages the cluster; other is one that does not.
func (n *nodes) manager(t *testing.T) (manager, other int) {
	t.Helper()
	var list []struct{ Name, M string }
	if err := json.Unmarshal(cluster{n.servers[0].URL}.call(t, http.MethodGet, "/_cat/nodes?format=json&h=name,m", ""), &list); err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		if l.M == "*" {
			fmt.Sscanf(l.Name, "node-%d", &manager)
			return manager, (manager + 1) % len(n.servers)
		}
	}
	t.Fatalf("nobody manages the cluster: %v", list)
	return 0, 0
}

// on gives the shards of the index that have a copy on a node.
func (c cluster) on(t *testing.T, index string, node int) (shards []int) {
	t.Helper()
	var copies []struct {
		Shard int `json:",string"`
		Node  string
	}
	if err := json.Unmarshal(c.call(t, http.MethodGet, "/_cat/shards/"+index+"?format=json&h=shard,node", ""), &copies); err != nil {
		t.Fatal(err)
	}
	for _, s := range copies {
		if s.Node == fmt.Sprint("node-", node) {
			shards = append(shards, s.Shard)
		}
	}
	return shards
}
