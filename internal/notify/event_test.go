package notify_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sluice/internal/notify"
)

// sample is a message of testdata.
func sample(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// in wraps a message as SNS does.
func in(t testing.TB, message []byte) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"Type": "Notification", "MessageId": "22b80b92", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:news", "Subject": "Amazon S3 Notification",
		"Message": string(message), "Timestamp": "2026-11-21T12:00:00.000Z", "SignatureVersion": "1", "Signature": "x", "SigningCertURL": "https://sns/x.pem",
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestNotificationsOfEveryFormAreUnderstood(t *testing.T) {
	for name, want := range map[string][]notify.Event{
		"s3.json": {
			{Bucket: "news", Key: "a+b%2Bc/%C3%A9%25.txt", VersionID: "096fKKXTRTtl3on89fVO.nfljtsv6qko", ETag: "d41d8cd98f00b204e9800998ecf8427e", Size: 1024, Sequencer: "0055AED6DCD90281E5"},
			{Bucket: "news", Key: "old", Removed: true, Sequencer: "0055AED6DCD90281E6"},
			{Bucket: "news", Key: "thawed", ETag: "x-2", Size: 7, Sequencer: "0055AED6DCD90281E7"},
		},
		"eventbridge.json": {{Bucket: "news", Key: "a+b/c d.txt", VersionID: "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", ETag: "b1946ac92492d2347c6235b4d2611184", Size: 5, Sequencer: "00617F08299329D189"}},
		"minio.json":       {{Bucket: "news", Key: "a+b%2Bc%2F%C3%A9%25.txt", ETag: "5d41402abc4b2a76b9719d911017c592", Size: 5, Sequencer: "187A0B1E4C8F6B3D"}},
		"versitygw.json":   {{Bucket: "news", Key: "a b+c/é%.txt", ETag: "5d41402abc4b2a76b9719d911017c592", Size: 5, Sequencer: "2"}},
		"test.json":        nil,
	} {
		text := sample(t, name)
		for _, body := range [][]byte{text, in(t, text), in(t, in(t, text)), append([]byte("\ufeff\n "), text...)} {
			got, err := notify.Decode(body)
			if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(notify.Event{})); diff != "" || err != nil {
				t.Errorf("%s: got %v, %s", name, err, diff)
			}
		}
	}
}

func TestKeysAreTriedInEveryWayTheyMayBeMeant(t *testing.T) {
	keys := func(name string) string {
		list, err := notify.Decode(sample(t, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(list[0].Keys(), " | ")
	}
	for name, want := range map[string]string{
		"s3.json":          "a b+c/é%.txt | a+b%2Bc/%C3%A9%25.txt",
		"minio.json":       "a b+c/é%.txt | a+b%2Bc%2F%C3%A9%25.txt",
		"eventbridge.json": "a+b/c d.txt | a b/c d.txt",
		"versitygw.json":   "a b+c/é%.txt", // it is no encoding of anything
	} {
		if got := keys(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	list, err := notify.Decode([]byte(`{"Records":[{"eventName":"s3:ObjectCreated:Put","s3":{"configurationId":"webhook-global","bucket":{"name":"b"},"object":{"key":"a+b"}}}]}`))
	if err != nil || strings.Join(list[0].Keys(), " | ") != "a+b | a b" {
		t.Errorf("got %v, %v, want the key of VersityGW as it is first", list, err)
	}
	for key, want := range map[string]string{"plain/é": "plain/é", "100%": "100%", "a+b": "a b | a+b"} {
		if got := strings.Join(notify.Event{Key: key}.Keys(), " | "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestOnlyWhatChangesWhatThereIsToReadIsAnEvent(t *testing.T) {
	for name, want := range map[string]string{
		"ObjectCreated:Put": "read", "s3:ObjectCreated:CompleteMultipartUpload": "read", "ObjectRestore:Completed": "read", "": "read",
		"ObjectRemoved:Delete": "gone", "s3:ObjectRemoved:DeleteMarkerCreated": "gone", "LifecycleExpiration:Delete": "gone",
		"s3:ObjectAccessed:Get": "", "s3:ObjectAccessed:Head": "", "ObjectTagging:Put": "", "ObjectAcl:Put": "", "ObjectRestore:Post": "", "s3:BucketCreated:*": "",
		"Replication:OperationReplicatedAfterThreshold": "", "IntelligentTiering": "",
	} {
		list, err := notify.Decode([]byte(`{"Records":[{"eventName":"` + name + `","s3":{"bucket":{"name":"b"},"object":{"key":"k","versionId":"null"}}}]}`))
		got := ""
		for _, e := range list {
			if got = "read"; e.Removed {
				got = "gone"
			}
			if e.VersionID != "" {
				t.Errorf("got version %q, want none", e.VersionID)
			}
		}
		if got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]int{"Object Created": 1, "Object Deleted": 1, "Object Restore Completed": 1, "Object Tags Added": 0, "Object Storage Class Changed": 0} {
		list, err := notify.Decode([]byte(`{"detail-type":"` + name + `","source":"aws.s3","detail":{"bucket":{"name":"b"},"object":{"key":"k"}}}`))
		if len(list) != want || err != nil || want == 1 && list[0].Removed != (name == "Object Deleted") {
			t.Errorf("%s: got %+v, %v, want %d", name, list, err, want)
		}
	}
}

func TestWhatIsNoNotificationIsNamed(t *testing.T) {
	for body, want := range map[string]string{
		``:                             "not JSON",
		`{"Records":`:                  "not JSON at byte 11",
		`[1]`:                          "no notification",
		`null`:                         "neither Records",
		`{}`:                           "neither Records",
		`{"secret":"` + secret:         "not JSON",
		`{"Records":"` + secret + `"}`: "Records is no",
		`{"Records":[{"s3":{"object":{"key":5}}}]}`:                      "s3.object.key is no string",
		`{"Records":[{"s3":{"bucket":{"name":"b"}}}]}`:                   "record 1 names no bucket or no key",
		`{"Records":[{"s3":{"object":{"key":"k"}}}]}`:                    "record 1 names no bucket",
		`{"source":"aws.ec2","detail-type":"x","detail":{}}`:             `"aws.ec2", not aws.s3`,
		`{"source":"aws.s3","detail-type":"Object Created","detail":{}}`: "names no bucket",
		`{"Type":"SubscriptionConfirmation","Message":"` + secret + `"}`: "confirm the subscription",
		`{"Type":"Notification","Message":"hello"}`:                      "not JSON",
		`{"Type":"Notification"}`:                                        "neither Records",
		string(in(t, in(t, in(t, []byte(`{"Records":[]}`))))):            "neither Records",
	} {
		list, err := notify.Decode([]byte(body))
		if len(list) != 0 || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v, %v, want %q", body, list, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"s3.json", "eventbridge.json", "minio.json", "versitygw.json", "test.json"} {
		text := sample(f, name)
		f.Add(text)
		f.Add(in(f, text))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := notify.Decode(body)
		if err != nil && len(list) != 0 {
			t.Errorf("got %d events and %v, want one of them", len(list), err)
		}
		for _, e := range list {
			keys := e.Keys()
			if e.Bucket == "" || len(keys) < 1 || len(keys) > 2 || !slices.Contains(keys, e.Key) || slices.Contains(keys, "") || len(keys) == 2 && keys[0] == keys[1] {
				t.Errorf("got %+v with keys %q", e, keys)
			}
		}
	})
}
