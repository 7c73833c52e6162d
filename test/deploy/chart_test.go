package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/config"
)

func TestTheChartIsWithoutFault(t *testing.T) {
	for name, path := range valuesFiles(t) {
		if out, ok := helm(t, "lint", "--strict", "-f", path, chart); !ok {
			t.Errorf("%s:\n%s", name, out)
		}
	}
}

// TestManifestsAreWhatTheChartRenders compares deploy/kubernetes with what the
// chart renders with its example values. With -update it is written anew.
func TestManifestsAreWhatTheChartRenders(t *testing.T) {
	for name, path := range valuesFiles(t) {
		if name == "everything" {
			continue
		}
		values, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		title, _, _ := strings.Cut(string(values), "\n")
		want := title + " Of the chart:\n# helm template sluice deploy/chart -f deploy/chart/ci/" + filepath.Base(path) + "\n" + plain(render(t, "-f", path))
		golden := filepath.Join(folder, "kubernetes", name+".yaml")
		if *update {
			if err := os.WriteFile(golden, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(golden); err != nil || string(got) != want {
			t.Errorf("%s is not what the chart renders, %v: go test ./test/deploy -update", golden, err)
		}
	}
}

// plain leaves out of manifests what says that they are from helm.
func plain(manifests string) string {
	var out strings.Builder
	for line := range strings.Lines(manifests) {
		if !strings.HasPrefix(line, "# Source: ") && !strings.Contains(line, "helm.sh/chart: ") && !strings.Contains(line, "app.kubernetes.io/managed-by: ") {
			out.WriteString(line)
		}
	}
	return strings.ReplaceAll(out.String(), "  annotations:\n    helm.sh/resource-policy: keep\n", "")
}

func TestConfigurationsOfExamplesAreTaken(t *testing.T) {
	for name, path := range valuesFiles(t) {
		text := one(t, parse(t, render(t, "-f", path)), "ConfigMap").Data["sluice.yaml"]
		file, err := config.Parse("sluice.yaml", []byte(text), config.Options{
			Env:      func(string) (string, bool) { return "value", true },
			ReadFile: func(string) ([]byte, error) { return []byte("value"), nil },
		})
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
			continue
		}
		if file.State != "/state" || !strings.HasPrefix(file.HTTP, "0.0.0.0:") {
			t.Errorf("%s: state %s, http %s, want them where pods have them", name, file.State, file.HTTP)
		}
		if _, err := file.Fit(file.Pipelines...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNumbersStayAsTheyAreWritten: helm reads all numbers as floating point.
func TestNumbersStayAsTheyAreWritten(t *testing.T) {
	text := one(t, parse(t, render(t, "-f", chart+"/ci/job-values.yaml", "--set", "config.pipelines.dump.source.generate.records=123456789")), "ConfigMap").Data["sluice.yaml"]
	if !strings.Contains(text, "records: 123456789\n") {
		t.Errorf("got\n%s", text)
	}
}

func TestTheLimitIsMemoryAnd60MBAndWhatGitTakes(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"config.memory=null", "138Mi"}, // 80 MiB
		{"config.memory=80MiB", "138Mi"},
		{"config.memory=1GiB", "1082Mi"},
		{"config.memory=100MB", "153Mi"},
		{"config.memory=1000000KB", "1011Mi"},
		{"config.memory=104857600", "158Mi"},
		{"config.memory=1.5 GiB", "1594Mi"},
		{"config.memory=80MiB,git.enabled=true", "266Mi"},
		{"config.memory=80MiB,git.enabled=true,git.memory=256MiB", "394Mi"},
	} {
		objects := parse(t, render(t, "-f", chart+"/ci/job-values.yaml", "--set", test.args))
		r := pods(t, objects).job().Pod.Spec.Containers[0].Resources
		if r.Limits["memory"] != test.want || r.Requests["memory"] != test.want {
			t.Errorf("%s: got %v, want %s", test.args, r, test.want)
		}
		if text := one(t, objects, "ConfigMap").Data["sluice.yaml"]; !strings.Contains(text, "\nmemory: ") {
			t.Errorf("%s: the configuration does not say memory:\n%s", test.args, text)
		}
	}
}

func TestWrongValuesAreRefused(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"kind=StatefulSet", "kind"},
		{"replicas=2", "replicas"},
		{"persistence.sise=1Gi", "sise"},
		{"config.memory=much", `"much" is not a size`},
		{"config.memory=80M", `"80M" is not a size`},
		{"config.pipelines=null", "no pipelines"},
		{"kind=Deployment", "none has every or cron"},
		{"networkPolicy.ports={443,70000}", "65,535"},
	} {
		out, ok := helm(t, "template", "sluice", chart, "-f", chart+"/ci/job-values.yaml", "--set", test.args)
		if ok || !strings.Contains(out, test.want) {
			t.Errorf("%s: got %v, want an error with %s:\n%s", test.args, ok, test.want, out)
		}
	}
	bad := filepath.Join(t.TempDir(), "sluice.yaml")
	if err := os.WriteFile(bad, []byte("pipelines: {a: ["), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, ok := helm(t, "template", "sluice", chart, "--set-file", "config="+bad); ok || !strings.Contains(out, "config: ") {
		t.Errorf("a text that is no YAML: got %v:\n%s", ok, out)
	}
}

func TestTextAndMappingsAreOneConfiguration(t *testing.T) {
	dir := t.TempDir()
	text := "pipelines:\n  p: {source: {file: {path: a}}, sink: {file: {path: b}}, every: 1h}\n"
	asText, asMapping := filepath.Join(dir, "sluice.yaml"), filepath.Join(dir, "values.yaml")
	if err := os.WriteFile(asText, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(asMapping, []byte("config:\n  "+strings.ReplaceAll(text, "\n", "\n  ")), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, want := render(t, "--set-file", "config="+asText), render(t, "-f", asMapping); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
