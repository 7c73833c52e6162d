package test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"sluice/internal/crash"
	"sluice/test/faultproxy"
)

// putAll puts objects, many at a time.
func (b *bucket) putAll(t *testing.T, objects map[string]string) {
	t.Helper()
	var g errgroup.Group
	g.SetLimit(16)
	for key, content := range objects {
		g.Go(func() error { b.put(t, key, []byte(content)); return nil })
	}
	g.Wait()
}

// TestAMirrorDeletesNothingAfterAListingThatIsCut cuts the second page of the
// listing of the source: nothing is deleted, and the run says that it failed.
func TestAMirrorDeletesNothingAfterAListingThatIsCut(t *testing.T) {
	b := newBucket(t)
	files := map[string]string{}
	for i := range 1010 {
		files[fmt.Sprintf("from/%04d", i)] = "x"
	}
	b.putAll(t, files)
	p := faultproxy.New(t, b.store.Endpoint)
	j := newJob(t, pipelines(entry("mirror", b.stage(p.URL, "prefix: from/", "retry: 1s"), "[]",
		b.stage(b.store.Endpoint, `key: "to/{key}"`, "mirror: true"))))
	if n := j.want(t, 0, "mirror").Reports["mirror"].Objects.Written; n != 1010 {
		t.Errorf("%d objects were written, want 1010", n)
	}
	gone := []string{"from/0005", "from/0500", "from/1005", "from/1009"}
	for _, key := range gone {
		b.delete(t, key)
		delete(files, key)
	}
	second := func(r *http.Request) bool {
		return strings.Contains(r.URL.RawQuery, "continuation-token") || strings.Contains(r.URL.RawQuery, "start-after")
	}
	for name, rule := range map[string]*faultproxy.Rule{
		"cut in its middle": {CutAfter: 500}, "refused": {Status: 403}, "lost": {Cut: true}, "busy": {Status: 503, Body: slowDown},
	} {
		rule.Query, rule.Match, rule.Times = "list-type=2", second, -1
		p.Clear()
		p.Add(rule)
		o := j.want(t, 1, "mirror")
		if r := o.Reports["mirror"]; r.Objects.Deleted != 0 || rule.Hits() == 0 {
			t.Errorf("%s: got %+v after %d faults, want nothing deleted", name, r.Objects, rule.Hits())
		}
		if n := len(b.keys(t, "to/")); n != 1010 {
			t.Fatalf("%s: %d objects are left, want all 1010", name, n)
		}
	}
	p.Clear()
	o := j.want(t, 0, "mirror")
	if r := o.Reports["mirror"].Objects; r.Deleted != 4 || r.Written != 0 || r.Skipped != 1006 {
		t.Errorf("then: got %+v, want 4 deleted, 1006 skipped", r)
	}
	for _, key := range b.keys(t, "to/") {
		if files[strings.TrimPrefix(key, "to/")] == "" {
			t.Errorf("%s is left", key)
		}
	}
}

// TestAMirrorThatIsKilledGoesOn kills a mirror of a directory at the points
// where a crash is worth trying.
func TestAMirrorThatIsKilledGoesOn(t *testing.T) {
	b := newBucket(t)
	j := newJob(t, pipelines(entry("mirror", stage("file", "path: ./in"), "[{gzip: {}}]",
		b.stage(b.store.Endpoint, `key: "to/{key}.gz"`, "mirror: true", "max_delete: 50%"))))
	files := map[string]string{"a": "1", "b": "2", "sub/c": "3"}
	write := func() {
		os.RemoveAll(filepath.Join(j.dir, "in"))
		for name, content := range files {
			name = filepath.Join(j.dir, "in", name)
			os.MkdirAll(filepath.Dir(name), 0o755)
			if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	write()
	j.want(t, 0, "mirror")
	for _, point := range []string{crash.AfterComplete, crash.BeforeSave, crash.InSave, crash.AfterSave} {
		for hit := 1; hit <= 2; hit++ {
			at := fmt.Sprintf("%s:%d", point, hit)
			files["a"], files["new"+at] = at, at
			maps.DeleteFunc(files, func(key, _ string) bool { return strings.HasPrefix(key, "new") && key != "new"+at })
			write()
			j.env = []string{"SLUICE_CRASH=" + at}
			o := j.run(t, "mirror")
			j.env = nil
			if o.Status >= 0 && hit == 1 {
				t.Errorf("%s was not reached", at)
			}
			j.want(t, 0, "mirror")
			want := map[string]bool{}
			for key := range files {
				want["to/"+key+".gz"] = true
			}
			for _, key := range b.keys(t, "to/") {
				if !want[key] {
					t.Errorf("%s: %s is left", at, key)
				}
				delete(want, key)
			}
			if len(want) > 0 {
				t.Errorf("%s: there is no %v", at, want)
			}
		}
	}
}
