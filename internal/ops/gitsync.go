package ops

import (
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// GitSync are metrics of the pipelines on a board whose sink makes directories,
// by the names that kubeckup's git-sync gives them, so that its dashboards and
// alerts go on. The label pipeline is ours.
type GitSync struct{ *Board }

// directories is a sink that makes files in directories, one for each cluster.
type directories interface {
	// Directories is how many there are, as the last pass has it.
	Directories() int64
}

var (
	syncDuration  = syncDesc("duration_seconds", "Seconds that passes took.")
	syncErrors    = syncDesc("errors_total", "Passes that failed.")
	syncFiles     = syncDesc("files_processed_total", "Files that were read, or found to be as they were.")
	syncSuccess   = syncDesc("last_success_timestamp", "When a pass was last complete; 0 if none was.")
	syncDirectory = syncDesc("clusters_backed_up", "Directories below the path of the pipeline, as the last pass has it.")
)

func syncDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("git_sync_"+name, help, []string{"pipeline"}, nil)
}

// Describe implements [prometheus.Collector].
func (GitSync) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{syncDuration, syncErrors, syncFiles, syncSuccess, syncDirectory} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (g GitSync) Collect(out chan<- prometheus.Metric) {
	for _, w := range g.Watches() {
		d, ok := w.sink().(directories)
		if !ok {
			continue
		}
		s := w.Snapshot()
		out <- prometheus.MustNewConstHistogram(syncDuration, s.Took.n, s.Took.sum, s.Took.buckets, s.Name)
		out <- prometheus.MustNewConstMetric(syncErrors, prometheus.CounterValue, float64(s.Ended[Failed]), s.Name)
		out <- prometheus.MustNewConstMetric(syncFiles, prometheus.CounterValue, float64(s.Total.ObjectsRead+s.Total.Skipped), s.Name)
		out <- prometheus.MustNewConstMetric(syncSuccess, prometheus.GaugeValue, unix(s.Success), s.Name)
		out <- prometheus.MustNewConstMetric(syncDirectory, prometheus.GaugeValue, float64(d.Directories()), s.Name)
	}
}

// Times are how long passes took. The zero Times are of none.
type Times struct {
	n       uint64
	sum     float64
	buckets map[float64]uint64 // passes that took no longer, by seconds
}

// limits of the buckets, in seconds: those of git-sync, and longer ones.
var limits = append(prometheus.DefBuckets[:len(prometheus.DefBuckets):len(prometheus.DefBuckets)], 30, 60, 300, 900, 3600)

func (t *Times) add(d time.Duration) {
	if t.buckets == nil {
		t.buckets = map[float64]uint64{}
	}
	t.n++
	t.sum += d.Seconds()
	for _, most := range limits {
		n := t.buckets[most]
		if d.Seconds() <= most {
			n++
		}
		t.buckets[most] = n
	}
}

func (t Times) clone() Times {
	t.buckets = maps.Clone(t.buckets)
	return t
}
