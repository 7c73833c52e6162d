package notify_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/awscreds"
	"sluice/internal/awscreds/awstest"
	"sluice/internal/notify"
	"sluice/internal/unit"
)

const (
	queueURL = "https://sqs.eu-west-1.amazonaws.com/123456789012/news"
	secret   = "S3CR3T"
)

// queue is a queue of SQS that checks signatures, without a network: it is the
// transport of who asks it. Time is that of the test.
type queue struct {
	verifier awstest.Verifier
	faults   []fault // of the next requests, in order
	always   *fault
	ahead    time.Duration // its clock

	mu       sync.Mutex
	messages []*stored
	receipts int
	asked    []asked
}

type stored struct {
	id, body, receipt string
	hidden            time.Time // until then
	receives          int
}

// asked is a request that came.
type asked struct {
	Action            string
	QueueURL          string `json:"QueueUrl"`
	Max               int    `json:"MaxNumberOfMessages"`
	Wait              int    `json:"WaitTimeSeconds"`
	VisibilityTimeout int
	Entries           []struct {
		ID                string `json:"Id"`
		ReceiptHandle     string
		VisibilityTimeout int
	}
}

// fault is what goes wrong with a request.
type fault struct {
	action string // of requests of this one; "" is any
	status int    // is answered, and nothing done
	code   string
	lost   bool   // it is done, and the answer lost
	cut    bool   // it is done, and the answer cut
	fails  string // the code with which each second entry of a batch fails
	all    bool   // all entries do
	sender bool   // SenderFault of these
	silent bool   // nothing is said of each second entry
	spoil  bool   // bodies are changed on the way
}

func newQueue() *queue {
	return &queue{verifier: awstest.Verifier{Service: "sqs", Region: "eu-west-1", Key: "key", Secret: secret, Now: time.Now, Suite: true}}
}

// open makes a receiver of it.
func open(t *testing.T, q *queue, change func(*notify.QueueConfig)) *notify.Queue {
	t.Helper()
	c := notify.QueueConfig{URL: queueURL, Visibility: unit.Duration(time.Minute), MaxReceives: 3}
	if change != nil {
		change(&c)
	}
	r, err := c.OpenOn(t.Context(), q, awscreds.Config{AccessKey: "key", SecretKey: secret}, 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// send puts messages into it.
func (q *queue) send(bodies ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, b := range bodies {
		q.messages = append(q.messages, &stored{id: fmt.Sprint("id-", len(q.messages)), body: b})
	}
}

// become makes all requests from now on go wrong; nil: none.
func (q *queue) become(f *fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.always = f
}

// journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// left is the bodies that were not deleted.
func (q *queue) left() (list []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, m := range q.messages {
		list = append(list, m.body)
	}
	return list
}

// requests are those of an action.
func (q *queue) requests(action string) (list []asked) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, a := range q.asked {
		if a.Action == action {
			list = append(list, a)
		}
	}
	return list
}

// RoundTrip implements http.RoundTripper.
func (q *queue) RoundTrip(req *http.Request) (*http.Response, error) {
	in := req.Clone(req.Context())
	in.RequestURI, in.Host = req.URL.RequestURI(), req.URL.Host
	w := httptest.NewRecorder()
	w.Header().Set("Date", time.Now().Add(q.ahead).UTC().Format(http.TimeFormat))
	f := q.serve(w, in)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	if f.lost {
		return nil, errors.New("connection reset by peer")
	}
	reply := w.Result()
	if f.cut {
		reply.Body = io.NopCloser(io.LimitReader(reply.Body, 5))
	}
	return reply, nil
}

func (q *queue) serve(w http.ResponseWriter, r *http.Request) (f fault) {
	body, _ := io.ReadAll(r.Body)
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	a := asked{Action: action}
	json.Unmarshal(body, &a)
	q.mu.Lock()
	q.asked = append(q.asked, a)
	f = q.fault(action)
	v := q.verifier
	q.mu.Unlock()
	v.Now = func() time.Time { return time.Now().Add(q.ahead) }
	err := v.Check(r, body)
	switch {
	case r.Method != "POST" || r.Header.Get("Content-Type") != "application/x-amz-json-1.0" || a.QueueURL != queueURL:
		refuse(w, 400, "InvalidAction", "no request of SQS")
	case f.status != 0:
		refuse(w, f.status, f.code, "as it happens")
	case err != nil && strings.HasPrefix(err.Error(), "Signature expired"):
		refuse(w, 400, "InvalidSignatureException", err.Error())
	case err != nil:
		refuse(w, 403, "InvalidSignatureException", err.Error())
	case action == "ReceiveMessage":
		q.receive(w, r, a, f)
	case len(a.Entries) == 0 || len(a.Entries) > 10:
		refuse(w, 400, "TooManyEntriesInBatchRequest", "1 to 10")
	default:
		q.batch(w, a, f)
	}
	return f
}

func (q *queue) fault(action string) fault {
	if q.always != nil && (q.always.action == "" || q.always.action == action) {
		return *q.always
	}
	for i, f := range q.faults {
		if f.action == "" || f.action == action {
			q.faults = slices.Delete(q.faults, i, i+1)
			return f
		}
	}
	return fault{}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazonaws.sqs#" + code, "message": message})
}

// receive waits for messages as long polling does.
func (q *queue) receive(w http.ResponseWriter, r *http.Request, a asked, f fault) {
	if a.Max < 1 || a.Max > 10 || a.Wait < 0 || a.Wait > 20 || a.VisibilityTimeout < 1 {
		refuse(w, 400, "InvalidParameterValue", fmt.Sprintf("%+v", a))
		return
	}
	list := q.take(a, f)
	for end := time.Now().Add(time.Duration(a.Wait) * time.Second); len(list) == 0 && time.Now().Before(end) && r.Context().Err() == nil; list = q.take(a, f) {
		time.Sleep(100 * time.Millisecond)
	}
	json.NewEncoder(w).Encode(map[string]any{"Messages": list})
}

func (q *queue) take(a asked, f fault) (list []map[string]any) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for _, m := range q.messages {
		if now.Before(m.hidden) || len(list) == a.Max {
			continue
		}
		q.receipts++
		m.receives++
		m.receipt, m.hidden = fmt.Sprint("receipt-", q.receipts), now.Add(time.Duration(a.VisibilityTimeout)*time.Second)
		sum := md5.Sum([]byte(m.body))
		body := m.body
		if f.spoil {
			body += "x"
		}
		list = append(list, map[string]any{"MessageId": m.id, "ReceiptHandle": m.receipt, "Body": body, "MD5OfBody": hex.EncodeToString(sum[:]),
			"Attributes": map[string]string{"ApproximateReceiveCount": fmt.Sprint(m.receives)}})
	}
	return list
}

// batch deletes or extends. Its reply is in no order.
func (q *queue) batch(w http.ResponseWriter, a asked, f fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var good, bad []map[string]any
	for n, e := range slices.Backward(a.Entries) {
		if n%2 == 1 && f.silent {
			continue
		}
		if (n%2 == 1 || f.all) && f.fails != "" {
			bad = append(bad, map[string]any{"Id": e.ID, "Code": f.fails, "Message": "as it happens", "SenderFault": f.sender})
			continue
		}
		i := slices.IndexFunc(q.messages, func(m *stored) bool { return m.receipt == e.ReceiptHandle && time.Now().Before(m.hidden) })
		if i < 0 {
			bad = append(bad, map[string]any{"Id": e.ID, "Code": "ReceiptHandleIsInvalid", "SenderFault": true})
			continue
		}
		if good = append(good, map[string]any{"Id": e.ID}); a.Action == "DeleteMessageBatch" {
			q.messages = slices.Delete(q.messages, i, i+1)
		} else {
			q.messages[i].hidden = time.Now().Add(time.Duration(e.VisibilityTimeout) * time.Second)
		}
	}
	json.NewEncoder(w).Encode(map[string]any{"Successful": good, "Failed": bad})
}

// receipts of messages.
func receipts(list []notify.Message) (all []string) {
	for _, m := range list {
		all = append(all, m.Receipt)
	}
	return all
}

// bodies of messages.
func bodies(list []notify.Message) string {
	var all [][]byte
	for _, m := range list {
		all = append(all, m.Body)
	}
	return string(bytes.Join(all, []byte(" ")))
}

// numbered are n bodies.
func numbered(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprint("m", i))
	}
	return list
}
