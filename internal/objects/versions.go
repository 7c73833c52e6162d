package objects

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// Version is a version of an object, or a mark that it was deleted.
type Version struct {
	Object
	Latest  bool
	Deleted bool
}

// Versions calls f for all versions of the objects whose keys begin with prefix
// and come after a key, until f fails: in order of keys, and those of a key with
// the newest first, as stores list them. The oldest cannot be known without
// holding all of them. A VersionID is never empty here: the version "null" is
// that of a bucket which did not keep versions then.
func (c *Client) Versions(ctx context.Context, prefix, after string, f func(v Version) error) error {
	l := &lister{c: c, prefix: prefix, after: after, bound: mostKeys}
	key, id := after, ""
	for {
		r := &request{op: "ListObjectVersions", query: query("versions", "", "encoding-type", "url", "key-marker", key, "prefix", prefix, "version-id-marker", id)}
		if err := c.do(ctx, r, l.read); err != nil {
			return fmt.Errorf("list versions of %s: %w", c.Name(prefix), err)
		}
		page, err := l.versions(after)
		if err != nil {
			return fmt.Errorf("list versions of %s: %w", c.Name(prefix), err)
		}
		for _, v := range page {
			if v.Key == after { // some stores begin with the marker's own
				continue
			}
			if err := f(v); err != nil {
				return err
			}
		}
		if !l.page.truncated {
			return nil
		}
		next, err := l.page.key([]byte(l.page.marker))
		if err != nil || next < key || next == key && l.page.version == id {
			return fmt.Errorf("list versions of %s: the store says that there is more after %q, but not how to ask for it", c.Name(prefix), key)
		}
		key, id = next, l.page.version
	}
}

// versions reads the versions of the page, whose keys must be in order.
func (l *lister) versions(after string) ([]Version, error) {
	var kept, marks []Version
	all := make([]Version, 0, len(l.page.entries))
	switches := 0
	for i := range l.page.entries {
		e := &l.page.entries[i]
		o, err := l.page.object(e)
		if err != nil {
			return nil, err
		}
		v := Version{Object: o, Latest: e.latest, Deleted: e.deleted}
		if i > 0 && v.Deleted != all[i-1].Deleted {
			switches++
		}
		all = append(all, v)
		if v.Deleted {
			marks = append(marks, v)
		} else {
			kept = append(kept, v)
		}
	}
	if switches == 1 { // there are stores that list versions first, and marks behind them
		all = merge(kept, marks, all[:0])
	}
	for _, v := range all {
		if v.Key < l.after || v.Key < after {
			return nil, fmt.Errorf("the store lists %q after %q: its keys are not in order", v.Key, max(l.after, after))
		}
		l.after = v.Key
	}
	return all, nil
}

// merge puts versions and marks, each in the order of a listing, in one.
func merge(kept, marks, all []Version) []Version {
	first := func(a, b Version) bool {
		switch {
		case a.Key != b.Key:
			return a.Key < b.Key
		case a.Latest != b.Latest:
			return a.Latest
		}
		return !a.Modified.Before(b.Modified)
	}
	for len(kept) > 0 && len(marks) > 0 {
		if first(kept[0], marks[0]) {
			all, kept = append(all, kept[0]), kept[1:]
		} else {
			all, marks = append(all, marks[0]), marks[1:]
		}
	}
	return slices.Concat(all, kept, marks)
}

// Versioned says whether the bucket keeps the versions of objects that are
// replaced or deleted. It asks once.
func (c *Client) Versioned(ctx context.Context) (bool, error) {
	return c.known.versions.get(func() (bool, error) {
		var reply struct{ Status string }
		err := c.document(ctx, &request{op: "GetBucketVersioning", query: query("versioning", "")}, &reply)
		if e := new(Error); errors.As(err, &e) && e.Status == http.StatusNotImplemented {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("versioning of %s: %w", c.bucket, err)
		}
		return reply.Status == "Enabled", nil
	})
}
