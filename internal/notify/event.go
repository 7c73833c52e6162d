// Package notify receives what object stores say of their objects: from a queue
// (SQS) and by a webhook. It knows nothing of pipelines.
//
// A notification is a hint to look at a key. It may come twice, late, in any
// order, or never; whoever uses it asks the store what is there, and lists the
// bucket from time to time.
package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Event says that something became of an object.
type Event struct {
	Bucket    string
	Key       string // as it is in the message; see Keys
	VersionID string // "" if the bucket keeps no versions, or none is named
	ETag      string // without quotes; "" if none is named
	Size      int64  // in bytes; 0 if it is not known
	Removed   bool   // the object, or a version of it, was deleted
	Sequencer string // orders the events of one key, in hexadecimal digits of any number; "" if there is none

	plain bool // the key is most likely not encoded
}

// Keys gives the keys that may be meant, the likeliest first: stores do not
// agree on whether keys are encoded as in a query. It is one key if nothing in
// it could be an encoding. Whoever looks at all of them misses nothing.
func (e Event) Keys() []string {
	decoded, err := url.QueryUnescape(e.Key)
	switch {
	case err != nil || decoded == "" || decoded == e.Key:
		return []string{e.Key}
	case e.plain:
		return []string{e.Key, decoded}
	}
	return []string{decoded, e.Key}
}

// message is the forms that notifications have: records of S3 (MinIO,
// VersityGW), an event of EventBridge, and either of them as the text of a
// message of SNS.
type message struct {
	Records *[]record // S3
	Event   string    // s3:TestEvent

	DetailType string  `json:"detail-type"` // EventBridge
	Source     string  `json:"source"`
	Detail     *detail `json:"detail"`

	Type    string // SNS: Notification, SubscriptionConfirmation, …
	Message *string
}

type record struct {
	EventName string `json:"eventName"`
	S3        struct {
		Configuration string `json:"configurationId"`
		Bucket        struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object struct {
			Key       string `json:"key"`
			Size      int64  `json:"size"`
			ETag      string `json:"eTag"`
			VersionID string `json:"versionId"`
			Sequencer string `json:"sequencer"`
		} `json:"object"`
	} `json:"s3"`
}

type detail struct {
	Bucket struct {
		Name string `json:"name"`
	} `json:"bucket"`
	Object struct {
		Key       string `json:"key"`
		Size      int64  `json:"size"`
		ETag      string `json:"etag"`
		VersionID string `json:"version-id"`
		Sequencer string `json:"sequencer"`
	} `json:"object"`
}

// Decode gives the events of a message of a queue or a body of a webhook, in
// its order: those after which there is another object to read, and those of
// deleted ones. A test message, and what else became of objects, gives none.
// An error says what the body is not; it has nothing of the body in it but
// names. The body is not kept.
func Decode(body []byte) ([]Event, error) { return decode(body, 0) }

// decode decodes what is wrapped depth times.
func decode(body []byte, depth int) ([]Event, error) {
	var m message
	if err := json.Unmarshal(bytes.TrimPrefix(body, []byte("\ufeff")), &m); err != nil {
		return nil, unreadable(err)
	}
	switch {
	case m.Records != nil:
		return events(*m.Records)
	case m.Event == "s3:TestEvent":
		return nil, nil
	case m.Detail != nil && m.Source == "aws.s3":
		return m.Detail.events(m.DetailType)
	case m.Detail != nil:
		return nil, fmt.Errorf("an event of EventBridge from %.40q, not aws.s3", m.Source)
	case m.Type != "" && m.Type != "Notification":
		return nil, fmt.Errorf("a message of SNS of type %.40q, not Notification: confirm the subscription by hand", m.Type)
	case m.Message != nil && depth < 2:
		return decode([]byte(*m.Message), depth+1)
	}
	return nil, errors.New("no notification of a store: neither Records, nor detail, nor a Message of SNS")
}

// unreadable keeps of an error what is not of the body.
func unreadable(err error) error {
	var (
		syntax *json.SyntaxError
		typ    *json.UnmarshalTypeError
	)
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("not JSON at byte %d", syntax.Offset)
	case errors.As(err, &typ):
		return fmt.Errorf("no notification of a store: %s is no %s", typ.Field, typ.Type)
	}
	return errors.New("not JSON")
}

func events(records []record) (list []Event, err error) {
	for i, r := range records {
		wanted, removed := meaning(strings.TrimPrefix(r.EventName, "s3:"))
		if !wanted {
			continue
		}
		o := r.S3.Object
		e := Event{r.S3.Bucket.Name, o.Key, version(o.VersionID), strings.Trim(o.ETag, `"`), o.Size, removed, o.Sequencer,
			strings.HasSuffix(r.S3.Configuration, "-global")} // VersityGW's
		if e.Bucket == "" || e.Key == "" {
			return nil, fmt.Errorf("record %d names no bucket or no key", i+1)
		}
		list = append(list, e)
	}
	return list, nil
}

// meaning says whether an event changes what there is to read, and whether it
// takes something away. An event without a name may be any.
func meaning(name string) (wanted, removed bool) {
	kind, what, _ := strings.Cut(name, ":")
	switch kind {
	case "", "ObjectCreated":
		return true, false
	case "ObjectRestore": // from an archive
		return what == "Completed", false
	case "ObjectRemoved", "LifecycleExpiration":
		return true, true
	}
	return false, false
}

func (d *detail) events(name string) ([]Event, error) {
	removed := name == "Object Deleted"
	if !removed && name != "Object Created" && name != "Object Restore Completed" {
		return nil, nil
	}
	o := d.Object
	if d.Bucket.Name == "" || o.Key == "" {
		return nil, errors.New("the detail of the event names no bucket or no key")
	}
	return []Event{{d.Bucket.Name, o.Key, version(o.VersionID), strings.Trim(o.ETag, `"`), o.Size, removed, o.Sequencer, true}}, nil
}

// version is that of a bucket that keeps versions.
func version(id string) string {
	if id == "null" {
		return ""
	}
	return id
}
