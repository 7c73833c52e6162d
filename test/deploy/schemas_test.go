package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"sluice/test/servers"
)

// kinds are the kinds of objects that are checked, as kubeconform calls the files
// of their schemas, and their names in the OpenAPI of Kubernetes.
var kinds = map[string]string{
	"configmap-v1":                 "io.k8s.api.core.v1.ConfigMap",
	"cronjob-batch-v1":             "io.k8s.api.batch.v1.CronJob",
	"deployment-apps-v1":           "io.k8s.api.apps.v1.Deployment",
	"job-batch-v1":                 "io.k8s.api.batch.v1.Job",
	"networkpolicy-networking-v1":  "io.k8s.api.networking.v1.NetworkPolicy",
	"persistentvolumeclaim-v1":     "io.k8s.api.core.v1.PersistentVolumeClaim",
	"service-v1":                   "io.k8s.api.core.v1.Service",
	"serviceaccount-v1":            "io.k8s.api.core.v1.ServiceAccount",
	"servicemonitor-monitoring-v1": "",
	"prometheusrule-monitoring-v1": "",
}

// schemas makes the schemas of kinds, in which what is not named is refused, from
// the OpenAPI of Kubernetes and the definitions of the Prometheus operator, and
// returns how kubeconform finds them.
func schemas(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	kubernetes := servers.Module(t, "k8s.io/kubernetes", "v1.36.3", "h1:qDQdoMiluAE2Eab6Fa52YV+WjiGz9mZFFoagEA6cI+o=")
	text, err := os.ReadFile(filepath.Join(kubernetes, "api/openapi-spec/swagger.json"))
	if err != nil {
		t.Fatal(err)
	}
	var api struct {
		Definitions map[string]any `json:"definitions"`
	}
	if err := json.Unmarshal(text, &api); err != nil {
		t.Fatal(err)
	}
	// What is text or a number has a type of its own there.
	either := map[string]any{"type": []string{"string", "number"}}
	api.Definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"] = either
	api.Definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] = either
	strict(api.Definitions)
	write(t, dir, "definitions", api)

	operator := servers.Module(t, "github.com/prometheus-operator/prometheus-operator", "v0.85.0", "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=")
	for file, name := range kinds {
		if name != "" {
			write(t, dir, file, map[string]any{"$ref": "definitions.json#/definitions/" + name})
			continue
		}
		kind, _, _ := strings.Cut(file, "-")
		write(t, dir, file, definition(t, fmt.Sprintf("%s/example/prometheus-operator-crd/monitoring.coreos.com_%ss.yaml", operator, kind)))
	}
	return dir + "/{{.ResourceKind}}{{.KindSuffix}}.json"
}

// definition is the schema in the definition of a custom resource.
func definition(t *testing.T, path string) any {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					API map[string]any `yaml:"openAPIV3Schema"`
				}
			}
		}
	}
	if err := yaml.Unmarshal(text, &crd); err != nil || len(crd.Spec.Versions) != 1 {
		t.Fatalf("%s: %v, %d versions", path, err, len(crd.Spec.Versions))
	}
	schema := crd.Spec.Versions[0].Schema.API
	metadata := schema["properties"].(map[string]any)["metadata"]
	strict(schema)
	delete(metadata.(map[string]any), "additionalProperties")
	return schema
}

// strict refuses, in a schema and all in it, properties that are not named.
func strict(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		_, named := s["properties"].(map[string]any)
		if _, more := s["additionalProperties"]; named && !more {
			s["additionalProperties"] = false
		}
		if s["x-kubernetes-int-or-string"] == true {
			delete(s, "type")
		}
		for _, v := range s {
			strict(v)
		}
	case []any:
		for _, v := range s {
			strict(v)
		}
	}
}

func write(t *testing.T, dir, name string, schema any) {
	t.Helper()
	b, err := json.Marshal(schema)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".json"), b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// conform runs kubeconform on manifests, and returns what it says and whether
// it is content.
func conform(t *testing.T, schemas, manifests string) (said string, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), servers.Kubeconform(t), "-strict", "-summary", "-schema-location", schemas, "-")
	cmd.Stdin = strings.NewReader(manifests)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

func TestManifestsFollowTheSchemasOfKubernetes(t *testing.T) {
	where := schemas(t)
	for name, manifests := range all(t) {
		if said, ok := conform(t, where, manifests); !ok || strings.Contains(said, " 0 resources found") {
			t.Errorf("%s:\n%s\n%s", name, said, manifests)
		}
	}
}

// TestSchemasRefuseWhatIsWrong: what checks the manifests is able to fail.
func TestSchemasRefuseWhatIsWrong(t *testing.T) {
	where := schemas(t)
	manifests := render(t, "-f", valuesFiles(t)["deployment"])
	for good, bad := range map[string]string{
		"readOnlyRootFilesystem: true": "readonlyRootFilesystem: true",
		"replicas: 1":                  "replicas: one",
		"  podSelector:":               "  podselector:",
		"interval: 30s":                "interval: 30",
		"kind: Service\n":              "kind: Servce\n",
	} {
		if !strings.Contains(manifests, good) {
			t.Fatalf("no %q in\n%s", good, manifests)
		}
		if said, ok := conform(t, where, strings.Replace(manifests, good, bad, 1)); ok {
			t.Errorf("%q was taken:\n%s", bad, said)
		}
	}
}

// TestAnAPIServerWouldTakeThem checks manifests by the code with which a server
// of Kubernetes does.
func TestAnAPIServerWouldTakeThem(t *testing.T) {
	for name, manifests := range all(t) {
		if said, ok := validate(t, manifests); !ok {
			t.Errorf("%s:\n%s\n%s", name, said, manifests)
		}
	}
	job := render(t, "-f", valuesFiles(t)["job"])
	for good, bad := range map[string]string{
		"restartPolicy: Never":         "restartPolicy: OnFailure", // not with a podFailurePolicy
		"podReplacementPolicy: Failed": "podReplacementPolicy: TerminatingOrFailed",
		"mountPath: /tmp":              "mountPath: /state", // twice
		"containerName: sluice":        "containerName: other",
		"cpu: 100m":                    "cpu: 100mm",
	} {
		if !strings.Contains(job, good) {
			t.Fatalf("no %q in\n%s", good, job)
		}
		if said, ok := validate(t, strings.Replace(job, good, bad, 1)); ok {
			t.Errorf("%q was taken:\n%s", bad, said)
		}
	}
}

// validate runs test/tools/manifests.
func validate(t *testing.T, manifests string) (said string, ok bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "manifests"))
	cmd.Stdin = strings.NewReader(manifests)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// all are the manifests of deploy/kubernetes, and what the chart renders.
func all(t *testing.T) map[string]string {
	t.Helper()
	manifests := map[string]string{}
	for name, path := range valuesFiles(t) {
		manifests["chart/"+name] = render(t, "-f", path)
		if name == "everything" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(folder, "kubernetes", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		manifests["kubernetes/"+name] = string(b)
	}
	return manifests
}
