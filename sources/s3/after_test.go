package s3_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sluice/internal/kind"
	"sluice/internal/objects/objectstest"
	"sluice/sources/s3"
	"sluice/test/faultproxy"
)

// left is the keys that are there.
func left(b *objectstest.Bucket) []string { return slices.Sorted(maps.Keys(b.Objects())) }

func TestWhatWasDeliveredIsDeletedMovedOrTagged(t *testing.T) {
	for _, mode := range []bool{false, true} {
		for name, tc := range map[string]struct {
			after s3.After
			want  []string
		}{
			"delete": {s3.After{Delete: true}, []string{"out/c"}},
			"move":   {s3.After{Move: "in/done/"}, []string{"in/done/in/a", "in/done/in/b +%é", "out/c"}},
			"tag":    {s3.After{Tag: []string{"loaded=yes", "x=1"}}, []string{"in/a", "in/b +%é", "out/c"}},
		} {
			t.Run(name, func(t *testing.T) {
				b := objectstest.New(t)
				b.Needs("tags", b.Store.Tags() || name != "tag")
				c := s3.Config{Config: b.Config(""), After: tc.after}
				c.Prefix = "in/"
				d := newDaily(c)
				d.env = kind.Env{New: mode}
				b.PutAs("in/a", []byte("1"), "text/x", map[string]string{"k": "v"}, "t=0")
				b.Put("in/b +%é", []byte("1"))
				b.Put("out/c", []byte("1"))
				d.pass(t, "in/a=1", "in/b +%é=1")
				if got := left(b); !slices.Equal(got, tc.want) {
					t.Fatalf("there are %q, want %q", got, tc.want)
				}
				if d.rows("source.after") != 0 {
					t.Errorf("rows are left of objects that were dealt with")
				}
				if name == "move" {
					if b.Meta("in/done/in/a")["k"] != "v" {
						t.Errorf("metadata was lost on the way")
					}
					d.pass(t)
				}
				if name == "tag" {
					if got := b.Tags("in/a"); !maps.Equal(got, map[string]string{"t": "0", "loaded": "yes", "x": "1"}) {
						t.Errorf("got tags %v", got)
					}
				}
			})
		}
	}
}

// TestOnlyWhatWasReadIsDeleted replaces an object between its save and its
// deletion, and lets another one be unreadable.
func TestOnlyWhatWasReadIsDeleted(t *testing.T) {
	for _, versions := range []bool{false, true} {
		b := objectstest.New(t)
		if versions {
			b.Versioned()
		}
		for _, k := range []string{"a", "bad", "replaced"} {
			b.Put(k, []byte("1"))
		}
		proxy := faultproxy.New(t, b.Store.Endpoint)
		proxy.Add(&faultproxy.Rule{Method: "HEAD", Path: "/replaced", Do: func() { b.Put("replaced", []byte("2")) }})
		proxy.Add(&faultproxy.Rule{Match: func(r *http.Request) bool {
			return r.Method == "GET" && strings.HasSuffix(r.URL.Path, "/bad")
		}, Status: 404, Body: "<Error><Code>NoSuchKey</Code></Error>"})
		d := newDaily(s3.Config{Config: b.Config(proxy.URL), After: s3.After{Delete: true}})
		d.giveUp = true
		d.run(t)
		if got := left(b); !slices.Equal(got, []string{"bad", "replaced"}) {
			t.Errorf("versions %v: there are %q, want what could not be had and what was replaced", versions, got)
		}
		d.pass(t, "bad=1", "replaced=2")
		if got := left(b); len(got) > 0 {
			t.Errorf("versions %v: there are %q, want none", versions, got)
		}
	}
}

// TestACrashNeitherForgetsToDeleteNorDeletesWhatIsNotSaved crashes at every
// operation on the state.
func TestACrashNeitherForgetsToDeleteNorDeletesWhatIsNotSaved(t *testing.T) {
	try := func(at int) int {
		b := objectstest.New(t)
		d := newDaily(s3.Config{Config: b.Config(""), After: s3.After{Delete: true}})
		for _, k := range []string{"a", "b", "c", "d"} {
			b.Put(k, []byte(k))
		}
		d.world.At = at
		all := map[string]bool{}
		for complete := false; !complete; d.world.Restart() {
			res, err := d.run(t)
			if (err == nil) != res.Complete {
				t.Fatalf("crash at %d: complete %v, %v", at, res.Complete, err)
			}
			for _, s := range d.taken {
				all[s] = true
			}
			complete = res.Complete
		}
		if got := left(b); len(got) > 0 || len(all) != 4 {
			t.Errorf("crash at %d: %q is left, %v was delivered", at, got, all)
		}
		return d.world.Ops()
	}
	for at := range try(0) {
		try(at + 1)
	}
}

func TestImpossibleOptionsAreRefused(t *testing.T) {
	for option, c := range map[string]s3.Config{
		"after":      {After: s3.After{Delete: true, Move: "x/"}},
		"after.move": {After: s3.After{Move: "in/"}},
		"after.tag":  {After: s3.After{Tag: []string{"x"}}},
		"start":      {Start: "now"},
	} {
		c.Bucket, c.Prefix = "b", "in/x/"
		found := slices.ContainsFunc(c.Problems(kind.Env{}), func(p kind.Problem) bool { return p.Option == option })
		if !found {
			t.Errorf("%+v: no problem with %s", c, option)
		}
	}
}

func TestOnlyOnePipelineReadsWhatIsDealtWithOrAnnounced(t *testing.T) {
	for name, tc := range map[string]struct {
		config s3.Config
		want   string
	}{
		"nothing":       {s3.Config{}, ""},
		"delete":        {s3.Config{After: s3.After{Delete: true}}, "after"},
		"move":          {s3.Config{After: s3.After{Move: "done/"}}, "after"},
		"tag":           {s3.Config{After: s3.After{Tag: []string{"loaded=yes"}}}, "after"},
		"notifications": {s3.Config{Notifications: &s3.Notifications{}}, "notifications"},
	} {
		got := ""
		for _, p := range kind.Sole(&tc.config).Sole() {
			got += p.Option
		}
		if got != tc.want {
			t.Errorf("%s: got a problem of %q, want of %q", name, got, tc.want)
		}
	}
}
