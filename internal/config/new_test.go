package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/config"
)

func TestSettingsMakeAPipelineLikeAFile(t *testing.T) {
	f, err := config.New("copy", []config.Setting{
		{Path: "memory", Value: "100MiB"},
		{Path: "source.opensearch.url", Value: "http://one:9200"},
		{Path: "source.opensearch.url", Value: "http://two:9200"},
		{Path: "source.opensearch.index", Value: "2024"},
		{Path: "source.opensearch.password", Value: "$hunter2${X}"},
		{Path: "source.opensearch.tls.insecure", Value: "true"},
		{Path: "transforms.0.lines"},
		{Path: "transforms.1.gzip"},
		{Path: "transforms.1.gzip.level", Value: "3"},
		{Path: "sink.s3.bucket", Value: "archive"},
		{Path: "sink.s3.key", Value: "{lane}"},
		{Path: "sink.s3.roll.bytes", Value: "10MiB"},
		{Path: "dead_letters.file.path", Value: "dead"},
		{Path: "lanes", Value: "8"},
	}, options())
	if err != nil {
		t.Fatal(err)
	}
	p := f.Pipelines[0]
	s, o := p.Source.Options.(*search), p.Sink.Options.(*bucketSink)
	if diff := cmp.Diff([]string{"http://one:9200", "http://two:9200"}, s.URL); diff != "" {
		t.Errorf("url differs (-want +got):\n%s", diff)
	}
	if f.Memory != 100<<20 || p.Name != "copy" || s.Index != "2024" || s.Password.Reveal() != "$hunter2${X}" || !s.TLS.Insecure ||
		p.Transforms[0].Name != "lines" || p.Transforms[1].Options.(*gzip).Level != 3 || o.Roll.Bytes != 10<<20 || o.Part != 8<<20 ||
		p.DeadLetters.File.Path != "dead" || p.Lanes != 8 || p.Line != 0 {
		t.Errorf("got %+v, want what the settings say", p)
	}
}

func TestErrorsOfSettingsNameTheFlagOrThePath(t *testing.T) {
	_, err := config.New("copy", []config.Setting{
		{Path: "source.opensearch.index", Value: "logs"},
		{Path: "source.opensearch.password", Value: "hunter2", Flag: "--password"},
		{Path: "source.opensearch.password", Value: "hunter2", Flag: "--password"},
		{Path: "source.opensearch.pages", Value: "5", Flag: "--set pages"},
		{Path: "transforms.0.gzip.level", Value: "fast", Flag: "--gzip"},
		{Path: "sink.s3.bucket", Value: "archive"},
		{Path: "sink.s3.key", Value: "x"},
		{Path: "sink.s3.roll.bytes", Value: "64Mb"},
		{Path: "lanes", Value: "0", Flag: "--lanes"},
		{Path: "http", Value: "here", Flag: "--http"},
		{Path: "loud", Value: "very"},
	}, options())
	var errs config.Errors
	if !errors.As(err, &errs) {
		t.Fatalf("got %v, want errors", err)
	}
	want := strings.Split(`--lanes: 0 is too small; the least is 1
loud: unknown key "loud"; known here: cron, dead_letters, every, grace, hooks, lanes, max_record, missed, mode, on_error, sink, sinks, source, stall, time_zone, transforms
sink.s3.roll.bytes: "64Mb" is not a size; write one as 64MiB, 500KB or 1GiB
--set pages: unknown key "pages"; did you mean "page"?
--password: one value is expected, not a list
source.opensearch.url: it is missing; address of the cluster, or a list of them
--gzip: "fast" is not a whole number
--http: "here" is no address with a port, such as 127.0.0.1:9600
sink.s3.key: two lanes would write the same key; it needs {lane}`, "\n")
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("the errors differ (-want +got):\n%s", diff)
	}
}

func TestSettingsOfNothingSayWhatIsMissing(t *testing.T) {
	_, err := config.New("copy", nil, options())
	if err == nil || !strings.Contains(err.Error(), "source: it is missing") || !strings.Contains(err.Error(), "sink: it is missing") {
		t.Errorf("got %v, want errors of the source and of the sink", err)
	}
}
