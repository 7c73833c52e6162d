package ops_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/ops"
)

var update = flag.Bool("update", false, "write the examples of /api/v1 anew")

// TestTheAPIHasTheNamesThatOthersRead: the examples in testdata are what pages
// and scripts are built on.
func TestTheAPIHasTheNamesThatOthersRead(t *testing.T) {
	for path, v := range map[string]any{"testdata/pipelines.json": exampleOverview(), "testdata/pipeline.json": exampleDetail()} {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s: -want +got\n%s", path, diff)
		}
	}
}

func at(clock string) time.Time {
	t, err := time.Parse(time.RFC3339, "2026-11-22T"+clock+"Z")
	if err != nil {
		panic(err)
	}
	return t
}

func exampleOverview() ops.Overview {
	return ops.Overview{
		Version: "v1.0.0", Started: at("03:00:00"), Now: at("09:30:10"), Ready: true, Actions: ops.Allowed,
		Memory:        ops.Memory{Bound: 80 << 20, Reserved: 46 << 20, InFlight: 9 << 20},
		Configuration: ops.Configuration{At: at("08:00:02"), Error: "sluice.yaml:7:3: unknown key \"evry\"; did you mean \"every\"?"},
		Pipelines:     []ops.View{running(), failing(), waiting(), stalled(), paused(), finished()},
		Events:        events(),
	}
}

func exampleDetail() ops.Detail {
	return ops.Detail{
		View:  running(),
		Notes: []string{"without tombstones: documents that are deleted at the source stay"},
		Lanes: []ops.LaneView{
			{Name: "logs-0", State: "open", Records: ops.Records{Read: 180000, Written: 170000, Dead: 3}, Bytes: ops.Bytes{Read: 140 << 20, Written: 12 << 20},
				Objects: ops.Objects{Written: 1}, Expected: ops.Expected{Records: 400000}, Done: new(0.45), Left: new(61.0),
				Position: ops.Place{Token: "180000"}, Held: 4, Stage: "sink"},
			{Name: "logs-1", State: "failed", Starts: 1, Expected: ops.Expected{Records: 400000}, Done: new(0.0), Error: "source: lane logs-1: 503 all shards failed"},
			{Name: "logs-2", State: "waiting", Expected: ops.Expected{Records: 400000}},
			{Name: "logs-3", State: "ended", Records: ops.Records{Read: 400000, Written: 400000}, Bytes: ops.Bytes{Read: 311 << 20, Written: 27 << 20},
				Objects: ops.Objects{Written: 3}, Expected: ops.Expected{Records: 400000}, Done: new(1.0), Position: ops.Place{Token: "400000"}},
		},
		DeadLetters: ops.DeadLetters{
			Place: "./dead/logs", Show: "sluice dead-letters list logs", Replay: "sluice dead-letters replay logs",
			Reasons: []ops.DeadReason{
				{Reason: "mapper_parsing_exception", Stage: "sink", Count: 2, Last: at("09:29:40"), Example: &ops.Example{
					Lane: "logs-0", Key: "logs", Line: 4711, Reason: "400 mapper_parsing_exception: failed to parse field [status] of type [long]",
					Record: `{"_index":"logs","_id":"a1","_source":{"status":"<b>none</b>"}}`,
				}},
				{Reason: "record is too long", Stage: "lines", Count: 1, Last: at("09:12:03")},
			},
		},
		History: []ops.PassRecord{
			{Began: at("09:20:00"), Ended: at("09:24:10"), Tries: 1, Report: ops.Report{Outcome: ops.Partial, Pass: 6, Records: ops.Records{Read: 1600000, Written: 1599998, Dead: 2},
				Bytes: ops.Bytes{Read: 1244 << 20, Written: 108 << 20}, Objects: ops.Objects{Written: 12}, Lanes: ops.Lanes{Total: 4, Ended: 4}, Retries: map[string]int64{"429": 12}, Seconds: 250.2}},
			{Began: at("09:10:00"), Ended: at("09:10:31"), Tries: 4, Report: ops.Report{Outcome: ops.Failed, Pass: 6, Lanes: ops.Lanes{Total: 4}, Retries: map[string]int64{}, Seconds: 31, Error: "source: lane logs-0: connection refused"}},
			{Began: at("09:00:00"), Ended: at("09:04:01"), Tries: 1, Report: ops.Report{Outcome: ops.Complete, Pass: 5, Records: ops.Records{Read: 900000, Written: 900000},
				Bytes: ops.Bytes{Read: 700 << 20, Written: 61 << 20}, Objects: ops.Objects{Written: 8}, Lanes: ops.Lanes{Total: 4, Ended: 4}, Retries: map[string]int64{}, Seconds: 241}},
		},
		Errors: events()[:1], Events: events(),
		Configuration: "source:\n  opensearch:\n    url: https://search:9200\n    index: logs-*\n    password: ***\nsink:\n  s3:\n    bucket: archive\nlanes: 4\n",
	}
}

func events() []ops.Event {
	return []ops.Event{
		{Time: at("09:30:01"), Level: "warn", Pipeline: "audit", Message: "failing; tried again from its state", Values: map[string]any{"failures": 3, "wait": "2.1s", "error": "sink: lane a: 503"}, Repeated: 17},
		{Time: at("09:30:00"), Level: "info", Pipeline: "logs", Message: "pass begins", Values: map[string]any{}},
		{Time: at("08:00:02"), Level: "error", Message: "the configuration has errors; all stays as it is", Values: map[string]any{"error": "sluice.yaml:7:3: unknown key \"evry\""}},
	}
}

func stages(busiest string) []ops.StageView {
	all := []ops.StageView{
		{Name: "source", Kind: "opensearch", Busy: 0.4, Sending: 0.6, Items: 20, Records: 16000, Bytes: 12 << 20},
		{Name: "gzip", Kind: "gzip", Busy: 0.97, Receiving: 0.02, Sending: 0.01, Items: 20, Records: 16000, Bytes: 1 << 20},
		{Name: "sink", Kind: "s3", Busy: 0.1, Receiving: 0.9, Items: 20, Records: 16000, Bytes: 1 << 20},
	}
	for i := range all {
		all[i].Busiest = all[i].Name == busiest
	}
	return all
}

func running() ops.View {
	return ops.View{
		Name: "logs", State: ops.StateRunning, Running: true, Last: ops.Partial, Saved: at("09:30:09"), Success: at("09:24:10"),
		Pass: ops.PassView{
			Number: 7, Began: at("09:30:00"), Records: ops.Records{Read: 580000, Created: 0, Written: 570000, Dead: 3}, Bytes: ops.Bytes{Read: 451 << 20, Written: 39 << 20},
			Objects: ops.Objects{Written: 4}, Lanes: ops.LaneStock{Total: 4, Waiting: 1, Open: 1, Ended: 1, Failed: 1}, Expected: ops.Expected{Records: 1600000}, Done: new(0.3625), Left: new(63.5),
		},
		Rates: ops.Rates{RecordsIn: 16000, RecordsOut: 15800, BytesIn: 12 << 20, BytesOut: 1 << 20, ObjectsOut: 0.1},
		Lag:   ops.Lag{Seconds: new(610.0), Records: new(int64(1020000))}, Stages: stages("gzip"), Retries: map[string]int64{"429": 12, "timeout": 1}, Dead: 5,
	}
}

func failing() ops.View {
	return ops.View{
		Name: "audit", State: ops.StateFailing, Last: ops.Failed, Next: at("09:30:12"), Saved: at("09:29:58"), Success: at("07:00:00"),
		Failing: &ops.Failing{Since: at("09:25:00"), Failures: 3, Error: "sink: lane a: put archive/audit/1.gz: 503 SlowDown"},
		Pass:    ops.PassView{Number: 12, Began: at("09:25:00"), Lanes: ops.LaneStock{Total: 1, Failed: 1}, Done: new(0.0)},
		Lag:     ops.Lag{Seconds: new(9010.0)}, Stages: stages(""), Retries: map[string]int64{"503": 40}, Hooks: 1,
	}
}

func waiting() ops.View {
	return ops.View{
		Name: "nightly", State: ops.StateWaiting, Last: ops.Complete, Next: at("23:00:00"), Saved: at("03:10:00"), Success: at("03:10:00"),
		Pass: ops.PassView{Number: 3, Began: at("03:00:00"), Records: ops.Records{Read: 10, Written: 10}, Objects: ops.Objects{Read: 2, Written: 2}, Lanes: ops.LaneStock{Total: 2, Ended: 2}, Done: new(1.0)},
		Lag:  ops.Lag{Seconds: new(23410.0)}, Stages: stages(""), Retries: map[string]int64{},
	}
}

func stalled() ops.View {
	return ops.View{
		Name: "mirror", State: ops.StateStalled, Running: true, Saved: at("09:00:00"),
		Stalled: &ops.Stall{Since: at("09:00:00"), Stage: "sink", Lane: "a", Doing: "has taken 4 items that are not done"},
		Pass:    ops.PassView{Number: 1, Began: at("08:59:00"), Objects: ops.Objects{Read: 400, Written: 396}, Lanes: ops.LaneStock{Total: 1, Open: 1}},
		Stages:  stages("sink"), Retries: map[string]int64{},
	}
}

func paused() ops.View {
	return ops.View{Name: "tickets", State: ops.StatePaused, Last: ops.Stopped, Pass: ops.PassView{Number: 2, Began: at("09:00:00"), Lanes: ops.LaneStock{Total: 1, Waiting: 1}}, Stages: stages(""), Retries: map[string]int64{}}
}

func finished() ops.View {
	return ops.View{
		Name: "backfill", State: ops.StateComplete, Last: ops.Complete, Saved: at("06:00:00"), Success: at("06:00:00"),
		Pass: ops.PassView{Number: 1, Began: at("03:00:00"), Records: ops.Records{Read: 31000000, Written: 31000000}, Bytes: ops.Bytes{Read: 24 << 30, Written: 2 << 30},
			Objects: ops.Objects{Written: 44}, Lanes: ops.LaneStock{Total: 8, Ended: 8}, Expected: ops.Expected{Records: 31000000}, Done: new(1.0)},
		Stages: stages(""), Retries: map[string]int64{},
	}
}
