package search_test

import (
	"testing"

	"sluice/test/faultproxy"
)

func TestAReadGoesOnWithTheLastOfThreeNodes(t *testing.T) {
	t.Parallel()
	i := newIndex(t, "", 1, "")
	i.fill(t, 1500, 1000)
	for _, way := range ways(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			nodes := []*faultproxy.Proxy{faultproxy.New(t, i.url), faultproxy.New(t, i.url), faultproxy.New(t, i.url)}
			c := config(nodes[0].URL, i)
			c.Read, c.Page = way, 64<<10
			c.URL = append(c.URL, nodes[1].URL, nodes[2].URL)
			died := nodes[0].Add(&faultproxy.Rule{Match: isPage, Skip: 2, Delay: 1, Do: func() { nodes[1].Stop(); nodes[2].Stop() }})
			before := func() int { return len(nodes[1].Requests()) + len(nodes[2].Requests()) }
			j := newJob(c)
			j.complete(t)
			j.wants(t, i)
			if died.Hits() != 1 || before() < 4 || len(nodes[0].Requests("POST", "/_search")) < 10 {
				t.Errorf("%d deaths, %d requests to those that died, %q to the other, want some before and the rest after",
					died.Hits(), before(), nodes[0].Requests())
			}
		})
	}
}
