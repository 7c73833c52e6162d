package git

import (
	"bytes"
	"context"
	"strconv"
	"strings"
)

// Update is a reference of the remote that is to move.
type Update struct {
	Ref string // full name
	Old OID    // what it has to be; "": it must not exist
	New OID    // what it becomes; "": it is deleted
}

// Push moves references of the remote, all or none, if each is what it has to
// be. [ErrRaced]: one of them is not, because another writer was first. An error
// after which the remote has them all as they should be is none: the answer was
// lost, or it came twice.
func (r *Repo) Push(ctx context.Context, updates ...Update) error {
	if len(updates) == 0 {
		return nil
	}
	args := []string{"push", "--porcelain", "--progress"}
	if len(updates) > 1 { // not every server can do that
		args = append(args, "--atomic")
	}
	for _, u := range updates {
		args = append(args, "--force-with-lease="+u.Ref+":"+string(u.Old))
	}
	args = append(args, "--", "origin")
	for _, u := range updates {
		args = append(args, string(u.New)+":"+u.Ref)
	}
	out, err := r.remote.ask(ctx, call{dir: r.dir, args: args, both: true})
	r.mu.Lock()
	r.sent += written(out)
	r.mu.Unlock()
	if err == nil || ctx.Err() != nil {
		return err
	}
	if done, asked := r.there(ctx, updates); asked == nil && done {
		return nil
	}
	return err
}

// there reports whether the remote has what updates make.
func (r *Repo) there(ctx context.Context, updates []Update) (bool, error) {
	var names []string
	for _, u := range updates {
		names = append(names, u.Ref)
	}
	refs, err := r.resolve(ctx, names...)
	for _, u := range updates {
		if refs[u.Ref] != u.New {
			return false, err
		}
	}
	return true, err
}

// written finds how much was sent in what push shows of its progress:
// "Writing objects: 100% (3/3), 261.50 KiB | 1.20 MiB/s, done."
func written(progress []byte) (sum int64) {
	for line := range bytes.FieldsFuncSeq(progress, func(c rune) bool { return c == '\r' || c == '\n' }) {
		rest, ok := strings.CutPrefix(string(line), "Writing objects: 100% (")
		_, rest, sized := strings.Cut(rest, "), ")
		if ok && sized && strings.HasSuffix(rest, "done.") {
			sum += amount(rest)
		}
	}
	return sum
}

// amount reads the number and unit that a text begins with.
func amount(text string) int64 {
	f := strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == ',' || c == '|' })
	if len(f) < 2 {
		return 0
	}
	n, err := strconv.ParseFloat(f[0], 64)
	factor := map[string]float64{"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[f[1]]
	if err != nil || n < 0 {
		return 0
	}
	return int64(n * factor)
}
