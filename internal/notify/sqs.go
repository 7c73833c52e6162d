package notify

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/cenkalti/backoff/v5"

	"sluice/internal/awscreds"
	"sluice/internal/pace"
	"sluice/pipeline"
)

// What is sent and what comes back, in the JSON protocol of SQS.
type (
	receiveInput struct {
		QueueURL   string   `json:"QueueUrl"`
		Max        int      `json:"MaxNumberOfMessages"`
		Wait       int      `json:"WaitTimeSeconds"`   // seconds
		Visibility int      `json:"VisibilityTimeout"` // seconds
		Attributes []string `json:"MessageSystemAttributeNames"`
	}
	receiveOutput struct {
		Messages []struct {
			ID         string `json:"MessageId"`
			Receipt    string `json:"ReceiptHandle"`
			Body       string
			MD5        string `json:"MD5OfBody"`
			Attributes struct {
				Receives int `json:"ApproximateReceiveCount,string"`
			}
		}
	}
	batchInput struct {
		QueueURL string  `json:"QueueUrl"`
		Entries  []entry `json:"Entries"`
	}
	entry struct {
		ID         string `json:"Id"`
		Receipt    string `json:"ReceiptHandle"`
		Visibility *int   `json:"VisibilityTimeout,omitempty"` // seconds
	}
	batchOutput struct {
		Successful []struct {
			ID string `json:"Id"`
		}
		Failed []failure
	}
	failure struct {
		ID            string `json:"Id"`
		Code, Message string
		SenderFault   bool
	}
)

// sort says which receipts are lost and which are to be tried again. Those of
// which nothing is said are.
func (o batchOutput) sort(receipts []string) (lost, again []string, err error) {
	done := map[string]bool{}
	for _, s := range o.Successful {
		done[s.ID] = true
	}
	var worst *Error
	for _, f := range o.Failed {
		n, err := strconv.Atoi(f.ID)
		if err != nil || n < 0 || n >= len(receipts) || done[f.ID] {
			continue
		}
		if f.lost() {
			lost = append(lost, receipts[n])
			done[f.ID] = true
			continue
		}
		if e := (&Error{Status: 500, Code: f.Code, Message: f.Message}); worst == nil || f.SenderFault {
			if worst = e; f.SenderFault {
				e.Status = 400
			}
		}
	}
	for i, r := range receipts {
		if !done[strconv.Itoa(i)] {
			again = append(again, r)
		}
	}
	switch {
	case worst != nil:
		return lost, again, worst
	case len(again) > 0:
		return lost, again, &Error{Status: 500, Message: fmt.Sprintf("nothing is said of %d of %d messages", len(again), len(receipts))}
	}
	return lost, nil, nil
}

// lost reports whether the receipt is not valid, or no longer: SQS says so in
// several ways, one of which is for everything that is wrong with a parameter.
func (f failure) lost() bool {
	return strings.HasSuffix(f.Code, "ReceiptHandleIsInvalid") || strings.HasSuffix(f.Code, "MessageNotInflight") ||
		strings.HasSuffix(f.Code, "InvalidParameterValue") || strings.HasSuffix(f.Code, "InvalidIdFormat")
}

// service sends requests to SQS.
type service struct {
	config  QueueConfig
	creds   *awscreds.Provider
	http    *http.Client
	v4      *v4.Signer
	retry   time.Duration
	reached atomic.Bool  // it has answered
	skew    atomic.Int64 // what its clock is ahead of ours, in nanoseconds
}

func newService(c QueueConfig, creds *awscreds.Provider, transport http.RoundTripper, retry time.Duration) *service {
	return &service{config: c, creds: creds, v4: v4.NewSigner(), retry: retry, http: &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}} // they would be signed for another host
}

// do carries out an action until it succeeds, cannot succeed, or has failed for
// too long.
func (s *service) do(ctx context.Context, action string, in, out any) error {
	return s.try(ctx, action, func() error { return s.once(ctx, action, in, out) })
}

// try calls f until it succeeds, cannot succeed, or has failed for too long. A
// reply that was lost may belong to a request that was carried out.
func (s *service) try(ctx context.Context, action string, f func() error) error {
	// the factor makes it full jitter: anything from nothing to twice the interval
	pause := backoff.ExponentialBackOff{InitialInterval: 100 * time.Millisecond, RandomizationFactor: 1, Multiplier: 2, MaxInterval: 10 * time.Second}
	var first time.Time // of the failures
	renewed := false
	for n := 1; ; n++ {
		err := f()
		if err == nil {
			s.reached.Store(true)
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if n == 1 {
			first = time.Now()
		}
		why, wait, spent := s.cause(err, &renewed), pause.NextBackOff(), time.Since(first)
		if why == "" || spent+wait > s.limit() {
			return s.failed(action, err, n, spent)
		}
		pipeline.Retried(ctx, why)
		if err := pace.Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// verb is what errors call an action.
var verb = map[string]string{"ReceiveMessage": "receive from", "DeleteMessageBatch": "delete messages of", "ChangeMessageVisibilityBatch": "extend messages of"}

// failed is the error of an action that failed n times.
func (s *service) failed(action string, err error, n int, spent time.Duration) error {
	var send *url.Error
	if errors.As(err, &send) {
		err = send.Err // without the URL
	}
	err = fmt.Errorf("%s %s: %w", verb[action], s.config.URL, err)
	if n > 1 {
		err = fmt.Errorf("%w (failed %d times in %s)", err, n, spent.Round(time.Second))
	}
	return err
}

// limit is the time to try again. A service that has never answered is most
// likely not where we look for it.
func (s *service) limit() time.Duration {
	if !s.reached.Load() {
		return min(s.retry, 30*time.Second)
	}
	return s.retry
}

// cause says why it may be tried again; "" if it may not. Clock and credentials
// are made new once.
func (s *service) cause(err error, renewed *bool) string {
	var (
		answer *Error
		send   *url.Error
		creds  *awscreds.Error
	)
	switch {
	case errors.As(err, &creds) && s.reached.Load():
		return "credentials"
	case errors.As(err, &creds):
		return ""
	case errors.As(err, &send) && send.Timeout():
		return "timeout"
	case errors.As(err, &send):
		return "connection"
	case !errors.As(err, &answer):
		return ""
	}
	s.reached.Store(true)
	if why := answer.cause(); why != "" || *renewed {
		return why
	}
	*renewed = true
	switch {
	case answer.skewed() && !answer.date.IsZero():
		s.skew.Store(int64(time.Until(answer.date)))
		return "clock"
	case s.creds.Refused(answer.Code):
		return "credentials"
	}
	return ""
}

// once sends one request.
func (s *service) once(ctx context.Context, action string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	within := quick
	if action == "ReceiveMessage" {
		within += longPoll
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	req, err := s.request(ctx, action, body)
	if err != nil {
		return err
	}
	reply, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, 16<<20)) // ten messages of 1 MiB, escaped
	if err != nil {
		return &url.Error{Op: "read", URL: "reply", Err: err}
	}
	if reply.StatusCode != http.StatusOK {
		return s.refusal(action, reply, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return &Error{Status: reply.StatusCode, Message: "the reply cannot be read"}
	}
	return whole(out)
}

// request makes a signed request.
func (s *service) request(ctx context.Context, action string, body []byte) (*http.Request, error) {
	creds, err := s.creds.Retrieve(ctx)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(s.config.URL)
	if s.config.Endpoint != "" {
		u, err = url.Parse(s.config.Endpoint)
	}
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.Scheme+"://"+u.Host+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.ContentLength = -1 // it is not signed; proxies may change it
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "AmazonSQS."+action)
	sum := sha256.Sum256(body)
	now := time.Now().Add(time.Duration(s.skew.Load()))
	err = s.v4.SignHTTP(ctx, creds, req, hex.EncodeToString(sum[:]), "sqs", s.config.region(), now)
	req.ContentLength = int64(len(body))
	return req, err
}

// whole compares the bodies of messages with their checksums.
func whole(out any) error {
	received, ok := out.(*receiveOutput)
	if !ok {
		return nil
	}
	for _, m := range received.Messages {
		if sum := md5.Sum([]byte(m.Body)); m.MD5 != "" && m.MD5 != hex.EncodeToString(sum[:]) {
			return &Error{Status: http.StatusOK, Message: "the body of message " + m.ID + " is not what was sent"}
		}
	}
	return nil
}
