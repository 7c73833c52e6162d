package test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"sluice/test/faultproxy"
	"sluice/test/servers"
)

// mute takes connections and never says a word. It gives its address.
func mute(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String() // the system takes connections; nobody reads
}

// ends runs a sync that must fail within three minutes, and say of what.
func (b *backup) ends(t *testing.T, says ...string) {
	t.Helper()
	began := time.Now()
	o := b.want(t, 1, "sync")
	o.says(t, says...)
	if took := time.Since(began); took > 3*time.Minute {
		t.Errorf("it took %v to say so", took)
	}
}

// TestASilentHostEndsTheRun: at whatever step it falls silent, remote and step
// are named, and the branch is as it was.
func TestASilentHostEndsTheRun(t *testing.T) {
	long(t)
	for step, of := range map[string]func(*http.Request) bool{
		"ls-remote": func(*http.Request) bool { return true },
		"fetch":     fetch,
		"push":      receive,
	} {
		t.Run(step, func(t *testing.T) {
			b := newBackup(t, few(), "retry: 3s")
			b.want(t, 0, "sync")
			before := b.history.commits(t)
			b.change(t, 3)
			asked := map[string]int{"fetch": 2}[step] // ls-remote, and fetch what is there
			silent := b.remote.Add(&faultproxy.Rule{Match: of, Skip: asked, Times: -1, Delay: 10 * time.Minute})
			b.ends(t, step+" "+b.remote.URL+"/backup.git main: ", "Operation too slow")
			if silent.Hits() == 0 || !slices.Equal(b.history.commits(t), before) {
				t.Errorf("got the commits %v behind %v after %d faults", b.history.commits(t), before, silent.Hits())
			}
			b.remote.Clear()
			b.converges(t, before)
		})
	}
}

// TestASilentHostOfSSHEndsTheRun: before it says who it is, and when it has let
// us in.
func TestASilentHostOfSSHEndsTheRun(t *testing.T) {
	long(t)
	s := servers.SSHD(t)
	h := history{s.Repository(t, "backup.git")}
	options := []string{"ssh_key: " + s.Key, "known_hosts: " + s.KnownHosts, "retry: 3s"}
	t.Run("at the beginning", func(t *testing.T) {
		nobody := h
		nobody.URL = "ssh://git@" + mute(t) + "/backup.git"
		backupTo(t, few(), nobody, nil, options...).ends(t, "ls-remote "+nobody.URL, "timed out")
	})
	t.Run("behind the door", func(t *testing.T) {
		b := backupTo(t, few(), h, nil, options...)
		b.want(t, 0, "sync")
		before := h.commits(t)
		b.change(t, 3)
		keys := s.Key + ".pub"
		public, err := os.ReadFile(keys)
		if err == nil {
			err = os.WriteFile(keys, fmt.Appendf(nil, `command="sleep 600" %s`, public), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		b.ends(t, "ls-remote "+h.URL+" main: nothing was heard")
		if err := os.WriteFile(keys, public, 0o600); err != nil {
			t.Fatal(err)
		}
		b.converges(t, before)
	})
}

// TestAHostThatIsSilentAfterAPushIsAskedAgain: the push was taken. If there is an
// answer, the run is complete, and the next run has nothing to do in any case.
func TestAHostThatIsSilentAfterAPushIsAskedAgain(t *testing.T) {
	long(t)
	for _, forever := range []bool{false, true} {
		t.Run(fmt.Sprint("for ever: ", forever), func(t *testing.T) {
			b := newBackup(t, few(), "retry: 3s")
			b.want(t, 0, "sync")
			before := b.history.commits(t)
			b.change(t, 3)
			b.remote.Clear()
			lost := b.remote.Add(&faultproxy.Rule{Match: receive, Late: true, Delay: 10 * time.Minute})
			if forever {
				b.remote.Add(&faultproxy.Rule{Times: -1, Delay: 10 * time.Minute, Match: func(*http.Request) bool { return lost.Hits() > 0 }})
				b.ends(t, b.remote.URL+"/backup.git main: ", "Operation too slow")
			} else {
				b.want(t, 0, "sync")
			}
			if n := len(b.history.commits(t)); n != len(before)+1 || lost.Hits() != 1 {
				t.Fatalf("got %d commits after %d faults, want one more than %d", n, lost.Hits(), len(before))
			}
			b.remote.Clear()
			b.converges(t, before)
		})
	}
}

// TestAHookThatHangsEndsTheRun, whatever keeps the connection alive.
func TestAHookThatHangsEndsTheRun(t *testing.T) {
	long(t)
	r, err := servers.NewRepository(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := backupTo(t, few(), history{r}, nil, "retry: 3s")
	b.want(t, 0, "sync")
	before := b.history.commits(t)
	b.change(t, 3)
	b.history.Hook(t, "pre-receive", "sleep 600")
	b.ends(t, "push ", r.Dir+" main: nothing was heard of the repository for 50s")
	b.history.Hook(t, "pre-receive", "")
	b.converges(t, before)
}
