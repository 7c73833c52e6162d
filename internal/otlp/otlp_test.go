package otlp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"sluice/internal/otlp"
	"sluice/internal/unit"
)

// collector takes what is pushed, after it has refused some of it.
type collector struct {
	mu      sync.Mutex
	refuse  []int // statuses
	header  http.Header
	path    string
	got     []*metrics.MetricsData
	refused int
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	c.header, c.path = r.Header, r.URL.Path
	if c.refused < len(c.refuse) {
		c.refused++
		http.Error(w, "refused", c.refuse[c.refused-1])
		return
	}
	data := new(metrics.MetricsData)
	if err := proto.Unmarshal(body, data); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.got = append(c.got, data)
}

func registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	records := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sluice_records_total", Help: "Records."}, []string{"pipeline", "what"})
	records.WithLabelValues("p", "written").Add(5)
	save := prometheus.NewGauge(prometheus.GaugeOpts{Name: "sluice_last_save_timestamp_seconds", Help: "When."})
	save.Set(12.5)
	other := prometheus.NewGauge(prometheus.GaugeOpts{Name: "go_goroutines", Help: "Not of Sluice."})
	r.MustRegister(records, save, other)
	return r
}

func pusher(t *testing.T, c *collector, path string) (*otlp.Pusher, *[]error) {
	t.Helper()
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	var failed []error
	return &otlp.Pusher{
		Config: &otlp.Config{Endpoint: s.URL + path, Headers: "api-key=a%20b, x=y", Every: unit.Duration(time.Hour)},
		From:   registry(), Version: "v1", Began: time.Unix(100, 0), Failed: func(err error) { failed = append(failed, err) },
	}, &failed
}

func TestWhatIsPushedIsOTLP(t *testing.T) {
	c := &collector{}
	p, _ := pusher(t, c, "")
	if err := p.Push(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.path != "/v1/metrics" || c.header.Get("Api-Key") != "a b" || c.header.Get("X") != "y" || c.header.Get("Content-Type") != "application/x-protobuf" {
		t.Errorf("got %s, %v", c.path, c.header)
	}
	r := c.got[0].GetResourceMetrics()[0]
	if got := r.GetResource().GetAttributes()[0]; got.GetKey() != "service.name" || got.GetValue().GetStringValue() != "sluice" {
		t.Errorf("got %v, want the name of the service", got)
	}
	all := r.GetScopeMetrics()[0].GetMetrics()
	if len(all) != 2 {
		t.Fatalf("got %v, want the two of Sluice", all)
	}
	save, sum := all[0], all[1]
	if save.GetName() != "sluice_last_save_timestamp_seconds" || save.GetUnit() != "s" || save.GetGauge().GetDataPoints()[0].GetAsDouble() != 12.5 {
		t.Errorf("got %v", save)
	}
	point := sum.GetSum().GetDataPoints()[0]
	if sum.GetName() != "sluice_records_total" || !sum.GetSum().GetIsMonotonic() || point.GetAsDouble() != 5 || point.GetStartTimeUnixNano() != 100e9 || point.GetTimeUnixNano() < 100e9 ||
		sum.GetSum().GetAggregationTemporality() != metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE {
		t.Errorf("got %v", sum)
	}
	labels := map[string]string{}
	for _, a := range point.GetAttributes() {
		labels[a.GetKey()] = a.GetValue().GetStringValue()
	}
	if labels["pipeline"] != "p" || labels["what"] != "written" || len(labels) != 2 {
		t.Errorf("got %v", labels)
	}
}

func TestAPathIsTakenAsItIs(t *testing.T) {
	c := &collector{}
	p, _ := pusher(t, c, "/otlp/v1/metrics")
	if err := p.Push(t.Context()); err != nil || c.path != "/otlp/v1/metrics" {
		t.Errorf("got %s, %v", c.path, err)
	}
}

func TestACollectorThatIsBusyIsAskedAgain(t *testing.T) {
	c := &collector{refuse: []int{503, 429}}
	p, _ := pusher(t, c, "")
	if err := p.Push(t.Context()); err != nil || len(c.got) != 1 {
		t.Errorf("got %d, %v, want it pushed at the third try", len(c.got), err)
	}
}

func TestACollectorThatRefusesIsNotAskedAgain(t *testing.T) {
	c := &collector{refuse: []int{401, 401}}
	p, _ := pusher(t, c, "")
	if err := p.Push(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "otlp: 401") || c.refused != 1 {
		t.Errorf("got %v after %d, want one try", err, c.refused)
	}
}

// TestTheLastFiguresArePushedWhenTheRunEnds, and that fails nothing.
func TestTheLastFiguresArePushedWhenTheRunEnds(t *testing.T) {
	c := &collector{}
	p, failed := pusher(t, c, "")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	p.Run(ctx)
	if len(c.got) != 1 || len(*failed) != 0 {
		t.Errorf("got %d pushed, %v, want one", len(c.got), *failed)
	}
	c.refuse = []int{400}
	if p.Run(ctx); len(*failed) != 1 {
		t.Errorf("got %v, want to be told that it failed", *failed)
	}
}

func TestWhatCannotBeUsedIsAProblem(t *testing.T) {
	for endpoint, bad := range map[string]bool{"http://c:4318": false, "https://c/x": false, "c:4317": true, "grpc://c": true, "": true} {
		if got := (&otlp.Config{Endpoint: endpoint}).Problems(); (len(got) > 0) != bad {
			t.Errorf("%s: got %v", endpoint, got)
		}
	}
	for headers, bad := range map[unit.Secret]bool{"": false, "a=b": false, "a=b,c=": false, "a": true, "=b": true, "a=%zz": true, "a=b%0d%0ac": true} {
		got := (&otlp.Config{Endpoint: "http://c", Headers: headers}).Problems()
		if (len(got) > 0) != bad {
			t.Errorf("%q: got %v", headers.Reveal(), got)
		}
		for _, p := range got {
			if strings.Contains(p.Message, headers.Reveal()) && len(headers) > 3 {
				t.Errorf("got %s, want no secret in it", p.Message)
			}
		}
	}
}
