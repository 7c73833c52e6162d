package test

import (
	"strings"
	"testing"
)

// dry makes a dry run, and fails unless it changes nothing: no object is read,
// and nothing is sent to the repository.
func (b *backup) dry(t *testing.T, status int) outcome {
	t.Helper()
	refs := b.history.Git(t, "for-each-ref")
	b.store.Clear()
	b.remote.Clear()
	o := b.command(t, status, "run", "--dry-run", "sync")
	if got := b.history.Git(t, "for-each-ref"); got != refs {
		t.Errorf("refs: got %q, want %q as before", got, refs)
	}
	if b.gets() != 0 || b.pushes() != 0 {
		t.Errorf("a dry run made %d reads and %d pushes", b.gets(), b.pushes())
	}
	if left := b.scratch(t); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
	return o
}

// TestADryRunSaysWhatACommitWouldHave, and makes none: not the first, not the
// next, and not one that would delete too much.
func TestADryRunSaysWhatACommitWouldHave(t *testing.T) {
	for _, remember := range []string{"state", "repository"} {
		t.Run(remember, func(t *testing.T) {
			b := newBackup(t, few(), "remember: "+remember)
			o := b.dry(t, 0)
			o.prints(t, "sync\tnew\tclusters/a/large.txt\n", "sync: 31 new and 0 changed would be copied", "0 gone would be deleted, 0 are the same\n")
			b.want(t, 0, "sync")
			b.same(t)
			b.put(t, content{"a/large.txt": "changed\n", "new.yaml": "1\n"})
			b.remove(t, "ns-0/00.yaml", "ns-1/01.yaml")
			o = b.dry(t, 0)
			want := "sync\tchanged\tclusters/a/large.txt\nsync\tnew\tclusters/new.yaml\nsync\tgone\tclusters/ns-0/00.yaml\nsync\tgone\tclusters/ns-1/01.yaml\n" +
				"sync: 1 new and 1 changed would be copied (10 bytes), 2 gone would be deleted, 28 are the same\n"
			if o.Stdout != want {
				t.Errorf("got\n%s\nwant\n%s", o.Stdout, want)
			}
			b.store.Clear()
			b.want(t, 0, "sync")
			b.same(t)
			if n := len(b.history.commits(t)); n != 2 || b.gets() != 2 {
				t.Errorf("behind the dry run: got %d commits and %d reads, want 2 and 2", n, b.gets())
			}
			emptied(t, b)
			o = b.dry(t, 1)
			o.says(t, "max_delete", "--max-delete")
			if n := strings.Count(o.Stdout, "\tgone\t"); n != 28 {
				t.Errorf("got %d files that would be deleted, want 28:\n%s", n, o.Stdout)
			}
		})
	}
}
