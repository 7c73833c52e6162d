package search_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"sluice/internal/pace"
	"sluice/internal/unit"
	"sluice/sinks/search"
)

func TestRequestsLeaveCompressedWhereThatIsSet(t *testing.T) {
	c := newCluster(t)
	c.item = func(n int, o op) outcome {
		if n < 2 && o.ID == "7" {
			return queueFull
		}
		return outcome{}
	}
	cfg := config(c.URL)
	cfg.Compression = "on"
	noise := make([]byte, 3<<10)
	for i := range noise {
		noise[i] = byte('0' + rand.N(75))
	}
	odd := rec("logs", "noise", `{"text":"`+strings.NewReplacer(`\`, "", `"`, "").Replace(string(noise))+`"}`)
	digits := make([]byte, 60<<10) // half of it is left, which is more than a buffer holds
	for i := range digits {
		digits[i] = byte(rand.N(256))
	}
	hex := rec("logs", "hex", fmt.Sprintf(`{"text":"%x"}`, digits))
	blocks := [][]string{long(0, 400), {rec("logs", "large", `{"text":"`+strings.Repeat("x", 300<<10)+`"}`)}, long(400, 10)}
	newLoading(blocks...).complete(t, cfg, 0)
	c.expect(t, blocks...)
	if c.zipped != len(c.bulks) {
		t.Errorf("%d of %d requests came compressed, want all", c.zipped, len(c.bulks))
	}
	before := c.zipped
	newLoading([]string{odd}, []string{hex}).complete(t, cfg, 0)
	if c.zipped != before {
		t.Error("a request that is not much smaller, or larger than a buffer, came compressed, want it in clear")
	}
}

// A limit of the network makes it slow.
func TestRequestsLeaveCompressedWhileTheNetworkIsSlow(t *testing.T) {
	for limit, want := range map[unit.Bytes]bool{0: false, 15 << 20: true} {
		c := newCluster(t)
		cfg := config(c.URL)
		cfg.Compression, cfg.Bulk, cfg.Limit = "auto", 1<<20, pace.Limit{Bytes: limit}
		newLoading(long(0, 10_000), long(10_000, 10_000)).complete(t, cfg, 0)
		if got := c.zipped > 0; got != want || c.zipped > len(c.bulks)-4 {
			t.Errorf("at %v a second: %d of %d requests came compressed, want some behind the fourth: %v", limit, c.zipped, len(c.bulks), want)
		}
	}
}

func TestAZipperTakesTheMemoryThatIsSaid(t *testing.T) {
	body := []byte(strings.Join(long(0, 10_000), ""))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	search.Zip(1<<20, body)
	runtime.ReadMemStats(&after)
	if took, said := after.TotalAlloc-before.TotalAlloc, search.ZipSize(1<<20); took > uint64(said) {
		t.Errorf("%d bytes were allocated, want %d at most", took, said)
	}
}
