// Package monitoring tests what deploy has for Prometheus and Grafana: with the
// real Prometheus, beside a daemon that moves data.
package monitoring

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"sluice/test/servers"
)

const (
	alertsFile    = "../../deploy/prometheus/alerts.yaml"
	scrapeFile    = "../../deploy/prometheus/prometheus.yaml"
	dashboardFile = "../../deploy/grafana/sluice.json"
	rulesTest     = "testdata/alerts_test.yaml"
)

func tool(t *testing.T, in io.Reader, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = in
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	return string(out)
}

func readYAML(t *testing.T, path string, v any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// alerts are the names of the alerts in the rules.
func alerts(t *testing.T) (names []string) {
	t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr         string
				Labels, Annotations map[string]string
			}
		}
	}
	readYAML(t, alertsFile, &rules)
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			if r.Labels["severity"] == "" || r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s: got %v and %v, want a severity, a summary and a description", r.Alert, r.Labels, r.Annotations)
			}
			names = append(names, r.Alert)
		}
	}
	return names
}

// TestEachAlertFiresInItsTest: promtool runs the tests of the rules, and there
// is no alert that none of them lets fire, or keeps from firing.
func TestEachAlertFiresInItsTest(t *testing.T) {
	_, promtool := servers.Prometheus(t)
	tool(t, nil, promtool, "check", "config", scrapeFile)
	tool(t, nil, promtool, "check", "rules", alertsFile)
	tool(t, nil, promtool, "test", "rules", rulesTest)
	var tests struct {
		Tests []struct {
			Cases []struct {
				Alert    string `yaml:"alertname"`
				Expected []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	readYAML(t, rulesTest, &tests)
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, one := range tests.Tests {
		for _, c := range one.Cases {
			fires[c.Alert] = fires[c.Alert] || len(c.Expected) > 0
			silent[c.Alert] = silent[c.Alert] || len(c.Expected) == 0
		}
	}
	for _, name := range alerts(t) {
		if !fires[name] || !silent[name] {
			t.Errorf("%s: fires %v, is silent %v, want a test of both", name, fires[name], silent[name])
		}
	}
}

// query is one of a panel.
type query struct{ panel, expr string }

// queries are those of the dashboard, as Grafana sends them for all pipelines.
func queries(t *testing.T) (all []query) {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q has no query", p.Title)
		}
		for _, target := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "10s", "$pipeline", ".*").Replace(target.Expr)
			if strings.Contains(expr, "$") {
				t.Errorf("panel %q: %s has a variable that is not known", p.Title, expr)
			}
			all = append(all, query{p.Title, expr})
		}
	}
	return all
}

// TestEveryPanelShowsDataOfARunningDaemon: of one that moves data, fails, tries
// again, and has dead letters.
func TestEveryPanelShowsDataOfARunningDaemon(t *testing.T) {
	program, promtool := servers.Prometheus(t)
	left := queries(t)
	addr := daemon(t)
	server, err := servers.StartPrometheus(t.Context(), program, scrapes(t, addr), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)

	for deadline := time.Now().Add(2 * time.Minute); len(left) > 0 && time.Now().Before(deadline); time.Sleep(time.Second) {
		left = slices.DeleteFunc(left, func(q query) bool { return len(ask(t, server.URL, q.expr)) > 0 })
	}
	page := get(t, "http://"+addr+"/metrics")
	for _, q := range left {
		t.Errorf("panel %q: no data of %s", q.panel, q.expr)
	}
	if t.Failed() {
		t.Logf("%s", page)
	}
	tool(t, bytes.NewReader(page), promtool, "check", "metrics")
	evaluated(t, server.URL)
}

// evaluated waits until Prometheus has evaluated all alerts, without an error.
func evaluated(t *testing.T, server string) {
	t.Helper()
	type rule struct{ Name, Health, LastError, State string }
	var got map[string]rule
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		var reply struct {
			Data struct{ Groups []struct{ Rules []rule } }
		}
		if err := json.Unmarshal(get(t, server+"/api/v1/rules"), &reply); err != nil {
			t.Fatal(err)
		}
		got = map[string]rule{}
		for _, g := range reply.Data.Groups {
			for _, r := range g.Rules {
				got[r.Name] = r
			}
		}
		bad := slices.DeleteFunc(alerts(t), func(name string) bool { return got[name].Health == "ok" })
		if len(bad) == 0 && got["SluiceFailing"].State == "pending" && got["SluiceDeadLetters"].State == "firing" {
			return
		}
	}
	t.Errorf("got %+v, want all evaluated, SluiceFailing pending and SluiceDeadLetters firing", got)
}

// ask asks Prometheus, and gives the series of the answer.
func ask(t *testing.T, server, expr string) []json.RawMessage {
	t.Helper()
	var reply struct {
		Status, Error string
		Data          struct {
			Result []struct{ Value []any }
		}
	}
	if err := json.Unmarshal(get(t, server+"/api/v1/query?query="+url.QueryEscape(expr)), &reply); err != nil || reply.Status != "success" {
		t.Fatalf("%s: %v %s", expr, err, reply.Error)
	}
	var found []json.RawMessage
	for _, r := range reply.Data.Result {
		if len(r.Value) == 2 && r.Value[1] != "NaN" {
			found = append(found, nil)
		}
	}
	return found
}

func get(t *testing.T, address string) []byte {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// scrapes makes a configuration of Prometheus of the one in deploy: for a daemon
// at an address, and often.
func scrapes(t *testing.T, addr string) string {
	t.Helper()
	text, err := os.ReadFile(scrapeFile)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	changed := string(text)
	for old, new := range map[string]string{"127.0.0.1:9600": addr, "15s": "1s", "[alerts.yaml]": fmt.Sprintf("[%q]", rules)} {
		if !strings.Contains(changed, old) {
			t.Fatalf("%s has no %s", scrapeFile, old)
		}
		changed = strings.ReplaceAll(changed, old, new)
	}
	path := filepath.Join(t.TempDir(), "prometheus.yaml")
	if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// daemon starts sluice with pipelines of all kinds, and gives its address. It is
// stopped with the test.
func daemon(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.TrimSuffix(r.URL.Path, "/") == "/b" { // lists one object, which cannot be read
			io.WriteString(w, `<ListBucketResult><Name>b</Name><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated><Contents><Key>k</Key><LastModified>2026-01-01T00:00:00Z</LastModified><ETag>"e"</ETag><Size>10</Size></Contents></ListBucketResult>`)
			return
		}
		http.Error(w, "too much to do", http.StatusServiceUnavailable)
	}))
	t.Cleanup(busy.Close)
	if err := os.MkdirAll(filepath.Join(dir, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	go feed(t.Context(), filepath.Join(dir, "in"))
	config := fmt.Sprintf(`
http: %s
state: %s/state
memory: 120MiB
pipelines:
  steady:
    source: {generate: {records: 100000000, rate: 20000}}
    transforms: [{gzip: {level: 1}}]
    sink: {file: {path: %[2]s/steady, key: "{pass}-{lane}-{sequence}.gz", roll: {bytes: 1MiB}}}
    lanes: 2
    every: 1h
  files:
    source: {file: {path: %[2]s/in}}
    transforms: [{lines: {}}]
    sink: {file: {path: %[2]s/files, key: "{pass}-{lane}-{sequence}"}}
    dead_letters: {file: {path: %[2]s/dead}}
    max_record: 1MiB
    lanes: 1
    every: 2s
  busy:
    source: {s3: {bucket: b, endpoint: %[3]s, region: us-east-1, access_key: a, secret_key: s, retry: 2s}}
    sink: {file: {path: %[2]s/busy}}
    lanes: 1
    every: 5s
`, addr, dir, busy.URL)
	path := filepath.Join(dir, "sluice.yaml")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(sluice(t), "run", "-c", path, "--log-format", "json")
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s", log.Bytes())
		}
	})
	return addr
}

// feed adds a file every second, until ctx ends: a record, and one that is too
// long.
func feed(ctx context.Context, dir string) {
	text := append(append([]byte("{}\n{\"a\":\""), bytes.Repeat([]byte{'x'}, 1<<20)...), "\"}\n"...)
	for n := 0; ctx.Err() == nil; n++ {
		path := filepath.Join(dir, fmt.Sprintf("%06d", n))
		if os.WriteFile(path+".part", text, 0o644) != nil || os.Rename(path+".part", path) != nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// sluice builds the program.
func sluice(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "sluice")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/sluice")
	cmd.Dir, cmd.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}
