package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"sluice/internal/awscreds"
	"sluice/internal/notify"
	"sluice/internal/unit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// must is what cannot fail in a test.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestMessagesAreReceivedInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		r := open(t, q, nil)
		q.send(numbered(38)...)
		first := must[[]notify.Message](t)(r.Receive(t.Context(), 25, time.Minute))
		second := must[[]notify.Message](t)(r.Receive(t.Context(), 25, 1500*time.Millisecond))
		if len(first) != 25 || len(second) != 13 || bodies(append(first, second...)) != strings.Join(numbered(38), " ") {
			t.Errorf("got %d and %d messages, want 25 and the other 13", len(first), len(second))
		}
		if m := first[0]; m.ID != "id-0" || m.Receives != 1 || m.Poison {
			t.Errorf("got %+v, want the first message, received once", m)
		}
		var got []string
		for _, a := range q.requests("ReceiveMessage") {
			got = append(got, fmt.Sprint(a.Max, "/", a.Wait, "/", a.VisibilityTimeout))
		}
		if want := "10/20/60 10/0/60 5/0/60 10/1/60 10/0/60"; strings.Join(got, " ") != want {
			t.Errorf("got requests %q, want %s: only the first waits", got, want)
		}
	})
}

func TestReceivingWaitsForTheFirstMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		r := open(t, q, nil)
		begun := time.Now()
		if got := must[[]notify.Message](t)(r.Receive(t.Context(), 10, 5*time.Second)); len(got) != 0 || time.Since(begun) != 5*time.Second {
			t.Errorf("got %d messages after %s, want none after 5s", len(got), time.Since(begun))
		}
		var g errgroup.Group
		g.Go(func() error { time.Sleep(3 * time.Second); q.send("late"); return nil })
		begun = time.Now()
		if got := must[[]notify.Message](t)(r.Receive(t.Context(), 10, time.Hour)); bodies(got) != "late" || time.Since(begun) > 4*time.Second {
			t.Errorf("got %q after %s, want it when it comes", bodies(got), time.Since(begun))
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("enough"))
		defer cancel()
		if _, err := r.Receive(ctx, 10, time.Hour); err == nil || err.Error() != "enough" {
			t.Errorf("got %v, want the cause", err)
		}
		g.Wait()
	})
}

func TestMessagesThatWereReceivedAreGivenThoughTheNextRequestFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.send(numbered(20)...)
		r := open(t, q, nil)
		q.faults = []fault{{}, {status: 400, code: "AccessDeniedException"}, {status: 400, code: "AccessDeniedException"}}
		if got, err := r.Receive(t.Context(), 20, 0); len(got) != 10 || err != nil {
			t.Errorf("got %d, %v, want the ten there are", len(got), err)
		}
		if got, err := r.Receive(t.Context(), 20, 0); len(got) != 0 || err == nil {
			t.Errorf("got %d, %v, want the error", len(got), err)
		}
	})
}

func TestAMessageThatComesTooOftenIsPoison(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.send("bad")
		r := open(t, q, nil)
		for n := 1; n <= 5; n++ {
			got := must[[]notify.Message](t)(r.Receive(t.Context(), 1, 0))
			if len(got) != 1 || got[0].Receives != n || got[0].Poison != (n > 3) {
				t.Errorf("got %+v, want it for the %d. time, poison after 3", got, n)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestExtendedMessagesAreOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.send(numbered(12)...)
		r := open(t, q, nil)
		ours := receipts(must[[]notify.Message](t)(r.Receive(t.Context(), 12, 0)))
		time.Sleep(59 * time.Second)
		if lost, err := r.Extend(t.Context(), ours[:11]); lost != nil || err != nil {
			t.Fatalf("got %v, %v, want all extended", lost, err)
		}
		time.Sleep(2 * time.Second)
		if got := must[[]notify.Message](t)(r.Receive(t.Context(), 12, 0)); bodies(got) != "m11" {
			t.Errorf("got %q, want only what was not extended", bodies(got))
		}
		lost, err := r.Extend(t.Context(), ours)
		if !slices.Equal(lost, ours[11:]) || err != nil {
			t.Errorf("got %v, %v, want the last receipt lost", lost, err)
		}
		if lost, err := r.Extend(t.Context(), nil); lost != nil || err != nil || len(q.requests("ChangeMessageVisibilityBatch")) != 4 {
			t.Errorf("got %v, %v, want nothing asked for nothing", lost, err)
		}
	})
}

func TestMessagesAreDeletedWhateverGoesWrong(t *testing.T) {
	for name, faults := range map[string][]fault{
		"nothing":      nil,
		"500":          {{status: 500, code: "InternalFailure"}},
		"throttled":    {{status: 400, code: "ThrottlingException"}, {status: 403, code: "OverLimit"}},
		"lost replies": {{lost: true}, {lost: true}},
		"cut replies":  {{cut: true}},
		"half of them": {{fails: "InternalError"}, {fails: "InternalError"}, {fails: "RequestThrottled"}},
		"said nothing": {{silent: true}},
		"all of these": {{silent: true}, {fails: "InternalError"}, {lost: true}, {status: 503}, {cut: true}},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue()
			q.send(numbered(23)...)
			r := open(t, q, nil)
			ours := receipts(must[[]notify.Message](t)(r.Receive(t.Context(), 22, 0)))
			q.faults = faults
			if err := r.Delete(t.Context(), ours); err != nil || strings.Join(q.left(), " ") != "m22" {
				t.Errorf("%s: got %v with %q left, want m22", name, err, q.left())
			}
			if len(q.faults) != 0 {
				t.Errorf("%s: got %d faults left, want all met", name, len(q.faults))
			}
		})
	}
}

func TestABatchInWhichSomethingCannotSucceedIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.send(numbered(4)...)
		r := open(t, q, nil)
		ours := receipts(must[[]notify.Message](t)(r.Receive(t.Context(), 4, 0)))
		q.always = &fault{fails: "KMS.AccessDenied", sender: true}
		if err := r.Delete(t.Context(), ours); err == nil || !strings.Contains(err.Error(), "delete messages of "+queueURL+": 400 KMS.AccessDenied") {
			t.Errorf("got %v, want the error of the entries", err)
		}
		q.always = &fault{fails: "InternalError", all: true}
		begun := time.Now()
		if err := r.Delete(t.Context(), ours); err == nil || !strings.Contains(err.Error(), "500 InternalError") || time.Since(begun) < 4*time.Minute {
			t.Errorf("got %v after %s, want it tried for 5 minutes", err, time.Since(begun))
		}
		q.always = nil
		if err := r.Delete(t.Context(), ours); err != nil || len(q.left()) != 2 { // the time of two of them was over
			t.Errorf("got %v with %q left, want no error of what is not ours any more", err, q.left())
		}
	})
}

func TestALostReplyOfReceiveLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.send(numbered(10)...)
		r := open(t, q, nil)
		q.faults = []fault{{lost: true}, {lost: true}}
		var got []notify.Message
		for len(got) < 10 {
			got = append(got, must[[]notify.Message](t)(r.Receive(t.Context(), 10, 20*time.Second))...)
		}
		if got[0].Receives != 2 {
			t.Errorf("got it %d times, want it again after its time", got[0].Receives)
		}
	})
}

func TestABodyThatWasChangedOnTheWayIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.send("whole")
		r := open(t, q, nil)
		q.faults = []fault{{spoil: true}}
		if got := must[[]notify.Message](t)(r.Receive(t.Context(), 1, 0)); len(got) != 0 {
			t.Errorf("got %q, want nothing before it is ours no more", bodies(got))
		}
		time.Sleep(time.Minute)
		if got := must[[]notify.Message](t)(r.Receive(t.Context(), 1, 0)); bodies(got) != "whole" {
			t.Errorf("got %q, want it whole", bodies(got))
		}
	})
}

func TestAQueueThatFailsIsTriedAgainForSoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		r := open(t, q, nil)
		q.always = &fault{lost: true}
		begun := time.Now()
		_, err := r.Receive(t.Context(), 1, 0)
		if d := time.Since(begun); err == nil || d < 10*time.Second || d > 30*time.Second || !strings.Contains(err.Error(), "connection reset by peer (failed ") {
			t.Errorf("got %v after %s, want the error after half a minute: nobody has ever answered", err, d)
		}
		q.always = &fault{status: 503}
		begun = time.Now()
		_, err = r.Receive(t.Context(), 1, 0)
		if d := time.Since(begun); err == nil || d < 4*time.Minute || d > 5*time.Minute || !strings.Contains(err.Error(), "503 Service Unavailable") {
			t.Errorf("got %v after %s, want the error after five minutes", err, d)
		}
		if n := len(q.requests("ReceiveMessage")); n > 200 {
			t.Errorf("got %d requests, want pauses between them", n)
		}
	})
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	ask := map[string]func(r *notify.Queue, t *testing.T) error{
		"ReceiveMessage":               func(r *notify.Queue, t *testing.T) error { _, err := r.Receive(t.Context(), 1, 0); return err },
		"ChangeMessageVisibilityBatch": func(r *notify.Queue, t *testing.T) error { _, err := r.Extend(t.Context(), []string{"x"}); return err },
		"DeleteMessageBatch":           func(r *notify.Queue, t *testing.T) error { return r.Delete(t.Context(), []string{"x"}) },
	}
	for _, test := range []struct{ action, code, want string }{
		{"ReceiveMessage", "AccessDeniedException", "allow sqs:ReceiveMessage on arn:aws:sqs:eu-west-1:123456789012:news"},
		{"DeleteMessageBatch", "AccessDenied", "allow sqs:DeleteMessage on arn:aws:sqs:eu-west-1:123456789012:news"},
		{"ChangeMessageVisibilityBatch", "AccessDenied", "allow sqs:ChangeMessageVisibility on arn:aws"},
		{"ReceiveMessage", "KmsAccessDenied", "allow kms:Decrypt"},
		{"ReceiveMessage", "QueueDoesNotExist", "check url and region"},
		{"ReceiveMessage", "InvalidClientTokenId", "check access_key"},
		{"ReceiveMessage", "Forbidden", "check the credentials"},
		{"ReceiveMessage", "InvalidAddress", "400 InvalidAddress: as it happens"},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue()
			q.always = &fault{status: 400, code: test.code}
			if test.code == "Forbidden" {
				q.always.status = 403
			}
			err := ask[test.action](open(t, q, nil), t)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), queueURL) || strings.Contains(err.Error(), secret) {
				t.Errorf("%s: got %v, want %q", test.code, err, test.want)
			}
			var answer *notify.Error
			if !errors.As(err, &answer) || answer.Code != test.code {
				t.Errorf("got %v, want the code %s", err, test.code)
			}
		})
	}
}

func TestCredentialsAndClockAreMadeNewOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.send("x")
		r := open(t, q, nil)
		q.faults = []fault{{status: 400, code: "ExpiredTokenException"}}
		if got, err := r.Receive(t.Context(), 1, 0); len(got) != 1 || err != nil {
			t.Errorf("got %v, %v, want it received with new credentials", got, err)
		}
		q.always = &fault{status: 400, code: "ExpiredTokenException"}
		if _, err := r.Receive(t.Context(), 1, 0); err == nil || !strings.Contains(err.Error(), "failed 2 times") || !strings.Contains(err.Error(), "renew session_token") {
			t.Errorf("got %v, want the refusal of the second time", err)
		}
		q.always, q.ahead = nil, time.Hour
		q.send("y")
		if got, err := r.Receive(t.Context(), 1, 0); len(got) != 1 || err != nil {
			t.Errorf("got %v, %v, want it received by the clock of the service", got, err)
		}
		q.verifier.Secret = "another"
		if _, err := r.Receive(t.Context(), 1, 0); err == nil || !strings.Contains(err.Error(), "check secret_key") {
			t.Errorf("got %v, want the signature refused", err)
		}
	})
}

func TestKeptMessagesStayOursAsLongAsTheyAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		q.send("long")
		r := open(t, q, nil)
		ours := receipts(must[[]notify.Message](t)(r.Receive(t.Context(), 1, 0)))
		ctx, cancel := context.WithCancel(t.Context())
		var g errgroup.Group
		g.Go(func() error { return r.Keep(ctx, func() []string { return ours }) })
		time.Sleep(time.Hour + time.Second)
		if got := must[[]notify.Message](t)(r.Receive(t.Context(), 1, 0)); len(got) != 0 {
			t.Errorf("got %q, want it kept for an hour", bodies(got))
		}
		if n := len(q.requests("ChangeMessageVisibilityBatch")); n != 180 {
			t.Errorf("got %d requests, want one for each third of the minute", n)
		}
		cancel()
		if err := g.Wait(); err != nil {
			t.Errorf("got %v, want no error at the end", err)
		}
		time.Sleep(time.Minute)
		if got := must[[]notify.Message](t)(r.Receive(t.Context(), 1, 0)); bodies(got) != "long" {
			t.Errorf("got %q, want it again", bodies(got))
		}
	})
}

func TestKeepingGoesOnAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		before := slog.Default()
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
		defer slog.SetDefault(before)
		q := newQueue()
		q.send("long", "done")
		r := open(t, q, nil)
		ours := receipts(must[[]notify.Message](t)(r.Receive(t.Context(), 2, 0)))
		if err := r.Delete(t.Context(), ours[1:]); err != nil {
			t.Fatal(err)
		}
		calls, held := 0, func() []string { return ours[:1] }
		ctx, cancel := context.WithCancel(t.Context())
		var g errgroup.Group
		g.Go(func() error {
			return r.Keep(ctx, func() []string {
				if calls++; calls == 1 { // it is deleted while it is extended
					return ours
				}
				return held()
			})
		})
		time.Sleep(30 * time.Second)
		if log.String() != "" {
			t.Errorf("got %s, want nothing said of what is done", &log)
		}
		q.become(&fault{status: 503})
		time.Sleep(10 * time.Minute)
		q.become(nil)
		if !strings.Contains(log.String(), "cannot be kept") {
			t.Errorf("got %q, want it said that it does not work", &log)
		}
		time.Sleep(time.Minute)
		if !strings.Contains(log.String(), "others may receive them\" messages=1") {
			t.Errorf("got %q, want it said that one is lost", &log)
		}
		cancel()
		if err := g.Wait(); err != nil {
			t.Errorf("got %v, want no error", err)
		}
		q.become(&fault{status: 400, code: "AccessDenied"})
		if err := r.Keep(t.Context(), held); err == nil || !strings.Contains(err.Error(), "sqs:ChangeMessageVisibility") {
			t.Errorf("got %v, want the permission that is missing", err)
		}
	})
}

func TestOptionsOfAQueue(t *testing.T) {
	for option, c := range map[string]notify.QueueConfig{
		"url":      {URL: "news"},
		"region":   {URL: "http://127.0.0.1:9324/000000000000/news"},
		"endpoint": {URL: queueURL, Endpoint: "https://vpce.example/x"},
	} {
		if got := c.Problems(); len(got) != 1 || got[0].Option != option {
			t.Errorf("got %v, want one of %s", got, option)
		}
	}
	for _, host := range []string{
		"sqs.eu-west-1.amazonaws.com", "sqs.cn-north-1.amazonaws.com.cn", "sqs-fips.us-east-1.amazonaws.com", "eu-west-1.queue.amazonaws.com",
		"vpce-0a1b.sqs.eu-west-1.vpce.amazonaws.com", "sqs.eu-west-1.api.aws",
	} {
		if got := (&notify.QueueConfig{URL: "https://" + host + "/1/q"}).Problems(); got != nil {
			t.Errorf("%s: got %v, want its region known", host, got)
		}
	}
	for _, url := range []string{"https://u:" + secret + "@h/1/q", "https://h/1/q?token=" + secret} {
		if got := fmt.Sprint((&notify.QueueConfig{URL: url}).Problems()); strings.Contains(got, secret) || got == "[]" {
			t.Errorf("got %s, want it refused without being shown", got)
		}
	}
}

func TestTheEndpointIsAskedInsteadOfTheHostOfTheURL(t *testing.T) {
	q := newQueue()
	q.send("x")
	r := open(t, q, func(c *notify.QueueConfig) { c.Endpoint = "https://vpce.example:8443" })
	if got, err := r.Receive(t.Context(), 1, 0); len(got) != 1 || err != nil {
		t.Errorf("got %v, %v, want the message", got, err)
	}
}

func TestAQueueWithoutCredentialsSaysSo(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", "/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/none")
	c := notify.QueueConfig{URL: queueURL, Visibility: unit.Duration(time.Minute)}
	r, err := c.Open(t.Context(), awscreds.Config{}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Receive(t.Context(), 1, 0); err == nil || !strings.Contains(err.Error(), "no credentials: ") {
		t.Errorf("got %v, want to be told", err)
	}
}
