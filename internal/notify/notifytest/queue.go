// Package notifytest gives tests queues of their own on a real server.
package notifytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"sluice/test/servers"
)

// Queue is a queue that goes with its test.
type Queue struct {
	URL string

	t        testing.TB
	endpoint string
}

// New makes a queue. The test is skipped if there is no server.
func New(t testing.TB) *Queue {
	t.Helper()
	q := &Queue{t: t, endpoint: servers.SQS(t)}
	var made struct{ QueueUrl string }
	q.ask("CreateQueue", map[string]any{"QueueName": fmt.Sprintf("notify-%d", time.Now().UnixNano())}, &made)
	q.URL = made.QueueUrl
	t.Cleanup(func() { q.ask("DeleteQueue", map[string]any{"QueueUrl": q.URL}, nil) })
	return q
}

// Send sends messages.
func (q *Queue) Send(bodies ...string) {
	q.t.Helper()
	for part := range slices.Chunk(bodies, 10) {
		var entries []map[string]string
		for i, b := range part {
			entries = append(entries, map[string]string{"Id": fmt.Sprint(i), "MessageBody": b})
		}
		q.ask("SendMessageBatch", map[string]any{"QueueUrl": q.URL, "Entries": entries}, nil)
	}
}

// Left is the number of messages that were not deleted.
func (q *Queue) Left() int {
	q.t.Helper()
	var out struct{ Attributes map[string]string }
	q.ask("GetQueueAttributes", map[string]any{"QueueUrl": q.URL, "AttributeNames": []string{"All"}}, &out)
	sum := 0
	for _, name := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
		n, err := strconv.Atoi(out.Attributes[name])
		if err != nil {
			q.t.Fatalf("%s: %v", name, err)
		}
		sum += n
	}
	return sum
}

func (q *Queue) ask(action string, in, out any) {
	q.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		q.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, q.endpoint+"/", bytes.NewReader(body))
	if err != nil {
		q.t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Close = true
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		q.t.Fatal(err)
	}
	defer reply.Body.Close()
	if text, err := io.ReadAll(reply.Body); err != nil || reply.StatusCode != 200 || out != nil && json.Unmarshal(text, out) != nil {
		q.t.Fatalf("%s: got %d %s, %v", action, reply.StatusCode, text, err)
	}
}

// Created is a message of S3 that says that an object was put.
func Created(bucket, key string) string {
	type m = map[string]any
	b, err := json.Marshal(m{"Records": []any{m{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
		"s3": m{"bucket": m{"name": bucket}, "object": m{"key": key, "size": 1, "eTag": "x"}}}}})
	if err != nil {
		panic(err) // strings
	}
	return string(b)
}
