// Package deploy tests what is in the folder deploy: the chart with the real
// helm, manifests with the schemas and the rules of Kubernetes, and what is in
// them with the real program.
package deploy

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"sluice/test/servers"
)

const (
	folder = "../../deploy"
	chart  = folder + "/chart"
)

var update = flag.Bool("update", false, "write deploy/kubernetes anew")

// object is what tests look at of an object of Kubernetes.
type object struct {
	Kind     string
	Metadata struct {
		Name        string
		Labels      map[string]string
		Annotations map[string]string
	}
	Automount *bool `yaml:"automountServiceAccountToken"`
	Data      map[string]string
	Spec      struct {
		Job         `yaml:",inline"`
		Strategy    struct{ Type string }
		Concurrency string             `yaml:"concurrencyPolicy"`
		JobTemplate struct{ Spec Job } `yaml:"jobTemplate"`
		Ports       []struct {
			Port       int
			TargetPort string `yaml:"targetPort"`
		}
		Ingress, Egress []struct{ Ports []struct{ Port any } }
	}
}

// Job is what tests look at of the spec of a Job, or of a Deployment.
type Job struct {
	Policy struct{ Rules []rule } `yaml:"podFailurePolicy"`
	Next   string                 `yaml:"podReplacementPolicy"`
	Pod    struct {
		Metadata struct{ Labels map[string]string }
		Spec     pod
	} `yaml:"template"`
}

type rule struct {
	Action string
	Exit   struct {
		Container string `yaml:"containerName"`
		Operator  string
		Values    []int
	} `yaml:"onExitCodes"`
	Conditions []struct{ Type string } `yaml:"onPodConditions"`
}

type pod struct {
	Account    string   `yaml:"serviceAccountName"`
	Automount  *bool    `yaml:"automountServiceAccountToken"`
	Restart    string   `yaml:"restartPolicy"`
	Grace      int      `yaml:"terminationGracePeriodSeconds"`
	Context    security `yaml:"securityContext"`
	Containers []container
	Volumes    []map[string]any
}

type container struct {
	Image string
	Dir   string `yaml:"workingDir"`
	Args  []string
	Ports []struct {
		Name string
		Port int `yaml:"containerPort"`
	}
	Startup   *probe `yaml:"startupProbe"`
	Liveness  *probe `yaml:"livenessProbe"`
	Readiness *probe `yaml:"readinessProbe"`
	Resources struct{ Requests, Limits map[string]string }
	Context   security `yaml:"securityContext"`
	Mounts    []struct {
		Name string
		Path string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	Get struct{ Path, Port string } `yaml:"httpGet"`
}

type security struct {
	NonRoot      bool                  `yaml:"runAsNonRoot"`
	User         int                   `yaml:"runAsUser"`
	Group        int                   `yaml:"fsGroup"`
	Seccomp      struct{ Type string } `yaml:"seccompProfile"`
	Escalation   *bool                 `yaml:"allowPrivilegeEscalation"`
	ReadOnlyRoot bool                  `yaml:"readOnlyRootFilesystem"`
	Capabilities struct{ Add, Drop []string }
}

// job returns the spec of the pods of an object and what is said of them; nil if
// it has none.
func (o *object) job() *Job {
	switch o.Kind {
	case "Deployment", "Job":
		return &o.Spec.Job
	case "CronJob":
		return &o.Spec.JobTemplate.Spec
	}
	return nil
}

// valuesFiles are the examples of values, by what is made of them, and those
// with everything that is not in the examples.
func valuesFiles(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(chart + "/ci/*-values.yaml")
	if err != nil || len(paths) != 3 {
		t.Fatalf("got %q, %v, want three", paths, err)
	}
	files := map[string]string{"everything": "testdata/everything-values.yaml"}
	for _, path := range paths {
		files[strings.TrimSuffix(filepath.Base(path), "-values.yaml")] = path
	}
	return files
}

// helm runs helm and returns what it gives; without success, what it says.
func helm(t *testing.T, args ...string) (out string, ok bool) {
	t.Helper()
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), servers.Helm(t), args...)
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var given, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &given, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if err != nil {
		return given.String() + said.String(), false
	}
	return given.String(), true
}

// render renders the chart as release "sluice".
func render(t *testing.T, args ...string) string {
	t.Helper()
	out, ok := helm(t, append([]string{"template", "sluice", chart}, args...)...)
	if !ok {
		t.Fatalf("helm template %q:\n%s", args, out)
	}
	return out
}

// parse reads the objects of manifests.
func parse(t *testing.T, manifests string) (objects []*object) {
	t.Helper()
	d := yaml.NewDecoder(bytes.NewReader([]byte(manifests)))
	for {
		var o object
		err := d.Decode(&o)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, manifests)
		}
		if o.Kind != "" {
			objects = append(objects, &o)
		}
	}
	if len(objects) == 0 {
		t.Fatalf("no objects in\n%s", manifests)
	}
	return objects
}

// one returns the only object of a kind.
func one(t *testing.T, objects []*object, kind string) (found *object) {
	t.Helper()
	for _, o := range objects {
		if o.Kind == kind && found != nil {
			t.Fatalf("more than one %s", kind)
		}
		if o.Kind == kind {
			found = o
		}
	}
	if found == nil {
		t.Fatalf("there is no %s", kind)
	}
	return found
}

// pods returns the object whose pods run Sluice.
func pods(t *testing.T, objects []*object) *object {
	t.Helper()
	for _, o := range objects {
		if o.job() != nil {
			return o
		}
	}
	t.Fatal("nothing has pods")
	return nil
}
