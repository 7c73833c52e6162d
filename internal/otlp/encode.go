package otlp

import (
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"
)

// scope is who made the metrics, and what their names begin with.
const scope = "sluice"

// encode makes a request of the metrics of Sluice; those of the Go runtime stay
// here. Names are those that Prometheus sees. MetricsData is on the wire what
// ExportMetricsServiceRequest is, whose package needs all of gRPC.
func encode(families []*dto.MetricFamily, version string, began, now time.Time) ([]byte, error) {
	out := &metrics.ScopeMetrics{Scope: &common.InstrumentationScope{Name: scope, Version: version}}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), scope+"_") {
			continue
		}
		m := &metrics.Metric{Name: f.GetName(), Description: f.GetHelp(), Unit: unitOf(f.GetName())}
		switch f.GetType() {
		case dto.MetricType_COUNTER:
			m.Data = &metrics.Metric_Sum{Sum: &metrics.Sum{
				AggregationTemporality: metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE, IsMonotonic: true,
				DataPoints: points(f.GetMetric(), began, now, func(m *dto.Metric) float64 { return m.GetCounter().GetValue() }),
			}}
		case dto.MetricType_GAUGE:
			m.Data = &metrics.Metric_Gauge{Gauge: &metrics.Gauge{
				DataPoints: points(f.GetMetric(), time.Time{}, now, func(m *dto.Metric) float64 { return m.GetGauge().GetValue() }),
			}}
		default:
			continue
		}
		out.Metrics = append(out.Metrics, m)
	}
	who := &resource.Resource{Attributes: []*common.KeyValue{text("service.name", scope), text("service.version", version)}}
	return proto.Marshal(&metrics.MetricsData{ResourceMetrics: []*metrics.ResourceMetrics{{Resource: who, ScopeMetrics: []*metrics.ScopeMetrics{out}}}})
}

// points gives one for each set of labels; since when it counts, if it does.
func points(all []*dto.Metric, since, now time.Time, value func(*dto.Metric) float64) (out []*metrics.NumberDataPoint) {
	for _, m := range all {
		p := &metrics.NumberDataPoint{TimeUnixNano: uint64(now.UnixNano()), Value: &metrics.NumberDataPoint_AsDouble{AsDouble: value(m)}}
		if !since.IsZero() {
			p.StartTimeUnixNano = uint64(since.UnixNano())
		}
		for _, l := range m.GetLabel() {
			p.Attributes = append(p.Attributes, text(l.GetName(), l.GetValue()))
		}
		out = append(out, p)
	}
	return out
}

func text(key, value string) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: value}}}
}

// unitOf is the unit that a name ends with, as UCUM writes it.
func unitOf(name string) string {
	name = strings.TrimSuffix(name, "_total")
	switch {
	case strings.HasSuffix(name, "_seconds"):
		return "s"
	case strings.HasSuffix(name, "_bytes"):
		return "By"
	}
	return "1"
}
