package git

import (
	"bufio"
	"context"
	"fmt"
	"strings"
)

// Change is what became of a path between two commits. A new path has no Old, a
// deleted one no New. A file that was renamed is a deleted and a new path.
type Change struct {
	Path             string
	OldMode, NewMode Mode
	Old, New         OID
}

// Diff calls yield for each path below dir ("": all) that is not the same in two
// commits, in byte order of the paths; "" is a commit without files. An error
// of yield ends it.
func (r *Repo) Diff(ctx context.Context, from, to OID, dir string, yield func(Change) error) error {
	old, err := r.tree(ctx, from)
	if err != nil {
		return err
	}
	now, err := r.tree(ctx, to)
	if err != nil {
		return err
	}
	args := []string{"diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", string(old), string(now)}
	if dir != "" {
		args = append(args, "--", dir+"/")
	}
	return r.list(ctx, args, func(in *bufio.Reader) error {
		c, err := readChange(in)
		if err != nil {
			return err
		}
		return yield(c)
	})
}

// readChange reads what diff-tree -z prints of a change, two fields:
// :<mode> <mode> <id> <id> <letter> and the path.
func readChange(in *bufio.Reader) (Change, error) {
	about, err := field(in)
	if err != nil {
		return Change{}, err
	}
	c, err := parseChange(string(about))
	if err != nil {
		return Change{}, fmt.Errorf("diff-tree: %q: %w", about, err)
	}
	name, err := field(in)
	c.Path = string(name)
	if err == nil && c.Path == "" {
		err = fmt.Errorf("diff-tree: a change without a path")
	}
	return c, err
}

func parseChange(about string) (c Change, err error) {
	f := strings.Fields(strings.TrimPrefix(about, ":"))
	if len(f) != 5 || about[0] != ':' {
		return c, fmt.Errorf("five fields after a colon are expected")
	}
	if c.OldMode, err = parseMode(f[0]); err != nil {
		return c, err
	}
	if c.NewMode, err = parseMode(f[1]); err != nil {
		return c, err
	}
	for i, id := range []*OID{&c.Old, &c.New} {
		*id = OID(f[2+i])
		if !id.digits() {
			return c, fmt.Errorf("%q is no id", f[2+i])
		}
		if id.null() {
			*id = ""
		}
	}
	return c, nil
}
