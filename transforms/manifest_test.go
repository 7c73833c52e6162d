package transforms_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"sluice/internal/kind"
	"sluice/pipeline"
	"sluice/transforms"
)

func manifest() *transforms.Manifest {
	return &transforms.Manifest{MaxSize: 2 << 20, Others: "pass"}
}

const deployment = `# owned by the web team
apiVersion: apps/v1
kind: Deployment
metadata:
  annotations:
    deployment.kubernetes.io/revision: "7"
    kubectl.kubernetes.io/last-applied-configuration: |
      {"apiVersion":"apps/v1","status":{}}
  creationTimestamp: "2024-02-03T04:05:06Z"
  generation: 7
  managedFields:
  - apiVersion: apps/v1
    fieldsV1:
      f:status: {}
  name: web # the front
  resourceVersion: "12345"
  uid: 0b5c
spec:
  replicas: 3   # not less
  template:
    metadata:
      creationTimestamp: null
status:
  readyReplicas: 3
`

const changed = `# owned by the web team
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web # the front
spec:
  replicas: 3   # not less
  template:
    metadata:
      creationTimestamp: null
`

func TestManifestsLoseWhatClustersWrite(t *testing.T) {
	keep := manifest()
	keep.Keep, keep.Drop = []string{"status", "metadata.uid"}, []string{"spec.template"}
	for name, tc := range map[string]struct {
		kind     kind.Transform
		in, want string
	}{
		"the usual":     {manifest(), deployment, changed},
		"twice":         {manifest(), changed, changed},
		"two documents": {manifest(), deployment + "---\n" + deployment, changed + "---\n" + changed},
		"other fields":  {keep, "apiVersion: v1\nkind: X\nmetadata:\n  uid: 1\n  generation: 2\nspec:\n  template: 1\n  a: 2\nstatus: 3\n", "apiVersion: v1\nkind: X\nmetadata:\n  uid: 1\nspec:\n  a: 2\nstatus: 3\n"},
		"values":        {manifest(), "status: 1\nimage: x\n", "status: 1\nimage: x\n"},
		"text":          {manifest(), "# Title\nstatus: {{ x }}\n", "# Title\nstatus: {{ x }}\n"},
		"bytes":         {manifest(), "\x00\xff", "\x00\xff"},
		"nothing":       {manifest(), "", ""},
	} {
		for _, size := range []int64{-1, int64(len(tc.in))} {
			got, err := expand(t, tc.kind, "a.yaml", []byte(tc.in), size)
			if err != nil || string(got) != tc.want {
				t.Errorf("%s, size %d: got %q, %v, want %q", name, size, got, err, tc.want)
			}
		}
	}
}

func TestALargeObjectIsPassedAsItIs(t *testing.T) {
	m := manifest()
	m.MaxSize = 1 << 10
	for _, n := range []int{1 << 10, 1<<10 + 1, 1 << 20} {
		in := []byte("apiVersion: v1\nkind: X\nstatus: 1\n#")
		in = append(in, bytes.Repeat([]byte("x"), n-len(in))...)
		want := in
		if n <= 1<<10 {
			want = bytes.Replace(in, []byte("status: 1\n"), nil, 1)
		}
		for _, size := range []int64{-1, int64(n)} {
			if got, err := expand(t, m, "a.yaml", bytes.Clone(in), size); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, size %d: got %d bytes, %v, want %d", n, size, len(got), err, len(want))
			}
		}
	}
}

func TestWhatIsNoManifestCannotBeHadIfItIsRefused(t *testing.T) {
	m := manifest()
	m.Others, m.MaxSize = "refuse", 1<<10
	for in, want := range map[string]string{"a: 1\n": "no manifest", "a: b: c\n": "line 1: a key inside", strings.Repeat("#", 2000): "max_size"} {
		_, err := expand(t, m, "dir/a.yaml", []byte(in), -1)
		if !errors.Is(err, pipeline.ErrGone) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "dir/a.yaml") {
			t.Errorf("%.20q: got %v, want one that cannot be had, names it, and says %q", in, err, want)
		}
	}
	if got, err := expand(t, m, "a.yaml", []byte(deployment[:len(deployment)-1]), -1); err != nil {
		t.Errorf("got %q, %v of a manifest", got, err)
	}
}

func TestABodyThatIsCutIsNoManifest(t *testing.T) {
	broken := errors.New("connection reset")
	for name, b := range map[string]bytesBody{
		"by its end":  {b: []byte(deployment[:300])},
		"by an error": {b: []byte(deployment[:300]), end: broken},
	} {
		for _, most := range []int64{2 << 20, 1 << 10, 100} {
			m := manifest()
			m.MaxSize, m.Others = 1<<10, "pass"
			if most < 1<<10 {
				b.b = append(bytes.Clone(b.b), bytes.Repeat([]byte("#"), 1<<10)...)
			}
			got, err := read(t, pass(t, build(t, m), item("a.yaml", b, int64(len(b.b))+1))[0].Body)
			if want := map[bool]error{true: broken, false: io.ErrUnexpectedEOF}[b.end != nil]; !errors.Is(err, want) {
				t.Errorf("%s: got %d bytes, %v, want %v", name, len(got), err, want)
			}
			if errors.Is(err, pipeline.ErrGone) {
				t.Errorf("%s: %v: it can be had another time", name, err)
			}
		}
	}
}

func TestNothingIsOpenedBeforeTheBodyIs(t *testing.T) {
	var starts []int64
	it := pass(t, build(t, manifest()), item("a", bytesBody{b: []byte(deployment), starts: &starts}, -1))[0]
	if len(starts) > 0 || it.Size != -1 {
		t.Errorf("opened %d times, size %d, want none and -1", len(starts), it.Size)
	}
	for range 2 {
		if got, err := read(t, it.Body); err != nil || string(got) != changed {
			t.Errorf("got %q, %v, want %q", got, err, changed)
		}
	}
}

func TestFieldsOfManifestsThatCannotBeLeftOutAreProblems(t *testing.T) {
	for want, c := range map[string]transforms.Manifest{
		"drop: kind:":        {Drop: []string{"kind"}, MaxSize: 1 << 20},
		"drop: status is":    {Drop: []string{"status"}, MaxSize: 1 << 20},
		"drop: \"a..b\" is":  {Drop: []string{"a..b"}, MaxSize: 1 << 20},
		"keep: spec stays":   {Keep: []string{"spec"}, MaxSize: 1 << 20},
		"max_size: 10B has":  {MaxSize: 10},
		"max_size: 1023B ha": {MaxSize: 1023},
	} {
		p := c.Problems(env)
		if len(p) != 1 || !strings.HasPrefix(p[0].Option+": "+p[0].Message, want) {
			t.Errorf("got %v, want %q", p, want)
		}
	}
	if p := manifest().Problems(env); len(p) > 0 {
		t.Errorf("got %v of the defaults", p)
	}
	one, other := manifest(), manifest()
	other.Keep = []string{"status"}
	if one.Identity() == other.Identity() {
		t.Errorf("%s: it does not say what is kept", one.Identity())
	}
}
