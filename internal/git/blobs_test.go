package git_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"sluice/internal/git"
)

// oids gives the blobs of a commit by path.
func (w *world) oids(r *git.Repo, commit git.OID) map[string]git.OID {
	w.Helper()
	all := map[string]git.OID{}
	w.check(r.Tree(w.Context(), commit, "", func(e git.Entry) error { all[e.Path] = e.OID; return nil }))
	return all
}

func TestBlobsAreReadOneAfterTheOther(t *testing.T) {
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t, format)
			long := strings.Repeat("0123456789\n", 50_000)
			want := files{"a": "one\n", "empty": "", "long": long, "z": "last"}
			w.seed(want)
			r := w.repo()
			tip, err := r.Fetch(t.Context(), git.Want{Ref: branch, Blobs: true})
			w.check(err)
			ids := w.oids(r, tip)
			b, err := r.Blobs(t.Context())
			w.check(err)
			defer b.Close()
			for _, path := range []string{"long", "a", "empty", "z", "long"} {
				size, body, err := b.Open(ids[path])
				w.check(err)
				if size != int64(len(want[path])) {
					t.Errorf("%s: got size %d, want %d", path, size, len(want[path]))
				}
				if err := iotest.TestReader(io.MultiReader(body), []byte(want[path])); err != nil {
					t.Errorf("%s: %v", path, err)
				}
			}
			_, half, err := b.Open(ids["long"])
			w.check(err)
			io.CopyN(io.Discard, half, 10)
			_, body, err := b.Open(ids["a"])
			w.check(err)
			if text, err := io.ReadAll(body); string(text) != "one\n" || err != nil {
				t.Errorf("after a half: got %q, %v", text, err)
			}
			if n, err := half.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
				t.Errorf("a body that the next closed: got %d, %v, want an error", n, err)
			}
			w.check(half.Close())
			w.check(body.Close())
		})
	}
}

func TestABlobThatIsCutIsNotAtItsEnd(t *testing.T) {
	w := newWorld(t, "sha1")
	r := w.repo()
	ids := w.oids(r, w.commit(r, "", files{"a": strings.Repeat("0123456789\n", 500_000)}))
	b, err := r.Blobs(t.Context())
	w.check(err)
	defer b.Close()
	_, body, err := b.Open(ids["a"])
	w.check(err)
	w.kill("cat-file --batch")
	if _, err := io.Copy(io.Discard, body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want io.ErrUnexpectedEOF", err)
	}
	if _, _, err := b.Open(ids["a"]); err == nil {
		t.Error("the next one: got no error")
	}
}

func TestABlobThatIsNotHereIsMissingUntilItIsFetched(t *testing.T) {
	for _, format := range formats {
		t.Run(format, func(t *testing.T) {
			w := newWorld(t, format)
			w.seed(files{"a": "1", "b": "2", "c": "2"})
			r := w.repo()
			tip, err := r.Fetch(t.Context(), git.Want{Ref: branch})
			w.check(err)
			ids := w.oids(r, tip)
			b, err := r.Blobs(t.Context())
			w.check(err)
			defer b.Close()
			for range 2 {
				if _, _, err := b.Open(ids["a"]); !errors.Is(err, git.ErrMissing) {
					t.Errorf("before: got %v, want ErrMissing", err)
				}
			}
			received := r.Received()
			w.check(r.Prefetch(t.Context(), []git.OID{ids["a"], ids["b"], ids["c"]}))
			came := r.Received() - received
			if came == 0 {
				t.Error("received: got nothing")
			}
			for path, want := range map[string]string{"a": "1", "b": "2", "c": "2"} {
				if got, err := read(t.Context(), r, ids[path]); got != want || err != nil {
					t.Errorf("%s: got %q, %v, want %q", path, got, err, want)
				}
			}
			w.check(r.Prefetch(t.Context(), []git.OID{ids["b"]}))
			if r.Received() != received+came {
				t.Error("what is here was fetched again")
			}
			if _, body, err := b.Open(ids["a"]); err != nil {
				t.Errorf("the git that was asked before: %v", err)
			} else if text, _ := io.ReadAll(body); string(text) != "1" {
				t.Errorf("the git that was asked before: got %q", text)
			}
			if err := r.Prefetch(t.Context(), []git.OID{git.OID(strings.Repeat("1", len(tip)))}); err == nil {
				t.Error("a blob that the remote does not have: got no error")
			}
		})
	}
}

func TestACommitIsFetchedByItsID(t *testing.T) {
	w := newWorld(t, "sha1")
	r := w.repo()
	one := w.push(r, "", files{"a": "1"})
	w.push(r, one, files{"a": "2"})
	for _, blobs := range []bool{true, false} {
		r := w.repo()
		got, err := r.Fetch(t.Context(), git.Want{OID: one, Blobs: blobs})
		if got != one || err != nil {
			t.Errorf("got %q, %v, want %s", got, err, one)
		}
		if got, err := r.Fetch(t.Context(), git.Want{OID: git.OID(strings.Repeat("1", 40)), Blobs: blobs}); got != "" || err != nil {
			t.Errorf("a commit that is not there: got %q, %v, want none", got, err)
		}
	}
}

func TestATagIsFetchedAsItsCommit(t *testing.T) {
	w := newWorld(t, "sha1")
	one := w.seed(files{"a": "1"})
	w.git("-c", "user.name=a", "-c", "user.email=a", "tag", "-a", "-m", "m", "v1", string(one))
	if got, err := w.repo().Fetch(t.Context(), git.Want{Ref: "refs/tags/v1"}); got != one || err != nil {
		t.Errorf("got %q, %v, want %s", got, err, one)
	}
}

func TestAnEmptyRemoteHasNothingToFetch(t *testing.T) {
	for _, format := range formats {
		w := newWorld(t, format)
		r := w.repo()
		for _, ref := range []string{"HEAD", branch} {
			if got, err := r.Fetch(t.Context(), git.Want{Ref: ref}); got != "" || err != nil {
				t.Errorf("%s: got %q, %v, want none", ref, got, err)
			}
			if got, err := r.Resolve(t.Context(), ref); got != "" || err != nil {
				t.Errorf("%s: got %q, %v, want none", ref, got, err)
			}
		}
	}
}
