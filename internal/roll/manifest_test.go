package roll_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"sluice/internal/keys"
	"sluice/internal/roll"
	"sluice/pipeline"
	"sluice/pipeline/pipelinetest"
)

// manifest takes the manifest of a pass out of objects, sees whether it says of
// each object of that pass, and of no other, what there is to say, and returns
// it without the time when the pass began.
func manifest(bad func(string, ...any), objects map[string]made, pass int) string {
	var text string
	for key, o := range objects {
		if keys.IsMetadata(key) && o.Owner.Pass == int64(pass) && o.Owner.Lane == "//manifest" {
			text = o.Content
			delete(objects, key)
		}
	}
	lines := strings.SplitAfter(text, "\n")
	if len(lines) < 3 || lines[len(lines)-1] != "" {
		bad("pass %d: manifest %q, want two lines at least", pass, text)
		return ""
	}
	var head roll.Head
	var total, sum roll.Total
	if err := errors.Join(json.Unmarshal([]byte(lines[0]), &head), json.Unmarshal([]byte(lines[len(lines)-2]), &total)); err != nil {
		bad("pass %d: %v", pass, err)
	}
	if head.Manifest != 1 || head.Pass != int64(pass) || head.Pipeline != "p" || head.Began.IsZero() {
		bad("pass %d: the first line is %s", pass, lines[0])
	}
	seen := map[string]roll.Line{}
	last, counted := "", int64(0)
	for _, text := range lines[1 : len(lines)-2] {
		var l roll.Line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			bad("pass %d: %q: %v", pass, text, err)
		}
		if l.Key <= last {
			bad("pass %d: %q comes behind %q", pass, l.Key, last)
		}
		seen[l.Key], last = l, l.Key
		if sum.Objects++; l.Records != nil {
			counted += *l.Records
		}
		sum.Bytes += l.Bytes
	}
	if sum.Objects != total.Objects || sum.Bytes != total.Bytes || total.Records != nil && *total.Records != counted {
		bad("pass %d: the last line is %s, the lines have %+v and %d records", pass, lines[len(lines)-2], sum, counted)
	}
	for key, o := range objects {
		if o.Owner.Pass != int64(pass) {
			continue
		}
		if why := compare(seen[key], key, o); why != "" {
			bad("pass %d: %s of %d bytes by %+v: %s: %+v", pass, key, len(o.Content), o.Owner, why, seen[key])
		}
		delete(seen, key)
	}
	if len(seen) > 0 {
		bad("pass %d: there is no object of %+v", pass, seen)
	}
	return strings.Join(lines[1:], "")
}

func compare(l roll.Line, key string, o made) string {
	sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum([]byte(o.Content), crc32.MakeTable(crc32.Castagnoli))))
	switch {
	case l.Key != key:
		return "it is not in the manifest"
	case l.Bytes != int64(len(o.Content)), l.ETag != fmt.Sprintf("%x", len(o.Content)):
		return "bytes or etag differ"
	case l.CRC32C != sum && (l.CRC32C != "" || !unread(o.Owner.Source)):
		return "want checksum " + sum
	case l.Lane != "about" && l.Records != nil && *l.Records != int64(strings.Count(o.Content, "\n")):
		return "records differ"
	case l.Item != o.Owner.Source, l.Version != o.Owner.Version, l.Start != o.Owner.Start, l.First != o.Owner.From:
		return "it is of another item or place"
	}
	return ""
}

func TestAManifestSaysWhatThePassHasMade(t *testing.T) {
	j := newJob(t, rolled, roll.Options{Records: 2}, stream("a", "1\n"), stream("b", "2\n<&>\n"), unplaced(stream("c", "3\n")), stream("d", "4\n"))
	j.Manifest = "x/_manifest.ndjson"
	for _, it := range j.items {
		it.Meta = &pipeline.Meta{Index: "i"}
	}
	res, err := j.run(t, t.Context())
	if err != nil || !res.Complete || res.Counts.ObjectsWritten != 3 {
		t.Fatalf("got %+v, %v", res, err)
	}
	got := manifest(t.Errorf, j.Objects, 1)
	want := `{"key":"l_0","bytes":2,"records":1,"crc32c":"yW/VHg==","etag":"2","lane":"l","index":"i","last":"1"}
{"key":"l_1","bytes":6,"records":2,"crc32c":"IL58og==","etag":"6","lane":"l","index":"i","first":"1","last":"2"}
{"key":"l_2","bytes":4,"records":2,"crc32c":"BhxQ5w==","etag":"4","lane":"l","index":"i","first":"2","last":"4"}
{"objects":3,"bytes":12,"records":5}
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestAKeyThatIsNoTextIsInTheManifest(t *testing.T) {
	j := newJob(t, "{key}", roll.Options{}, stream("a\xff", "1\n"), failing("b", "", pipeline.ErrGone))
	j.Manifest, j.giveUp = "_manifest.ndjson", true
	if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
		t.Fatalf("got %+v, %v", res, err)
	}
	got := j.Objects["_manifest.ndjson"].Content
	if !strings.Contains(got, `"key_base64":"Yf8="`) || !strings.Contains(got, `"item_base64":"Yf8="`) || !strings.Contains(got, `{"objects":1,`) {
		t.Errorf("got %s", got)
	}
}

// TestAManifestOfManyObjects has more lines than are read at a time.
func TestAManifestOfManyObjects(t *testing.T) {
	const n = 2500
	var items []*pipeline.Item
	for i := range n {
		items = append(items, stream(fmt.Sprintf("%05d", i), "x"))
	}
	j := newJob(t, "d/{key}", roll.Options{}, items...)
	j.Manifest, j.Late = "d/{pass}/_manifest.ndjson", true
	for pass := 1; pass <= 2; pass++ {
		if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
			t.Fatalf("got %+v, %v", res, err)
		}
		if got := manifest(t.Errorf, j.Objects, pass); !strings.HasSuffix(got, fmt.Sprintf("{\"objects\":%d,\"bytes\":%d}\n", n, n)) && !strings.HasSuffix(got, fmt.Sprintf("{\"objects\":%d,\"bytes\":%d,\"records\":0}\n", n, n)) {
			t.Errorf("got %.200s…", got[len(got)-min(len(got), 200):])
		}
	}
	rows := 0
	j.store.Range("sink.manifest", "", func(string, []byte) error { rows++; return nil })
	if rows != n+1 {
		t.Errorf("got %d rows, want those of the last pass: %d and the first line", rows, n)
	}
}

func TestWhatThePassHasRemovedIsNotInItsManifest(t *testing.T) {
	j := newJob(t, "{key}", roll.Options{}, stream("a", "1\n"), stream("b", "2\n"), gone("a"), gone("never"))
	j.Manifest = "_manifest.ndjson"
	if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
		t.Fatalf("got %+v, %v", res, err)
	}
	if got := manifest(t.Errorf, j.Objects, 1); !strings.Contains(got, `{"objects":1,`) {
		t.Errorf("got %s", got)
	}
}

func TestFinishMayBeCalledAgain(t *testing.T) {
	j := newJob(t, "{key}", roll.Options{}, stream("a", "1\n"), stream("b", "2\n"))
	j.Manifest = "{pass}/_manifest.ndjson"
	last := 0
	for at := 1; ; at++ { // an operation fails; the last one is the end of the pass, behind Finish
		j.Objects, j.store.World = map[string]made{}, &pipelinetest.World{Mode: pipelinetest.Fail, At: at}
		j.World, j.store = j.store.World, &pipelinetest.Store{World: j.store.World}
		_, err := j.run(t, t.Context())
		if err == nil {
			break
		}
		first, finished := j.Objects["1/_manifest.ndjson"]
		if finished {
			last++
		}
		if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
			t.Fatalf("at %d: got %+v, %v", at, res, err)
		}
		if again := j.Objects["1/_manifest.ndjson"]; finished && again != first {
			t.Errorf("at %d: got %q, want %q", at, again.Content, first.Content)
		}
	}
	if last == 0 {
		t.Error("Finish was never called again")
	}
}

func TestAManifestThatIsAskedForInTheMiddleOfAPassIsRefused(t *testing.T) {
	j := newJob(t, "{key}", roll.Options{}, stream("a", "1\n"), failing("b", "", errors.New("broken")))
	if _, err := j.run(t, t.Context()); err == nil {
		t.Fatal("got no error")
	}
	j.Manifest = "_manifest.ndjson"
	j.items[1] = stream("b", "2\n")
	if _, err := j.run(t, t.Context()); err == nil || !strings.Contains(err.Error(), "manifest: pass 1 has made objects without one") {
		t.Errorf("got %v, want that the pass has none", err)
	}
	j.Manifest = ""
	if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
		t.Errorf("got %+v, %v", res, err)
	}
	j.Manifest = "_manifest.ndjson"
	if res, err := j.run(t, t.Context()); err != nil || !res.Complete {
		t.Errorf("the next pass: got %+v, %v", res, err)
	}
	manifest(t.Errorf, j.Objects, 2)
}

func TestTheKeyOfAManifest(t *testing.T) {
	for text, want := range map[string]string{
		"_manifest.ndjson": "", "a/{pass}/{date:2006-01-02}/_manifest.ndjson": "", "m.ndjson": "ends with /_manifest.ndjson",
		"{lane}/_manifest.ndjson": "no {lane}", "{key}/_manifest.ndjson": "no {key}", "{version}/_manifest.ndjson": "no {version}", "{": "without", "/_manifest.ndjson": "empty segment",
	} {
		_, err := roll.Manifest(text, keys.Files)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	if slices.Contains([]bool{keys.IsMetadata("a/_manifest.ndjson"), !keys.IsMetadata("a/manifest.ndjson")}, false) {
		t.Error("a manifest is not told from data by its key")
	}
}
