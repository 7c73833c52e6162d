package git_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/git"
	"sluice/internal/unit"
	"sluice/test/servers"
)

// newHTTP is a world whose remote is served by git's own HTTP server.
func newHTTP(t *testing.T, format string) (*world, *servers.GitHost) {
	host := servers.Git(t)
	there := host.Repository(t, "r", "--object-format="+format)
	c := git.Config{URL: there.URL, Branch: "main", Token: unit.Secret(servers.GitToken)}
	r, err := c.Remote()
	w := &world{T: t, dir: there.Dir, scratch: t.TempDir(), remote: r}
	w.check(err)
	return w, host
}

func TestARepositoryBehindHTTP(t *testing.T) {
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			w, host := newHTTP(t, format)
			long := string(bytes.Repeat([]byte("0123456789abcdef"), 200_000))
			w.seed(files{"a/b": "1", "a/c": "22", "long": long})
			in, out := host.Bytes()
			r := w.repo()
			base, err := r.Fetch(t.Context(), git.Want{Ref: branch})
			w.check(err)
			ids := w.oids(r, base)
			w.push(r, base, files{"a/b": "new", "a/c": gone})
			cameIn, wentOut := host.Bytes()
			if cameIn-in > 10_000 || wentOut-out > 10_000 {
				t.Errorf("a second run: got %d bytes sent and %d received, want a few", cameIn-in, wentOut-out)
			}
			w.check(r.Prefetch(t.Context(), []git.OID{ids["long"]}))
			if got, err := read(t.Context(), r, ids["long"]); got != long || err != nil {
				t.Errorf("prefetched: got %d bytes, %v, want %d", len(got), err, len(long))
			}
			if got, err := r.Fetch(t.Context(), git.Want{OID: base, Blobs: true}); got != base || err != nil {
				t.Errorf("by its id: got %q, %v, want %s", got, err, base)
			}
			if diff := cmp.Diff(files{"a/b": "new", "long": long}, w.tree("main")); diff != "" {
				t.Error(diff)
			}
			w.git("fsck", "--strict")
		})
	}
}
