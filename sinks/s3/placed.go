package s3

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"sluice/internal/objects"
)

// placed looks whether the store lists the object under its key, if the key is
// one that some stores take for another: there are those that clean paths, or
// cannot say what no XML can. That was seen of VersityGW 1.8, MinIO and Garage.
func (o *object) placed(ctx context.Context) error {
	if !odd(o.new.Key) {
		return nil
	}
	key, found := o.new.Key, false
	dir := key[:strings.IndexByte(key, '/')+1] // MinIO lists what begins with all of the key even if it has another one
	_, last := utf8.DecodeLastRuneInString(key)
	err := o.client.ListUntil(ctx, dir, key[:len(key)-last], key, func(there objects.Object) error {
		found = found || there.Key == key
		return nil
	})
	if err != nil {
		return fmt.Errorf("put %s: it is there; does the store list %q? %w", o.client.Name(key), key, err)
	}
	if !found {
		return fmt.Errorf("put %s: the store took it, and lists no %q: it takes the key for another one; leave the object out, or give it another key", o.client.Name(key), key)
	}
	return nil
}

// odd says whether some stores take a key for another one.
func odd(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return true
		}
	}
	return !utf8.ValidString(key) || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0xfffe || r == 0xffff })
}
