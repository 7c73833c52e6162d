package deploy

import (
	"slices"
	"strings"
	"testing"
)

func TestPodsMayNothingThatTheyNeedNot(t *testing.T) {
	for name, path := range valuesFiles(t) {
		objects := parse(t, render(t, "-f", path))
		p := pods(t, objects).job().Pod.Spec
		account := one(t, objects, "ServiceAccount")
		if p.Account != account.Metadata.Name || p.Automount == nil || *p.Automount || account.Automount == nil || *account.Automount {
			t.Errorf("%s: the pods have a token of a service account", name)
		}
		if s := p.Context; !s.NonRoot || s.User != 65532 || s.Group != 65532 || s.Seccomp.Type != "RuntimeDefault" {
			t.Errorf("%s: security of the pod: got %+v", name, s)
		}
		if len(p.Containers) != 1 {
			t.Fatalf("%s: got %d containers, want one", name, len(p.Containers))
		}
		s := p.Containers[0].Context
		if s.Escalation == nil || *s.Escalation || !s.ReadOnlyRoot || len(s.Capabilities.Add) > 0 || !slices.Equal(s.Capabilities.Drop, []string{"ALL"}) {
			t.Errorf("%s: security of the container: got %+v", name, s)
		}
	}
}

func TestOneProcessAtATimeHasTheState(t *testing.T) {
	files := valuesFiles(t)
	if o := pods(t, parse(t, render(t, "-f", files["deployment"]))); o.Spec.Strategy.Type != "Recreate" || o.job().Pod.Spec.Restart != "Always" {
		t.Errorf("Deployment: got %s, restart %s", o.Spec.Strategy.Type, o.job().Pod.Spec.Restart)
	}
	if o := pods(t, parse(t, render(t, "-f", files["cronjob"]))); o.Spec.Concurrency != "Forbid" {
		t.Errorf("CronJob: got %s, want Forbid", o.Spec.Concurrency)
	}
	for _, name := range []string{"job", "cronjob"} {
		if j := pods(t, parse(t, render(t, "-f", files[name]))).job(); j.Next != "Failed" || j.Pod.Spec.Restart != "Never" {
			t.Errorf("%s: got the next pod when the last has %s, and restarts %s", name, j.Next, j.Pod.Spec.Restart)
		}
	}
}

// TestJobsDoWithAnExitStatusWhatItMeans follows the rules as Kubernetes does:
// the first that matches counts; without one the pod counts as failed.
func TestJobsDoWithAnExitStatusWhatItMeans(t *testing.T) {
	for _, name := range []string{"job", "cronjob"} {
		j := pods(t, parse(t, render(t, "-f", valuesFiles(t)[name]))).job()
		for _, test := range []struct {
			status    int
			disrupted bool
			want      string
		}{
			{1, false, "Count"},   // another pod goes on
			{2, false, "FailJob"}, // the configuration
			{3, false, "FailJob"}, // complete, with dead letters
			{4, false, "Ignore"},  // stopped
			{137, false, "Count"}, // killed
			{137, true, "Ignore"},
			{4, true, "Ignore"},
			{2, true, "FailJob"},
			{3, true, "FailJob"}, // not another pass
		} {
			if got := action(j.Policy.Rules, test.status, test.disrupted); got != test.want {
				t.Errorf("%s: status %d, disrupted %v: got %s, want %s", name, test.status, test.disrupted, got, test.want)
			}
		}
	}
}

func action(rules []rule, status int, disrupted bool) string {
	for _, r := range rules {
		exits := r.Exit.Container == "sluice" && r.Exit.Operator == "In" && slices.Contains(r.Exit.Values, status)
		evicted := disrupted && len(r.Conditions) == 1 && r.Conditions[0].Type == "DisruptionTarget"
		if exits || evicted {
			return r.Action
		}
	}
	return "Count"
}

func TestPodsRunWhatTheyShould(t *testing.T) {
	files := valuesFiles(t)
	for name, want := range map[string]string{
		"deployment": "run -c /etc/sluice/sluice.yaml --log-format json",
		"job":        "run dump -c /etc/sluice/sluice.yaml --once --log-format json",
		"cronjob":    "run -c /etc/sluice/sluice.yaml --once --log-format json",
		"everything": "run history -c /etc/sluice/sluice.yaml --log-level debug",
	} {
		c := pods(t, parse(t, render(t, "-f", files[name]))).job().Pod.Spec.Containers[0]
		if got := strings.Join(c.Args, " "); got != want || c.Dir != "/state" {
			t.Errorf("%s: got %s in %s, want %s", name, got, c.Dir, want)
		}
		if image := map[bool]string{false: "sluice:0.1.0", true: "registry.example.org/sluice:0.1.0-git"}[name == "everything"]; c.Image != image {
			t.Errorf("%s: got %s, want %s", name, c.Image, image)
		}
	}
}

func TestPortsAndLabelsMatch(t *testing.T) {
	for name, path := range valuesFiles(t) {
		objects := parse(t, render(t, "-f", path))
		c := pods(t, objects).job().Pod.Spec.Containers[0]
		if len(c.Ports) != 1 || c.Ports[0].Name != "http" {
			t.Fatalf("%s: got ports %v", name, c.Ports)
		}
		address := one(t, objects, "ConfigMap").Data["sluice.yaml"]
		if want := map[bool]string{false: "http: 0.0.0.0:9600\n", true: "http: 0.0.0.0:8080\n"}[c.Ports[0].Port == 8080]; !strings.Contains(address, want) {
			t.Errorf("%s: the configuration does not contain %s:\n%s", name, want, address)
		}
		daemon := name == "deployment" || name == "everything"
		for _, p := range []*probe{c.Startup, c.Liveness, c.Readiness} {
			if (p != nil) != daemon || daemon && p.Get.Port != "http" {
				t.Errorf("%s: got probe %+v", name, p)
			}
		}
		if daemon {
			if s := one(t, objects, "Service").Spec; len(s.Ports) != 1 || s.Ports[0].TargetPort != "http" || s.Ports[0].Port != c.Ports[0].Port {
				t.Errorf("%s: got service %+v", name, s.Ports)
			}
			one(t, objects, "ServiceMonitor")
		}
		if in := one(t, objects, "NetworkPolicy").Spec.Ingress; len(in) != 1 || len(in[0].Ports) != 1 || in[0].Ports[0].Port != "http" {
			t.Errorf("%s: got %+v, want http alone", name, in)
		}
		labels := pods(t, objects).job().Pod.Metadata.Labels
		if labels["app.kubernetes.io/name"] != "sluice" || labels["app.kubernetes.io/instance"] != "sluice" {
			t.Errorf("%s: got labels %v", name, labels)
		}
	}
}
