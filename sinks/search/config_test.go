package search_test

import (
	"strings"
	"testing"

	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
	"sluice/sinks/search"
)

var (
	_ kind.Sink      = (*search.Config)(nil)
	_ pipeline.Sized = (*search.Sink)(nil)
)

func TestProblemsNameTheOption(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*search.Config)
		option string
		part   string
	}{
		"good":         {func(c *search.Config) { c.Index = "logs-2026" }, "", ""},
		"alias":        {func(c *search.Config) { c.Index = "Logs.write" }, "", ""},
		"wildcard":     {func(c *search.Config) { c.Index = "logs-*" }, "index", "not the name of one index"},
		"list":         {func(c *search.Config) { c.Index = "a,b" }, "index", "not the name of one index"},
		"everything":   {func(c *search.Config) { c.Index = "_all" }, "index", "not the name of one index"},
		"system":       {func(c *search.Config) { c.Index = ".kibana" }, "index", "belong to the engine"},
		"template":     {func(c *search.Config) { c.Index = "restored-{index}-2" }, "", ""},
		"other field":  {func(c *search.Config) { c.Index = "logs-{date}" }, "index", "{index} is all that"},
		"twice":        {func(c *search.Config) { c.Index = "{index}-{index}" }, "index", "{index} is all that"},
		"system names": {func(c *search.Config) { c.Index = ".x-{index}" }, "index", "belong to the engine"},
		"bad names":    {func(c *search.Config) { c.Index = "{index}*" }, "index", "not the name of one index"},
		"renamed":      {func(c *search.Config) { c.Rename = []search.Renamed{{From: "a", To: "b"}, {From: ".c", To: "d"}} }, "", ""},
		"renamed bad":  {func(c *search.Config) { c.Rename = []search.Renamed{{From: "a", To: "b,c"}} }, "rename", "not the name of one index"},
		"renamed to":   {func(c *search.Config) { c.Rename = []search.Renamed{{From: "a", To: ".b"}} }, "rename", "belong to the engine"},
		"two names":    {func(c *search.Config) { c.Rename = []search.Renamed{{From: "a", To: "b"}, {From: "a", To: "c"}} }, "rename", "twice"},
		"one for all":  {func(c *search.Config) { c.Index, c.Rename = "x", []search.Renamed{{From: "a", To: "b"}} }, "rename", "write {index} in it"},
		"two ids":      {func(c *search.Config) { c.ID, c.IDField = "hash", "x" }, "id_field", "give one of them"},
		"no ids":       {func(c *search.Config) { c.ID, c.Action = "generate", "update" }, "id", "generate makes one"},
		"upsert":       {func(c *search.Config) { c.Upsert = true }, "upsert", "action: update"},
		"upsert well":  {func(c *search.Config) { c.Upsert, c.Action = true, "update" }, "", ""},
		"pipeline":     {func(c *search.Config) { c.Pipeline, c.Action = "p", "delete" }, "pipeline", "action: delete"},
		"no address":   {func(c *search.Config) { c.URL = nil }, "url", ""},
		"two accounts": {func(c *search.Config) { c.APIKey, c.Username = "k", "u" }, "api_key", ""},
	} {
		cfg := config("http://host:9200")
		c.change(cfg)
		list := cfg.Problems(kind.Env{})
		switch {
		case c.option == "" && len(list) != 0:
			t.Errorf("%s: %v, want no problem", name, list)
		case c.option != "" && (len(list) != 1 || list[0].Option != c.option || !strings.Contains(list[0].Message, c.part)):
			t.Errorf("%s: %v, want one of %s: %s", name, list, c.option, c.part)
		}
	}
}

func TestItTakesRecordsAndProposesLinesForBytes(t *testing.T) {
	cfg := config("http://host:9200")
	if p := cfg.Takes(kind.Records); p != nil {
		t.Errorf("records: %v, want none", p)
	}
	if p := cfg.Takes(kind.Bytes); p == nil || !strings.Contains(p.Message, "lines") || !strings.Contains(p.Message, "decompress") {
		t.Errorf("bytes: %v, want one that proposes lines and decompress", p)
	}
}

func TestTheIdentityIsTheTargetWithoutSecretsAndTuning(t *testing.T) {
	a, b, c := config("http://u:secret@host:9200/"), config("http://host:9200"), config("http://host:9200")
	b.Bulk, b.Retry, b.Username, b.Password = 1<<20, 1, "u", "secret"
	c.Index = "other"
	if a.Identity() != b.Identity() || strings.Contains(a.Identity(), "secret") {
		t.Errorf("%s and %s, want the same", a.Identity(), b.Identity())
	}
	if b.Identity() == c.Identity() {
		t.Errorf("%s, want another for another index", c.Identity())
	}
}

func TestTheNeedOfALaneIsTwoRequestsAndAReply(t *testing.T) {
	need := func(bulk unit.Bytes, maxRecord int64) (lane, shared int64) {
		cfg := config("http://host:9200")
		cfg.Bulk = bulk
		s, err := cfg.Build(kind.Env{MaxRecord: maxRecord})
		if err != nil {
			t.Fatal(err)
		}
		return s.(pipeline.Sized).Need()
	}
	if n, shared := need(8<<20, 1<<20); n < 20<<20 || n > 28<<20 || shared != 0 {
		t.Errorf("%d and %d for requests of 8 MiB, want a little more than two of them and a quarter", n, shared)
	}
	if n, shared := need(1<<20, 16<<20); n > 4<<20 || shared < 32<<20 {
		t.Errorf("%d and %d for records of 16 MiB, want two of them for all lanes together", n, shared)
	}
	if got, want := search.Sizes(); got != want {
		t.Errorf("sizes %v, want %v", got, want)
	}
}
