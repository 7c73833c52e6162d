package objects_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"sluice/internal/objects"
)

// answer is an answer of a store; without a code, its reply was cut.
func answer(status int, code string, header ...string) error {
	resp := &http.Response{StatusCode: status, Header: http.Header{}}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	var body io.Reader = strings.NewReader("<Error><Code>" + code + "</Code><Message>message of " + code + "</Message></Error>")
	if code == "" {
		body = iotest.ErrReader(io.ErrUnexpectedEOF)
	}
	resp.Body = io.NopCloser(body)
	return objects.Answer(resp)
}

// lost is a request without an answer.
func lost(err error) error { return objects.Lost(err) }

func TestWhatMayPassIsTriedAgainAndWhatMayNotIsNot(t *testing.T) {
	missing := &net.DNSError{Err: "no such host", Name: "h", IsNotFound: true}
	for _, tc := range []struct {
		err     error
		reached bool
		again   bool
	}{
		{answer(503, "SlowDown"), false, true},
		{answer(500, "InternalError"), false, true},
		{answer(200, "InternalError"), true, true},
		{answer(400, "RequestTimeout"), true, true},
		{answer(400, "ThrottlingException"), true, true},
		{answer(409, "OperationAborted"), true, true},
		{answer(408, "x"), true, true}, {answer(429, "x"), true, true}, {answer(499, "x"), true, true},
		{answer(502, "x"), true, true}, {answer(504, "x"), true, true}, {answer(520, "x"), true, true},
		{answer(200, ""), true, true},
		{answer(403, "RequestTimeTooSkewed"), true, true},
		{answer(400, "ExpiredToken"), true, true},
		{answer(403, "AccessDenied"), true, false},
		{answer(403, "SignatureDoesNotMatch"), true, false},
		{answer(404, "NoSuchBucket"), true, false},
		{answer(412, "PreconditionFailed"), true, false},
		{answer(501, "NotImplemented"), true, false},
		{answer(301, "PermanentRedirect"), true, false},
		{lost(syscall.ECONNRESET), false, true},
		{lost(io.EOF), true, true},
		{lost(io.ErrUnexpectedEOF), true, true},
		{lost(os.ErrDeadlineExceeded), true, true},
		{lost(errors.New("http: server closed idle connection")), true, true},
		{lost(missing), false, false}, {lost(missing), true, true},
		{lost(&tls.CertificateVerificationError{Err: errors.New("x")}), true, false},
		{lost(http.ErrSchemeMismatch), true, false},
		{errors.New("something of our own"), true, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			err := objects.Do(t.Context(), time.Minute, tc.reached, func() error {
				if n++; n > 1 {
					return nil
				}
				return tc.err
			})
			if again := n > 1; again != tc.again || (err == nil) != tc.again {
				t.Errorf("%v: tried %d times, %v, want again: %v", tc.err, n, err, tc.again)
			}
		})
	}
}

func TestTryingAgainEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, began := 0, time.Now()
		err := objects.Do(t.Context(), 5*time.Minute, true, func() error { n++; return answer(503, "SlowDown") })
		d := time.Since(began)
		if err == nil || !strings.Contains(err.Error(), "503 SlowDown: message of SlowDown (failed") || d > 5*time.Minute || d < 4*time.Minute {
			t.Errorf("got %v after %s, want the answer after nearly 5m", err, d)
		}
		if n < 25 || n > 500 {
			t.Errorf("tried %d times in 5m, want a growing pause", n)
		}
	})
}

func TestAStoreThatNeverAnsweredIsNotTriedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		err := objects.Do(t.Context(), time.Hour, false, func() error { return lost(syscall.ECONNREFUSED) })
		if d := time.Since(began); err == nil || d > 30*time.Second {
			t.Errorf("got %v after %s, want an error within 30s", err, d)
		}
	})
}

func TestTheStoreSaysHowLongToWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, n := time.Now(), 0
		err := objects.Do(t.Context(), 5*time.Minute, true, func() error {
			if n++; n == 1 {
				return answer(503, "SlowDown", "Retry-After", "42")
			}
			return nil
		})
		if d := time.Since(began); err != nil || d != 42*time.Second {
			t.Errorf("got %v after %s, want success after 42s", err, d)
		}
	})
}

func TestClockAndCredentialsAreRenewedOnce(t *testing.T) {
	for _, code := range []string{"RequestTimeTooSkewed", "ExpiredToken"} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			err := objects.Do(t.Context(), 5*time.Minute, true, func() error { n++; return answer(403, code) })
			if n != 2 || err == nil {
				t.Errorf("%s: tried %d times, %v, want twice and the error", code, n, err)
			}
		})
	}
}

func TestAContextThatEndsEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("the reason")
		time.AfterFunc(10*time.Second, func() { cancel(cause) })
		began := time.Now()
		err := objects.Do(ctx, time.Hour, true, func() error { return answer(503, "SlowDown") })
		if d := time.Since(began); !errors.Is(err, cause) || d != 10*time.Second {
			t.Errorf("got %v after %s, want %v after 10s", err, d, cause)
		}
	})
}

func TestErrorsCanBeReadAndHoldNoSecret(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want string
	}{
		{answer(404, "NoSuchBucket"), "404 NoSuchBucket: message of NoSuchBucket (create it, or check bucket and endpoint)"},
		{answer(301, "PermanentRedirect", "X-Amz-Bucket-Region", "eu-west-1"), "301 PermanentRedirect: message of PermanentRedirect (the bucket is in another region: set region to eu-west-1)"},
		{answer(418, "Tea"), "418 Tea: message of Tea"},
		{lost(http.ErrSchemeMismatch), "http: server gave HTTP response to HTTPS client (check endpoint: http:// or https://)"},
	} {
		err := objects.Do(t.Context(), 0, true, func() error { return tc.err })
		if got := fmt.Sprint(err); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
}

func TestAnErrorIsWhatItsCodeSays(t *testing.T) {
	for _, tc := range []struct {
		err     error
		is, not error
	}{
		{answer(404, "NoSuchKey"), objects.ErrNotFound, objects.ErrNoUpload},
		{answer(404, "NotFound"), objects.ErrNotFound, objects.ErrPrecondition},
		{answer(404, "NoSuchUpload"), objects.ErrNoUpload, objects.ErrNotFound},
		{answer(404, "NoSuchBucket"), nil, objects.ErrNotFound},
		{answer(412, "PreconditionFailed"), objects.ErrPrecondition, objects.ErrNotFound},
	} {
		err := objects.Do(t.Context(), 0, true, func() error { return tc.err })
		if tc.is != nil && !errors.Is(err, tc.is) || errors.Is(err, tc.not) {
			t.Errorf("%v: want it to be %v and not %v", err, tc.is, tc.not)
		}
	}
}
