package objects

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strconv"

	"sluice/internal/awscreds"
)

// Causes of retries, as pipeline.Retried takes them; besides these, statuses.
const (
	causeTimeout     = "timeout"
	causeConnection  = "connection"
	causeThrottled   = "throttled"
	causeConflict    = "conflict"
	causeReply       = "reply"
	causeClock       = "clock"
	causeCredentials = "credentials"
	causeBody        = "cut body"
)

var causes = map[string]string{
	"RequestTimeout": causeTimeout, "RequestTimeoutException": causeTimeout, "RequestCanceled": causeTimeout,
	"SlowDown": causeThrottled, "SlowDownRead": causeThrottled, "SlowDownWrite": causeThrottled,
	"Throttling": causeThrottled, "ThrottlingException": causeThrottled, "ThrottledException": causeThrottled,
	"RequestThrottled": causeThrottled, "RequestThrottledException": causeThrottled, "RequestLimitExceeded": causeThrottled,
	"TooManyRequestsException": causeThrottled, "BandwidthLimitExceeded": causeThrottled,
	"InternalError": "500", "ServiceUnavailable": "503",
	"OperationAborted": causeConflict, "ConditionalRequestConflict": causeConflict,
	codeSkewed: causeClock, "ExpiredToken": causeCredentials, "TokenRefreshRequired": causeCredentials,
}

// cause says why a request that failed so may be tried again: a word or two
// that are the same each time; "" if it may not. reached: the store has
// answered before, so its name and our credentials were right.
func cause(err error, reached bool) string {
	var (
		answer *Error
		creds  *awscreds.Error
		send   *sendError
		cut    *cutError
	)
	switch {
	case errors.As(err, &cut):
		return causeBody
	case errors.As(err, &answer):
		return answer.cause()
	case errors.As(err, &creds) && reached:
		return causeCredentials
	case errors.As(err, &send):
		return send.cause(reached)
	}
	return ""
}

func (e *Error) cause() string {
	if c := causes[e.Code]; c != "" {
		return c
	}
	switch e.Status {
	case 408:
		return causeTimeout
	case 429, 499, 500, 502, 503, 504, 520:
		return strconv.Itoa(e.Status)
	}
	if e.Status < 300 && e.Code == "" { // it did what we asked, or not; its reply was cut
		return causeReply
	}
	return ""
}

func (e *sendError) cause(reached bool) string {
	var (
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
		late net.Error
	)
	switch {
	case errors.As(e.err, &cert), errors.Is(e.err, http.ErrSchemeMismatch):
		return ""
	case errors.As(e.err, &dns) && dns.IsNotFound && !reached:
		return ""
	case errors.As(e.err, &late) && late.Timeout():
		return causeTimeout
	}
	return causeConnection
}
