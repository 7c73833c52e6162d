package transforms_test

import (
	"fmt"
	"strings"
	"testing"

	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
	"sluice/transforms"
)

func TestFormsFollowEachOther(t *testing.T) {
	for _, c := range []struct {
		kind     kind.Transform
		in, want kind.Form
		problem  string
	}{
		{gz(1), kind.Records, kind.Bytes, ""},
		{gz(1), kind.Bytes, kind.Bytes, ""},
		{zst("best"), kind.Records, kind.Bytes, ""},
		{gunzip(), kind.Bytes, kind.Bytes, ""},
		{unzstd(), kind.Bytes, kind.Bytes, ""},
		{decompress(), kind.Bytes, kind.Bytes, ""},
		{&transforms.Lines{}, kind.Bytes, kind.Records, ""},
		{&transforms.Manifest{}, kind.Bytes, kind.Bytes, ""},
		{&transforms.Manifest{}, kind.Records, "", "remove manifest"},
		{gunzip(), kind.Records, "", "remove gunzip"},
		{unzstd(), kind.Records, "", "remove unzstd"},
		{decompress(), kind.Records, "", "remove decompress"},
		{&transforms.Lines{}, kind.Records, "", "already; remove lines"},
		{&transforms.DropFields{}, kind.Records, kind.Records, ""},
		{&transforms.KeepFields{}, kind.Bytes, "", "put lines before it"},
		{&transforms.Rename{}, kind.Bytes, "", "put lines before it"},
		{&transforms.Set{}, kind.Bytes, "", "put lines before it"},
		{&transforms.Redact{}, kind.Bytes, "", "put lines before it"},
		{&transforms.Filter{}, kind.Bytes, "", "put lines before it"},
		{&transforms.Route{}, kind.Bytes, "", "put lines before it"},
		{jq("."), kind.Bytes, "", "put lines before it"},
	} {
		got, p := c.kind.Form(c.in)
		if got != c.want || (p == nil) != (c.problem == "") || p != nil && !strings.Contains(p.Message, c.problem) {
			t.Errorf("%s of %s: got %q, %+v, want %q, %q", c.kind.Identity(), c.in, got, p, c.want, c.problem)
		}
	}
}

func TestValuesThatCannotBeUsedAreProblems(t *testing.T) {
	for window, bad := range map[unit.Bytes]bool{0: true, 1 << 19: true, 1 << 20: false, 8 << 20: false, 512 << 20: false, 1 << 30: true} {
		for _, k := range []kind.Transform{&transforms.Unzstd{MaxRatio: 1, MaxWindow: window}, &transforms.Decompress{MaxRatio: 1, MaxWindow: window}} {
			p := k.Problems(env)
			if bad != (len(p) == 1 && p[0].Option == "max_window") {
				t.Errorf("%s: max_window %v: %+v", k.Identity(), window, p)
			}
		}
	}
	for _, k := range []kind.Transform{gz(10), zst("fast")} {
		if _, err := k.Build(env); err == nil {
			t.Errorf("%s is built", k.Identity())
		}
	}
}

// editors are edits of which no two do the same.
func editors() []kind.Transform {
	a, one := []string{"a"}, "1"
	is := transforms.Condition{Field: "a", Equals: a}
	return []kind.Transform{
		&transforms.DropFields{Fields: a}, &transforms.DropFields{Fields: []string{"a", "b"}}, &transforms.KeepFields{Fields: a},
		&transforms.Redact{Fields: a, With: "1"}, &transforms.Redact{Fields: a, With: "2"}, &transforms.Redact{Fields: a, JSON: &one},
		&transforms.Set{Fields: []transforms.SetField{{Field: "a", Value: &one}}}, &transforms.Set{Fields: []transforms.SetField{{Field: "a", JSON: &one}}},
		&transforms.Rename{Fields: []transforms.RenameField{{From: "a", To: "b"}}}, &transforms.Rename{Fields: []transforms.RenameField{{From: "a", To: "c"}}},
		where(is), where(transforms.Condition{Field: "a", Equals: a, Not: true}), where(transforms.Condition{Field: "a", Exists: true}), where(transforms.Condition{Field: "a", Matches: "a"}),
		where(transforms.Condition{Field: "a", GT: "a"}), where(transforms.Condition{Field: "a", GTE: "a"}), where(transforms.Condition{Field: "a", LT: "a"}), where(transforms.Condition{Field: "a", LTE: "a"}),
		&transforms.Filter{Any: []transforms.Condition{is}}, &transforms.Filter{JQ: ".a"}, jq(".a"), jq(".b"),
		to("a"), to("b"), &transforms.Route{Rules: []transforms.Rule{{Where: []transforms.Condition{is}, Index: "a"}}}, &transforms.Route{Rules: []transforms.Rule{{Any: []transforms.Condition{is}, Index: "a"}}},
	}
}

func TestFieldsThatCannotBeAreProblems(t *testing.T) {
	one, bad := "1", "{"
	pair := func(from, to string) kind.Transform {
		return &transforms.Rename{Fields: []transforms.RenameField{{From: from, To: to}}}
	}
	many := make([]transforms.Condition, 65)
	for i := range many {
		many[i] = transforms.Condition{Field: fmt.Sprint(i), Exists: true}
	}
	for want, k := range map[string]kind.Transform{
		"must not be empty":                      &transforms.DropFields{},
		"no path of a field":                     &transforms.DropFields{Fields: []string{"a..b"}},
		"no wildcards":                           &transforms.KeepFields{Fields: []string{"a.*"}},
		"leave it out":                           &transforms.Redact{Fields: []string{"_source.a"}},
		"stands here twice":                      &transforms.DropFields{Fields: []string{"a", "a"}},
		`"a.b" lies inside of "a"`:               &transforms.DropFields{Fields: []string{"a.b", "a"}},
		"one transform takes 64":                 &transforms.DropFields{Fields: strings.Fields(strings.Repeat("a ", 65))},
		"is not JSON":                            &transforms.Redact{Fields: []string{"a"}, JSON: &bad},
		"give it a value or json, and not both":  &transforms.Set{Fields: []transforms.SetField{{Field: "a", Value: &one, JSON: &one}}},
		"give it a value or json":                &transforms.Set{Fields: []transforms.SetField{{Field: "a"}}},
		`"{" is not JSON`:                        &transforms.Set{Fields: []transforms.SetField{{Field: "a", JSON: &bad}}},
		`"a.b" lies inside of "a"; if one field`: pair("a", "a.b"),
		`"a" stands here twice; if one field`:    pair("a", "a"),
		"one transform renames 32":               &transforms.Rename{Fields: make([]transforms.RenameField, 33)},
		"nothing that must hold":                 &transforms.Filter{},
		"there is no test":                       where(transforms.Condition{Field: "a"}),
		"exists; leave it out":                   where(transforms.Condition{Field: "a", Equals: []string{"b"}, Exists: true}),
		"error parsing regexp":                   where(transforms.Condition{Field: "a", Matches: "("}),
		"more than 64 conditions":                &transforms.Filter{Where: many},
		"such as user.name":                      where(transforms.Condition{Field: ".a", Exists: true}),
	} {
		found := false
		for _, p := range k.Problems(env) {
			found = found || strings.Contains(p.Message, want)
		}
		if !found {
			t.Errorf("%s: got %+v, want %s", k.Identity(), k.Problems(env), want)
		}
	}
	for _, k := range editors() {
		if p := k.Problems(env); len(p) > 0 {
			t.Errorf("%s: got %+v", k.Identity(), p)
		}
	}
}

func TestIdentityNamesWhatTheBytesDependOn(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range append(editors(), gz(1), gz(2), zst("fastest"), zst("best"), gunzip(), unzstd(), decompress(), &transforms.Lines{}, &transforms.Lines{Metadata: "split"}) {
		if seen[k.Identity()] {
			t.Errorf("%q is not the only one", k.Identity())
		}
		seen[k.Identity()] = true
	}
	one, two := 1, 2
	if a, b := (&transforms.Gzip{Level: 1, Workers: &one}).Identity(), (&transforms.Gzip{Level: 1, Workers: &two}).Identity(); a != b {
		t.Errorf("%q, but workers change no byte: %q", a, b)
	}
}

func TestEveryStageStatesItsMemory(t *testing.T) {
	four := 4
	for _, k := range append(editors(), &transforms.Gzip{Level: 1, Workers: &four}, zst("default"), gunzip(), unzstd(), decompress(), &transforms.Lines{}, &transforms.Lines{Metadata: "split"}) {
		s, ok := build(t, k).(pipeline.Sized)
		if !ok {
			t.Fatalf("%s: it does not say what it needs", k.Identity())
		}
		if lane, shared := s.Need(); lane < 64<<10 || lane > 32<<20 || shared > 24<<20 {
			t.Errorf("%s: %d KiB and %d KiB that are shared", k.Identity(), lane>>10, shared>>10)
		}
	}
}

func TestARecordIsTooLongWhereverItIsInABlock(t *testing.T) {
	small := env
	small.MaxRecord = 100
	tr, err := (&transforms.Lines{}).Build(small)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range 300 { // with its newline, every third is longer than 100
		fmt.Fprintf(&b, "%s\n", strings.Repeat("x", []int{5, 99, 100}[i%3]))
	}
	e := &ends{items: []func() *pipeline.Item{func() *pipeline.Item {
		return item("k", bytesBody{b: []byte(b.String())}, int64(b.Len()))
	}}}
	w := &pipelinetest.World{}
	p := e.pipeline(&pipelinetest.Store{World: w}, pipeline.Stage{Name: "lines", Transform: tr})
	p.Dead = &pipelinetest.Letters{World: w, Durable: map[string]string{}}
	res, err := p.Run(t.Context())
	if err != nil || res.Counts.Read != 300 || res.Counts.Dead != 100 || res.Counts.Written != 200 {
		t.Errorf("%+v, %v", res, err)
	}
}
