package test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"sluice/test/faultproxy"
)

// trouble is what a server has for a while.
type trouble struct {
	name       string
	begin, end func(*testing.T)
}

// troubles are what happens to the servers, in an order in which each has its turn.
// Between them somebody edits the repository.
func (s *soak) troubles() (all []trouble) {
	nothing := func(*testing.T) {}
	for i, p := range []*place{&s.old, &s.store, &s.git, &s.new} {
		all = append(all, p.down(), p.slow(), p.deaf(), []trouble{
			{"the old cluster rejects", s.rejects(&s.old), s.old.clear},
			{"the store is full", s.fill, s.drain},
			{"the git server is full", s.fillGit, func(t *testing.T) { s.backups.Hook(t, "pre-receive", "") }},
			{"the new cluster is full", s.block(true), s.block(false)},
		}[i], trouble{"an edit", s.commit, nothing})
	}
	return all
}

// down is a server that is killed, and started again at the end.
func (p *place) down() trouble {
	if p.server == nil {
		return trouble{p.name + " is away", func(*testing.T) { p.proxy.Add(&faultproxy.Rule{Times: -1, Cut: true}) }, p.clear}
	}
	return trouble{p.name + " is killed", func(*testing.T) { p.server.Kill() }, func(t *testing.T) {
		ctx, cancel := within(5 * time.Minute)
		defer cancel()
		if err := p.server.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}}
}

// slow is a server that takes a second more for each answer.
func (p *place) slow() trouble {
	return trouble{p.name + " is slow", func(*testing.T) { p.proxy.Add(&faultproxy.Rule{Times: -1, Delay: time.Second}) }, p.clear}
}

// deaf is a server whose replies are lost, one of four, after it has done the work.
func (p *place) deaf() trouble {
	var n atomic.Int64
	return trouble{p.name + " loses replies", func(*testing.T) {
		p.proxy.Add(&faultproxy.Rule{Times: -1, Late: true, Cut: true, Match: func(*http.Request) bool { return n.Add(1)%4 == 0 }})
	}, p.clear}
}

// clear ends what a proxy does.
func (p *place) clear(*testing.T) { p.proxy.Clear() }

// rejects has half of the requests refused.
func (s *soak) rejects(p *place) func(*testing.T) {
	var n atomic.Int64
	return func(*testing.T) {
		p.proxy.Add(&faultproxy.Rule{Times: -1, Status: http.StatusTooManyRequests, Match: func(*http.Request) bool { return n.Add(1)%2 == 0 }})
	}
}

// ballast is what takes all room on the store's disk.
func (s *soak) ballast() string { return filepath.Join(s.disk, "ballast") }

// fill leaves no room on the store's disk.
func (s *soak) fill(t *testing.T) {
	f, err := os.Create(s.ballast())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 1<<20); err == nil; {
		_, err = f.Write(block)
	}
}

// drain makes room again.
func (s *soak) drain(t *testing.T) {
	if err := os.Remove(s.ballast()); err != nil {
		t.Fatal(err)
	}
}

// fillGit has pushes refused as a host does whose disk is full.
func (s *soak) fillGit(t *testing.T) {
	s.backups.Hook(t, "pre-receive", "echo 'fatal: write error: No space left on device' >&2\nexit 1\n")
}

// block sets or removes the block that a cluster sets where a disk is full.
func (s *soak) block(on bool) func(*testing.T) {
	return func(t *testing.T) {
		cluster{s.new.server.URL}.call(t, http.MethodPut, "/loaded/_settings", fmt.Sprintf(`{"index.blocks.read_only_allow_delete":%t}`, on))
	}
}

// rest ends the writers. All servers are well.
func (s *soak) rest(t *testing.T) {
	t.Helper()
	s.stop()
	if err := s.writers.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%6s  at rest", time.Since(s.began).Round(time.Second))
}
