package test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
)

// TestMemoryDoesNotGrowWithTheData moves few and many documents each way, with
// one lane and with eight, under the default memory bound of 80 MiB. The peak
// stays under that plus 60 MB, and within 15 % of the peak for few.
// SLUICE_MEMORY_DOCUMENTS sets how many many is; few is a fifth of it.
func TestMemoryDoesNotGrowWithTheData(t *testing.T) {
	long(t)
	c, b := openSearch(t), newBucket(t)
	many, err := strconv.Atoi(os.Getenv("SLUICE_MEMORY_DOCUMENTS"))
	if err != nil {
		many = 1_000_000
	}
	for _, lanes := range []int{1, 8} {
		t.Run(fmt.Sprint(lanes, " lanes"), func(t *testing.T) {
			var few map[string]int64
			for _, n := range []int{many / 5, many} {
				peaks := moved(t, c, b, n, lanes)
				t.Logf("%d documents: load %.1f MB, dump %.1f MB", n, float64(peaks["load"])/1e6, float64(peaks["dump"])/1e6)
				for way, peak := range peaks {
					if peak > 150e6 {
						t.Errorf("%s of %d documents: peak %.1f MB, want at most 150", way, n, float64(peak)/1e6)
					}
					if few != nil && float64(peak) > 1.15*float64(few[way]) {
						t.Errorf("%s: peak %.1f MB for %d documents, %.1f MB for %d", way, float64(peak)/1e6, n, float64(few[way])/1e6, many/5)
					}
				}
				few = peaks
			}
		})
	}
}

// moved makes n documents in the bucket, loads and dumps them, and returns the
// peaks of resident memory in bytes.
func moved(t *testing.T, c cluster, b *bucket, n, lanes int) map[string]int64 {
	index := fmt.Sprintf("%s-%d", unique(t), n)
	c.index(t, index, 8, "")
	in, out := fmt.Sprintf("in-%d-%d/", n, lanes), fmt.Sprintf("out-%d-%d/", n, lanes)
	more := fmt.Sprintf("lanes: %d", lanes)
	j := newJob(t, pipelines(
		entry("make", stage("generate", fmt.Sprintf("records: %d", n), "bytes: 700"), "[{gzip: {}}]", b.stage(b.store.Endpoint, `key: "`+in+`{lane}-{sequence}.gz"`), "lanes: 8"),
		load("load", b.stage(b.store.Endpoint, "prefix: "+in), searchStage(c.url, index), more),
		dump("dump", searchStage(c.url, index), b.stage(b.store.Endpoint, `key: "`+out+`{index}/{lane}-{sequence}.gz"`), more),
	))
	peaks := map[string]int64{}
	for _, p := range []string{"make", "load", "dump"} {
		o := j.want(t, 0, p)
		if w := o.Reports[p].Records.Written; w != int64(n) {
			t.Fatalf("%s: %d records written, want %d", p, w, n)
		}
		if p != "make" {
			peaks[p] = o.MaxRSS
		}
	}
	if got := c.count(t, index); got != int64(n) {
		t.Fatalf("the index counts %d, want %d", got, n)
	}
	c.ask(t, "DELETE", "/"+index, "")
	return peaks
}
