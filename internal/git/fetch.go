package git

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Want is a commit to fetch, without its history.
type Want struct {
	Ref   string // full name of a reference, or HEAD
	OID   OID    // a commit, instead of Ref
	Blobs bool   // with the contents of its files; else only trees, if the server can do that
}

// Fetch fetches a commit and gives its id; "" if the remote has no such
// reference or commit.
func (r *Repo) Fetch(ctx context.Context, what Want) (OID, error) {
	from := what.Ref
	if what.OID != "" {
		from = string(what.OID)
	}
	filter := "--filter=blob:none"
	if what.Blobs {
		filter = "--no-filter"
	}
	err := r.receive(ctx, call{args: []string{"fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--no-auto-gc", filter, "--", "origin", "+" + from + ":" + fetched}})
	if absent(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	id, err := r.parse(ctx, fetched+"^{commit}")
	if err == nil && what.Blobs {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.whole[id] = true
	}
	return id, err
}

// absent reports whether a fetch failed because the remote does not have what
// was asked for.
func absent(err error) bool {
	refused, ok := errors.AsType[*Refused](err)
	return ok && refused.Kind == Absent
}

// most is how many blobs are asked for at a time.
const most = 10_000

// Prefetch fetches those of the blobs that are not here, many with each request.
func (r *Repo) Prefetch(ctx context.Context, blobs []OID) error {
	for len(blobs) > 0 {
		n := min(most, len(blobs))
		missing, err := r.missing(ctx, blobs[:n])
		if err != nil {
			return err
		}
		blobs = blobs[n:]
		if missing == "" {
			continue
		}
		err = r.receive(ctx, call{stdin: missing, args: []string{"-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc", "--recurse-submodules=no", "--filter=blob:none", "--stdin", "origin"}})
		if err != nil {
			return err
		}
	}
	return nil
}

// missing gives those of the objects that are not here, a line each.
func (r *Repo) missing(ctx context.Context, ids []OID) (string, error) {
	var in, out strings.Builder
	for _, id := range ids {
		in.WriteString(string(id) + "\n")
	}
	got, err := r.remote.run(ctx, call{dir: r.dir, stdin: in.String(), args: []string{"cat-file", "--batch-check"}})
	for line := range strings.Lines(string(got)) {
		if id, ok := strings.CutSuffix(line, " missing\n"); ok {
			out.WriteString(id + "\n")
		}
	}
	return out.String(), err
}

// partial are the settings with which git fetches no more than it is asked for,
// and does not mind that the rest is not here. They are not those of the
// repository: else git would ask the remote for what is missing, one by one,
// whenever it comes across it.
var partial = []string{"-c", "remote.origin.promisor=true", "-c", "remote.origin.partialCloneFilter=blob:none"}

// receive runs a git that fetches, and counts what came.
func (r *Repo) receive(ctx context.Context, c call) error {
	r.packing.Lock()
	defer r.packing.Unlock()
	before, err := r.packs()
	if err != nil {
		return err
	}
	c.dir, c.args = r.dir, append(partial[:len(partial):len(partial)], c.args...)
	if _, err := r.remote.ask(ctx, c); err != nil {
		return err
	}
	after, err := r.packs()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.received += after - before
	return err
}

// packs is the size of all packs.
func (r *Repo) packs() (sum int64, err error) {
	dir := filepath.Join(r.dir, "objects", "pack")
	all, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, e := range all {
		if !strings.HasSuffix(e.Name(), ".pack") {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return 0, err
		}
		sum += info.Size()
	}
	return sum, nil
}
