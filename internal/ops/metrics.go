package ops

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sluice/pipeline"
)

// Build is what was built.
type Build struct {
	Version string
	Commit  string
	Go      string
}

// Registry has the metrics of the pipelines, of the Go runtime and of the
// process, and others. memory is the option, in bytes.
func Registry(build Build, board *Board, memory int64, others ...prometheus.Collector) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(process{build, board, memory}, collector{board}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	r.MustRegister(others...)
	return r
}

// process is the metrics of the process.
type process struct {
	Build
	*Board
	memory int64
}

var (
	buildInfo   = prometheus.NewDesc("sluice_build_info", "What runs; always 1.", []string{"version", "commit", "go"}, nil)
	memoryBound = prometheus.NewDesc("sluice_memory_bound_bytes", "The option memory, which bounds what all pipelines have in flight.", nil, nil)
	configOK    = prometheus.NewDesc("sluice_configuration_ok", "0 while the configuration has errors, and an older one is in use; else 1.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (p process) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{buildInfo, memoryBound, configOK} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (p process) Collect(out chan<- prometheus.Metric) {
	out <- prometheus.MustNewConstMetric(buildInfo, prometheus.GaugeValue, 1, p.Version, p.Commit, p.Go)
	out <- prometheus.MustNewConstMetric(memoryBound, prometheus.GaugeValue, float64(p.memory))
	out <- prometheus.MustNewConstMetric(configOK, prometheus.GaugeValue, flag(p.Configuration().Error == ""))
}

// The metrics of pipelines. Labels are bounded: the names of pipelines and
// stages, words that are constant in the code, and at most 20 reasons of dead
// letters for each pipeline, after which they are "other". Counters are of this
// process and never go back.
var (
	recordsTotal = desc("records_total", "Records by what became of them: read + created = written + filtered + dead.", "what")
	bytesTotal   = desc("bytes_total", "Bytes as the source gave and as the sink stored them.", "what")
	objectsTotal = desc("objects_total", "Objects, files and commits by what became of them.", "what")
	retriesTotal = desc("retries_total", "Requests that were tried again, by cause.", "cause")
	passesTotal  = desc("passes_total", "Passes that ended, by outcome.", "outcome")
	deadTotal    = desc("dead_letters_total", "Dead letters that were written, by the stage that wrote them and the reason.", "stage", "reason")
	hooksTotal   = desc("hooks_failed_total", "Hooks that failed, after all tries.")

	stageItems   = desc("stage_items_total", "Blocks and objects that came into a stage and went out of it.", "stage", "direction")
	stageRecords = desc("stage_records_total", "Records in them, where they are known: those of objects are not before they are read.", "stage", "direction")
	stageBytes   = desc("stage_bytes_total", "Bytes of them, where they are known when they pass: those of streams are not behind a filter.", "stage", "direction")
	stageSeconds = desc("stage_seconds_total", "What stages did, in seconds of each lane: busy (they worked, or waited for a server), receiving (they waited for input), sending (they waited for the next stage).", "stage", "doing")

	runningNow   = desc("running", "1 while a pass is under way, else 0.")
	lanesNow     = desc("lanes", "Lanes of the pass, by state.", "state")
	passNumber   = desc("pass", "Number of the pass under way, or of the last.")
	expectedNow  = desc("expected_records", "Records that the source expects to give in the pass; 0 if it does not know.")
	lagSeconds   = desc("lag_seconds", "Whatever was at the source so long ago was delivered: time since the last complete pass began. Not there before one was complete, nor once no more is to come.")
	lagRecords   = desc("lag_records", "Records of the pass that are not delivered yet, or sequence numbers of a source that is followed. Not there if that is unknown.")
	lagBytes     = desc("lag_bytes", "Likewise in bytes of the source.")
	lagObjects   = desc("lag_objects", "Likewise in objects of a bucket, once a pass that reads all of them has counted them.")
	inFlight     = desc("in_flight_bytes", "Bytes of the blocks that hold records now.")
	reserved     = desc("reserved_bytes", "Memory that the lanes which are open may take.")
	requestLimit = desc("request_limit", "Requests that may be under way at the same time, as the load of the server allows; 0 is any number.", "stage", "requests")
	lastSave     = desc("last_save_timestamp_seconds", "When the state was last written; 0 if it was not.")
	writableNow  = desc("state_writable", "0 after a write to the state that failed, else 1.")
	lastSuccess  = desc("last_success_timestamp_seconds", "When a pass was last complete; 0 if none was.")
	failuresNow  = desc("failures_in_a_row", "Passes that failed since the last one that did not.")
	stalledNow   = desc("stalled", "1 while a pass gets nowhere for longer than stall, else 0.")
	pausedNow    = desc("paused", "1 while the pipeline is paused, else 0.")
	interval     = desc("schedule_interval_seconds", "The longest time between two passes that are due. Not there if only one is.")
	nextPass     = desc("next_pass_timestamp_seconds", "When the next pass begins; 0 while one is under way, and if none is to come.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("sluice_"+name, help, append([]string{"pipeline"}, labels...), nil)
}

// collector takes the metrics of pipelines from their watches when it is asked.
type collector struct{ *Board }

// Describe implements [prometheus.Collector].
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		recordsTotal, bytesTotal, objectsTotal, retriesTotal, passesTotal, deadTotal, hooksTotal, stageItems, stageRecords, stageBytes, stageSeconds,
		runningNow, lanesNow, passNumber, expectedNow, lagSeconds, lagRecords, lagBytes, lagObjects, inFlight, reserved, requestLimit, lastSave, writableNow, lastSuccess,
		failuresNow, stalledNow, pausedNow, interval, nextPass,
	} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, w := range c.Watches() {
		s := w.Snapshot()
		m := meter{out, s.Name}
		m.counters(s)
		m.stages(s.stages)
		m.gauges(s)
	}
}

// meter gives the metrics of one pipeline.
type meter struct {
	out  chan<- prometheus.Metric
	name string
}

func (m meter) gauge(d *prometheus.Desc, v float64, labels ...string) {
	m.out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{m.name}, labels...)...)
}

func (m meter) count(d *prometheus.Desc, v float64, labels ...string) {
	m.out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, append([]string{m.name}, labels...)...)
}

func (m meter) counts(d *prometheus.Desc, values map[string]int64) {
	for label, n := range values {
		m.count(d, float64(n), label)
	}
}

func (m meter) counters(s Snapshot) {
	t := s.Total
	m.counts(recordsTotal, map[string]int64{"read": t.Read, "created": t.Created, "written": t.Written, "filtered": t.Filtered, "dead": t.Dead})
	m.counts(bytesTotal, map[string]int64{"read": t.BytesRead, "written": t.BytesWritten})
	m.counts(objectsTotal, map[string]int64{"read": t.ObjectsRead, "written": t.ObjectsWritten, "skipped": t.Skipped, "deleted": t.Deleted, "vanished": t.GivenUp})
	m.counts(retriesTotal, s.Retries)
	for _, o := range Outcomes {
		m.count(passesTotal, float64(s.Ended[o]), string(o))
	}
	for _, d := range s.dead {
		m.count(deadTotal, float64(d.Count), d.Stage, d.Reason)
	}
	m.count(hooksTotal, float64(s.Care.Hooks))
}

func (m meter) stages(all map[string]stageTotal) {
	for name, t := range all {
		m.count(stageSeconds, t.busy.Seconds(), name, "busy")
		m.count(stageSeconds, t.receiving.Seconds(), name, "receiving")
		m.count(stageSeconds, t.sending.Seconds(), name, "sending")
		if name != "source" {
			m.flow(t.in, name, "in")
		}
		if name != "sink" {
			m.flow(t.out, name, "out")
		}
	}
}

func (m meter) flow(f pipeline.Flow, stage, direction string) {
	m.count(stageItems, float64(f.Items), stage, direction)
	m.count(stageRecords, float64(f.Records), stage, direction)
	m.count(stageBytes, float64(f.Bytes), stage, direction)
}

func (m meter) gauges(s Snapshot) {
	l := s.Lanes
	m.gauge(lanesNow, float64(l.Open), "open")
	m.gauge(lanesNow, float64(l.Ended), "ended")
	m.gauge(lanesNow, float64(l.Failed), "failed")
	m.gauge(lanesNow, float64(l.Total-l.Open-l.Ended-l.Failed), "waiting")
	m.gauge(runningNow, flag(s.Running))
	m.gauge(passNumber, float64(s.Pass))
	m.gauge(expectedNow, float64(s.Expected.Records))
	if s.lag.Seconds != nil {
		m.gauge(lagSeconds, *s.lag.Seconds)
	}
	if s.lag.Records != nil {
		m.gauge(lagRecords, float64(*s.lag.Records))
	}
	if s.lag.Bytes != nil {
		m.gauge(lagBytes, float64(*s.lag.Bytes))
	}
	if s.lag.Objects != nil {
		m.gauge(lagObjects, float64(*s.lag.Objects))
	}
	m.gauge(inFlight, float64(s.held))
	m.gauge(reserved, float64(s.reserved))
	for limit, n := range s.limits {
		m.gauge(requestLimit, float64(n), limit.Stage, limit.Requests)
	}
	m.gauge(lastSave, unix(s.Saved))
	m.gauge(writableNow, flag(s.writable))
	m.gauge(lastSuccess, unix(s.Success))
	m.gauge(failuresNow, float64(s.Care.Failures))
	m.gauge(stalledNow, flag(s.Care.Stalled != nil))
	m.gauge(pausedNow, flag(s.Care.Paused))
	if s.Care.Interval > 0 {
		m.gauge(interval, s.Care.Interval.Seconds())
	}
	m.gauge(nextPass, unix(s.Care.Next))
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
