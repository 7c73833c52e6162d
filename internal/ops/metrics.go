package ops

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Build is what was built.
type Build struct {
	Version string
	Commit  string
	Go      string
}

// Metrics answers with the metrics of the pipelines, of the Go runtime and of
// the process in the text format of Prometheus, and with others.
func Metrics(build Build, board *Board, others ...prometheus.Collector) http.Handler {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "sluice_build_info", Help: "What runs; always 1.",
		ConstLabels: prometheus.Labels{"version": build.Version, "commit": build.Commit, "go": build.Go},
	})
	info.Set(1)
	r := prometheus.NewRegistry()
	r.MustRegister(info, collector{board}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	r.MustRegister(others...)
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{})
}

// The metrics of pipelines. Labels are bounded: the names of pipelines, and
// words that are constant in the code. Counters are of this process and never
// go back.
var (
	recordsTotal = desc("records_total", "Records by what became of them: read + created = written + filtered + dead.", "what")
	bytesTotal   = desc("bytes_total", "Bytes as the source gave and as the sink stored them.", "what")
	objectsTotal = desc("objects_total", "Objects, files and commits by what became of them.", "what")
	retriesTotal = desc("retries_total", "Requests that were tried again, by cause.", "cause")
	passesTotal  = desc("passes_total", "Passes that ended, by outcome.", "outcome")
	lanesNow     = desc("lanes", "Lanes of the pass, by state.", "state")
	passNumber   = desc("pass", "Number of the pass under way, or of the last.")
	lastSave     = desc("last_save_timestamp_seconds", "When the state was last written; 0 if it was not.")
	failuresNow  = desc("failures_in_a_row", "Passes that failed since the last one that did not.")
	stalledNow   = desc("stalled", "1 while a pass gets nowhere for longer than stall, else 0.")
	pausedNow    = desc("paused", "1 while the pipeline is paused, else 0.")
	nextPass     = desc("next_pass_timestamp_seconds", "When the next pass begins; 0 while one is under way, and if none is to come.")
	hooksTotal   = desc("hooks_failed_total", "Hooks that failed, after all tries.")
	lastSuccess  = desc("last_success_timestamp_seconds", "When a pass was last complete; 0 if none was.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("sluice_"+name, help, append([]string{"pipeline"}, labels...), nil)
}

// collector takes the metrics of pipelines from their watches when it is asked.
type collector struct{ *Board }

// Describe implements [prometheus.Collector].
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{recordsTotal, bytesTotal, objectsTotal, retriesTotal, passesTotal, lanesNow, passNumber, lastSave, lastSuccess, failuresNow, stalledNow, pausedNow, nextPass, hooksTotal} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, w := range c.Watches() {
		s := w.Snapshot()
		gauge := func(d *prometheus.Desc, v float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{s.Name}, labels...)...)
		}
		count := func(d *prometheus.Desc, values map[string]int64) {
			for label, n := range values {
				out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), s.Name, label)
			}
		}
		t, l := s.Total, s.Lanes
		count(recordsTotal, map[string]int64{"read": t.Read, "created": t.Created, "written": t.Written, "filtered": t.Filtered, "dead": t.Dead})
		count(bytesTotal, map[string]int64{"read": t.BytesRead, "written": t.BytesWritten})
		count(objectsTotal, map[string]int64{"read": t.ObjectsRead, "written": t.ObjectsWritten, "skipped": t.Skipped, "deleted": t.Deleted, "vanished": t.GivenUp})
		count(retriesTotal, s.Retries)
		for _, o := range Outcomes {
			count(passesTotal, map[string]int64{string(o): s.Ended[o]})
		}
		gauge(lanesNow, float64(l.Open), "open")
		gauge(lanesNow, float64(l.Ended), "ended")
		gauge(lanesNow, float64(l.Failed), "failed")
		gauge(lanesNow, float64(l.Total-l.Open-l.Ended-l.Failed), "waiting")
		gauge(passNumber, float64(s.Pass))
		gauge(lastSave, unix(s.Saved))
		gauge(lastSuccess, unix(s.Success))
		gauge(failuresNow, float64(s.Care.Failures))
		gauge(stalledNow, flag(s.Care.Stalled != nil))
		gauge(pausedNow, flag(s.Care.Paused))
		gauge(nextPass, unix(s.Care.Next))
		out <- prometheus.MustNewConstMetric(hooksTotal, prometheus.CounterValue, float64(s.Care.Hooks), s.Name)
	}
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
