package s3

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"sluice/internal/objects"
	"sluice/pipeline"
)

// errEnd ends a listing of versions.
var errEnd = errors.New("end")

// versions sends all versions of all keys. The token of a position is the last
// key and, behind it, the version.
func (l *listing) versions(ctx context.Context, out chan<- *pipeline.Item) error {
	key, version, err := parseToken(l.from.Token)
	inner := l.from.Inner != ""
	if inner {
		key, version = l.from.Key, l.from.Version
	}
	if err == nil && key != "" {
		err = l.rest(ctx, out, key, version, inner)
	}
	if err != nil {
		return err
	}
	return l.eachVersion(ctx, max(l.keys.after, key), func(v objects.Version) error { return l.one(ctx, out, v) })
}

// eachVersion calls f for the versions of the keys of the lane that come after
// one.
func (l *listing) eachVersion(ctx context.Context, after string, f func(objects.Version) error) error {
	return l.list(ctx, l.config.Prefix, after, func(v objects.Version) error {
		if l.keys.until != "" && v.Key > l.keys.until {
			return errEnd
		}
		return f(v)
	})
}

// rest sends the versions of a key that come after one, and that one first if
// the lane goes on inside of it. If it is gone, all of them are sent: which are
// new cannot be known.
func (l *listing) rest(ctx context.Context, out chan<- *pipeline.Item, key, version string, inner bool) error {
	there := false
	find := func(v objects.Version) error {
		switch {
		case v.Key != key:
			return errEnd
		case v.VersionID == version:
			there = true
			return errEnd
		}
		return nil
	}
	if err := l.list(ctx, key, "", find); err != nil {
		return err
	}
	begun := !there
	return l.list(ctx, key, "", func(v objects.Version) error {
		switch {
		case v.Key != key:
			return errEnd
		case begun, v.VersionID == version && inner:
			begun = true
			return l.one(ctx, out, v)
		}
		begun = v.VersionID == version
		return nil
	})
}

func (l *listing) list(ctx context.Context, prefix, after string, f func(objects.Version) error) error {
	err := l.client.Versions(ctx, prefix, after, f)
	if errors.Is(err, errEnd) {
		return nil
	}
	return err
}

// one sends a version that is no mark of a deletion.
func (l *listing) one(ctx context.Context, out chan<- *pipeline.Item, v objects.Version) error {
	if v.Deleted {
		return nil
	}
	return l.send(ctx, out, v.Object, token(v.Key)+" "+strconv.Quote(v.VersionID))
}

// parseToken reads a key and a version.
func parseToken(t string) (key, version string, err error) {
	if t == "" {
		return "", "", nil
	}
	for i := len(t) - 1; i > 0; i-- { // the version has no blank before a quote in it
		if t[i] == '"' && t[i-1] == ' ' {
			if version, err = strconv.Unquote(t[i:]); err == nil {
				key, err = untoken(t[:i-1])
				return key, version, err
			}
		}
	}
	return "", "", fmt.Errorf("position %q is no version", t)
}
