package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"

	"sluice/internal/awscreds"
	"sluice/internal/kind"
	"sluice/internal/unit"
	"sluice/pipeline"
)

// QueueConfig is the options of a queue (SQS) to which a bucket sends its
// notifications, by itself, SNS or EventBridge.
type QueueConfig struct {
	URL         string        `yaml:"url" required:"true" doc:"URL of the queue, as https://sqs.eu-west-1.amazonaws.com/123456789012/name."`
	Region      string        `yaml:"region" doc:"Region of the queue; if it is not given, that in its URL."`
	Endpoint    string        `yaml:"endpoint" doc:"URL of the service, if it is not where the URL of the queue says."`
	Visibility  unit.Duration `yaml:"visibility" default:"5m" min:"30s" max:"12h" doc:"Time for which nobody else gets a message that was received; it is extended while the message is worked on."`
	MaxReceives int           `yaml:"max_receives" default:"5" min:"1" doc:"A message that was received more often is dropped: a listing will find what it speaks of."`
}

// Problems checks the options without asking anybody.
func (c *QueueConfig) Problems() (list []kind.Problem) {
	add := func(option, message string) { list = append(list, kind.Problem{Option: option, Message: message}) }
	if !isURL(c.URL) || strings.Trim(path(c.URL), "/") == "" {
		add("url", "not the URL of a queue; write one as https://sqs.eu-west-1.amazonaws.com/123456789012/name")
	} else if c.region() == "" {
		add("region", "it is missing, and the URL of the queue does not tell it")
	}
	if c.Endpoint != "" && (!isURL(c.Endpoint) || strings.Trim(path(c.Endpoint), "/") != "") {
		add("endpoint", "give scheme, host and port alone, as https://sqs.internal:9324")
	}
	return list
}

func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && u.User == nil && (u.Scheme == "http" || u.Scheme == "https") && u.RawQuery == ""
}

func path(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Path
}

// regional is the name of a host of SQS: also of FIPS, of China, and of an
// endpoint in a private network.
var regional = regexp.MustCompile(`(?:^|\.)sqs(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?(?:amazonaws\.com|api\.aws)|^([a-z0-9-]+)\.queue\.amazonaws\.com`)

// region is that of the options, or of the URL.
func (c *QueueConfig) region() string {
	u, err := url.Parse(c.URL)
	if c.Region != "" || err != nil {
		return c.Region
	}
	if m := regional.FindStringSubmatch(u.Hostname()); m != nil {
		return m[1] + m[2]
	}
	return ""
}

// arn names the queue in policies.
func (c *QueueConfig) arn() string {
	partition := "aws"
	switch region := c.region(); {
	case strings.HasPrefix(region, "cn-"):
		partition = "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		partition = "aws-us-gov"
	}
	return "arn:" + partition + ":sqs:" + c.region() + ":" + strings.ReplaceAll(strings.Trim(path(c.URL), "/"), "/", ":")
}

// Queue receives from a queue. Its methods may be called from several
// goroutines. Each call is tried again, with full jitter, for as long as it was
// opened for.
type Queue struct {
	config QueueConfig
	sqs    *service
}

// Message is a message that was received. Nobody else gets it for as long as
// the option visibility says, counted from the last time it was extended.
type Message struct {
	ID       string // the same each time it is received
	Receipt  string // of this time, for Extend and Delete
	Body     []byte // see Decode; it belongs to the caller
	Receives int    // how often it was received, this time included
	Poison   bool   // more often than max_receives: it is to be deleted, counted, and not worked on
}

// Open makes a receiver. It sends nothing. What fails is tried again for the
// time of retry.
func (c *QueueConfig) Open(ctx context.Context, keys awscreds.Config, retry time.Duration) (*Queue, error) {
	transport := func(t *http.Transport) { t.ResponseHeaderTimeout = longPoll + quick }
	cfg, err := keys.Load(ctx, c.region(), config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(transport)))
	if err != nil {
		return nil, err
	}
	return &Queue{*c, newService(*c, keys.Provider(cfg), cfg.HTTPClient.(*awshttp.BuildableClient).GetTransport(), retry)}, nil
}

// Close closes connections that are not in use. What is under way goes on.
func (q *Queue) Close() { q.sqs.http.CloseIdleConnections() }

const (
	batch    = 10 // the most that SQS takes or gives at once
	longPoll = 20 * time.Second
	quick    = 20 * time.Second // in which any other request is answered
)

// Receive gives at most max messages. It waits for the first one for at most
// wait, and at most 20 s; then it takes what is there. Without an error there may
// be none. Messages that were received before a request failed are given, and
// the error is left to the next call.
func (q *Queue) Receive(ctx context.Context, max int, wait time.Duration) (list []Message, err error) {
	for len(list) < max {
		most := min(batch, max-len(list))
		got, err := q.receive(ctx, most, wait)
		list = append(list, got...)
		if err != nil && len(list) == 0 {
			return nil, err
		}
		if err != nil || len(got) < most {
			break
		}
		wait = 0
	}
	return list, nil
}

func (q *Queue) receive(ctx context.Context, most int, wait time.Duration) ([]Message, error) {
	in := receiveInput{QueueURL: q.config.URL, Max: most, Wait: int(min(wait, longPoll) / time.Second), Visibility: q.seconds(),
		Attributes: []string{"ApproximateReceiveCount"}}
	var out receiveOutput
	if err := q.sqs.do(ctx, "ReceiveMessage", in, &out); err != nil {
		return nil, err
	}
	list := make([]Message, len(out.Messages))
	for i, m := range out.Messages {
		list[i] = Message{ID: m.ID, Receipt: m.Receipt, Body: []byte(m.Body), Receives: m.Attributes.Receives}
		list[i].Poison = m.Attributes.Receives > q.config.MaxReceives
	}
	return list, nil
}

// seconds is the visibility.
func (q *Queue) seconds() int {
	return int((time.Duration(q.config.Visibility) + time.Second - 1) / time.Second)
}

// Extend gives the caller the messages for the whole visibility time from now.
// It returns the receipts that are no longer valid: their messages were deleted,
// or may be received by others.
func (q *Queue) Extend(ctx context.Context, receipts []string) (lost []string, err error) {
	seconds := q.seconds()
	return q.each(ctx, "ChangeMessageVisibilityBatch", receipts, &seconds)
}

// Delete takes messages out of the queue. A message whose receipt is no longer
// valid is gone, or comes again.
func (q *Queue) Delete(ctx context.Context, receipts []string) error {
	_, err := q.each(ctx, "DeleteMessageBatch", receipts, nil)
	return err
}

// Keep extends the messages that receipts gives, whenever a third of their time
// has passed, until ctx ends; then it returns nil. It ends earlier only if the
// queue does not allow it; what may pass is logged, and receipts that are lost
// are counted there.
func (q *Queue) Keep(ctx context.Context, receipts func() []string) error {
	t := time.NewTicker(time.Duration(q.config.Visibility) / 3)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if err := q.keep(ctx, receipts); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// keep does it once.
func (q *Queue) keep(ctx context.Context, receipts func() []string) error {
	lost, err := q.Extend(ctx, receipts())
	held := receipts() // some were deleted meanwhile
	lost = slices.DeleteFunc(lost, func(r string) bool { return !slices.Contains(held, r) })
	if len(lost) > 0 {
		pipeline.Logger(ctx).Warn("messages were not kept in time; others may receive them", "messages", len(lost))
	}
	var answer *Error
	if errors.As(err, &answer) && answer.cause() == "" {
		return err
	}
	if err != nil && ctx.Err() == nil {
		pipeline.Logger(ctx).Warn("messages cannot be kept; others may receive them", "error", err)
	}
	return nil
}

// each does something to messages, ten at a time. What fails for a message
// because its receipt is not valid makes it lost; what fails otherwise is tried
// again with all the others.
func (q *Queue) each(ctx context.Context, action string, receipts []string, visibility *int) (lost []string, err error) {
	for len(receipts) > 0 {
		now := receipts[:min(batch, len(receipts))]
		receipts = receipts[len(now):]
		gone, err := q.some(ctx, action, now, visibility)
		lost = append(lost, gone...)
		if err != nil {
			return lost, err
		}
	}
	return lost, nil
}

// some is at most ten.
func (q *Queue) some(ctx context.Context, action string, receipts []string, visibility *int) (lost []string, err error) {
	left := receipts
	err = q.sqs.try(ctx, action, func() error {
		in := batchInput{QueueURL: q.config.URL}
		for i, r := range left {
			in.Entries = append(in.Entries, entry{ID: fmt.Sprint(i), Receipt: r, Visibility: visibility})
		}
		var out batchOutput
		if err := q.sqs.once(ctx, action, in, &out); err != nil {
			return err
		}
		gone, again, err := out.sort(left)
		lost, left = append(lost, gone...), again
		return err
	})
	return lost, err
}
