package ops

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Build is what was built.
type Build struct {
	Version string
	Commit  string
	Go      string
}

// family is a metric of pipelines. Labels are bounded: the names of pipelines,
// and words that are constant in the code.
type family struct {
	name, help string
	kind       string // counter or gauge
	label      string // beside pipeline; "" if there is none
	values     func(Snapshot) map[string]float64
}

// families are the metrics. Counters are of this process and never go back.
func families() []family {
	return []family{
		{"sluice_records_total", "Records by what became of them: read + created = written + filtered + dead.", "counter", "what", func(s Snapshot) map[string]float64 {
			t := s.Total
			return floats(map[string]int64{"read": t.Read, "created": t.Created, "written": t.Written, "filtered": t.Filtered, "dead": t.Dead})
		}},
		{"sluice_bytes_total", "Bytes as the source gave and as the sink stored them.", "counter", "what", func(s Snapshot) map[string]float64 {
			return floats(map[string]int64{"read": s.Total.BytesRead, "written": s.Total.BytesWritten})
		}},
		{"sluice_objects_total", "Objects, files and commits by what became of them.", "counter", "what", func(s Snapshot) map[string]float64 {
			t := s.Total
			return floats(map[string]int64{"read": t.ObjectsRead, "written": t.ObjectsWritten, "skipped": t.Skipped, "deleted": t.Deleted, "vanished": t.GivenUp})
		}},
		{"sluice_retries_total", "Requests that were tried again, by cause.", "counter", "cause", func(s Snapshot) map[string]float64 {
			return floats(s.Retries)
		}},
		{"sluice_passes_total", "Passes that ended, by outcome.", "counter", "outcome", func(s Snapshot) map[string]float64 {
			n := map[string]float64{}
			for _, o := range []Outcome{Failed, Stopped, Partial, Complete} {
				n[string(o)] = float64(s.Ended[o])
			}
			return n
		}},
		{"sluice_lanes", "Lanes of the pass, by state.", "gauge", "state", func(s Snapshot) map[string]float64 {
			l := s.Lanes
			return map[string]float64{"open": float64(l.Open), "ended": float64(l.Ended), "failed": float64(l.Failed), "waiting": float64(l.Total - l.Open - l.Ended - l.Failed)}
		}},
		{"sluice_pass", "Number of the pass under way, or of the last.", "gauge", "", func(s Snapshot) map[string]float64 {
			return map[string]float64{"": float64(s.Pass)}
		}},
		{"sluice_last_save_timestamp_seconds", "When the state was last written; 0 if it was not.", "gauge", "", func(s Snapshot) map[string]float64 {
			return map[string]float64{"": unix(s.Saved)}
		}},
		{"sluice_last_success_timestamp_seconds", "When a pass was last complete; 0 if none was.", "gauge", "", func(s Snapshot) map[string]float64 {
			return map[string]float64{"": unix(s.Success)}
		}},
	}
}

func floats(m map[string]int64) map[string]float64 {
	f := make(map[string]float64, len(m))
	for k, n := range m {
		f[k] = float64(n)
	}
	return f
}

func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// Metrics answers with the metrics of the pipelines in the text format of Prometheus.
func Metrics(build Build, watches ...*Watch) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		var b strings.Builder
		fmt.Fprintf(&b, "# HELP sluice_build_info What runs; always 1.\n# TYPE sluice_build_info gauge\nsluice_build_info{version=%s,commit=%s,go=%s} 1\n",
			quote(build.Version), quote(build.Commit), quote(build.Go))
		shots := make([]Snapshot, len(watches))
		for i, watch := range watches {
			shots[i] = watch.Snapshot()
		}
		for _, f := range families() {
			f.write(&b, shots)
		}
		io.WriteString(w, b.String())
	})
}

func (f family) write(b *strings.Builder, shots []Snapshot) {
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", f.name, f.help, f.name, f.kind)
	for _, s := range shots {
		values := f.values(s)
		for _, v := range slices.Sorted(maps.Keys(values)) {
			label := ""
			if f.label != "" {
				label = "," + f.label + "=" + quote(v)
			}
			fmt.Fprintf(b, "%s{pipeline=%s%s} %s\n", f.name, quote(s.Name), label, strconv.FormatFloat(values[v], 'g', -1, 64))
		}
	}
}

// quote writes the value of a label.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
