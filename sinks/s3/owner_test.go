package s3_test

import (
	"strings"
	"testing"

	"sluice/internal/kind"
	"sluice/internal/objects"
	"sluice/internal/roll"
	"sluice/sinks/s3"
)

// check sees whether an owner comes back from metadata that a store can hold.
func check(t *testing.T, o roll.Owner) {
	t.Helper()
	h := s3.Hashed(o)
	m := s3.Metadata(h)
	size := 0
	for k, v := range m {
		size += len(k) + len(v)
		if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) || strings.TrimSpace(v) != v || strings.Contains(v, "  ") || v == "" {
			t.Errorf("%s: %q does not come back from every store", k, v)
		}
	}
	if size > 2048 {
		t.Errorf("got %d bytes of metadata, the limit is 2048", size)
	}
	if got := s3.OwnerOf(m); o.Pipeline != "" && (got == nil || *got != h) {
		t.Errorf("got %+v, want %+v", got, h)
	}
}

func TestAnOwnerComesBackFromMetadata(t *testing.T) {
	plain := roll.Owner{Pipeline: "p", Pass: 3, Lane: "http://h bucket/x 0/4", Start: 1, From: `a/b 17 "k" v`, Source: "a/b+c", Version: "e"}
	check(t, plain)
	if got := s3.Hashed(plain); got != plain {
		t.Errorf("got %+v, want plain values as they are", got)
	}
	for _, odd := range []string{"é", "a\nb", " a", "a ", "a  b", strings.Repeat("x", 500), "sha256:abc", "\x00"} {
		check(t, roll.Owner{Pipeline: "p", Lane: odd, From: odd, Source: odd, Version: odd})
		if a, b := s3.Hashed(roll.Owner{From: odd}), s3.Hashed(roll.Owner{From: odd + "x"}); a == b {
			t.Errorf("%q: two values have one hash", odd)
		}
	}
}

func TestMetadataOfOthersHasNoOwner(t *testing.T) {
	for _, m := range []map[string]string{
		nil, {"sluice-pass": "1", "sluice-start": "0"}, {"sluice-pipeline": "p", "sluice-start": "0"},
		{"sluice-pipeline": "p", "sluice-pass": "one", "sluice-start": "0"}, {"sluice-pipeline": "p", "sluice-pass": "1"},
	} {
		if got := s3.OwnerOf(m); got != nil {
			t.Errorf("%v: got %+v, want none", m, got)
		}
	}
}

func FuzzOwner(f *testing.F) {
	f.Add("p", "lane", "from 1", "key/é", "v", int64(1), 2)
	f.Add("p", " ", "a  b", strings.Repeat("k", 300), "sha256:", int64(-1), 0)
	f.Fuzz(func(t *testing.T, pipeline, lane, from, key, version string, pass int64, start int) {
		check(t, roll.Owner{Pipeline: pipeline, Pass: pass, Lane: lane, Start: start, From: from, Source: key, Version: version})
	})
}

func TestBadOptionsOfTheSinkAreNamed(t *testing.T) {
	good := s3.Config{Config: objects.Config{Bucket: "b"}, Key: "{lane}/{sequence}", Part: 8 << 20}
	if p := good.Problems(kind.Env{}); len(p) > 0 {
		t.Errorf("good options: got %v", p)
	}
	for option, spoil := range map[string]func(*s3.Config){
		"bucket":       func(c *s3.Config) { c.Bucket = "a/b" },
		"prefix":       func(c *s3.Config) { c.Prefix = "{index}/" },
		"part":         func(c *s3.Config) { c.Part = 1 << 20 },
		"key":          func(c *s3.Config) { c.Key = "{nothing}" },
		"roll.records": func(c *s3.Config) { c.Key = "{key}"; c.Roll.Records = 5 },
	} {
		c := good
		spoil(&c)
		if p := c.Problems(kind.Env{}); len(p) != 1 || p[0].Option != option {
			t.Errorf("%s: got %v, want one problem with it", option, p)
		}
	}
	c := good
	c.Key = "{key}"
	if p := c.Takes(kind.Records); p == nil || !strings.Contains(p.Message, "{sequence}") {
		t.Errorf("records into {key}: got %v, want a problem that names {sequence}", p)
	}
	if p := good.Takes(kind.Records); p != nil || c.Takes(kind.Bytes) != nil {
		t.Errorf("got %v, want none", p)
	}
	if lane, shared := must(t, good).Need(); lane < 8<<20 || lane > 10<<20 || shared != 16<<20 {
		t.Errorf("got a need of %d and %d, want a part and little more, and two that are shared", lane, shared)
	}
}

func must(t *testing.T, c s3.Config) *s3.Sink {
	t.Helper()
	sink, err := c.Build(kind.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return sink.(*s3.Sink)
}
