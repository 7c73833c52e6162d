package search

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error is an answer that is none of the 200s.
type Error struct {
	Status     int
	Type       string        // of the engine's error, or ""
	Reason     string        // likewise; else the beginning of the body
	Causes     []string      // "type: reason" of what lies below: root causes, failed shards
	RetryAfter time.Duration // what the cluster asks for, or 0
	Remedy     string        // what to do about it, or ""
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(e.Status))
	switch {
	case e.Type != "":
		b.WriteString(" " + e.Type + ": " + e.Reason)
	case e.Reason != "":
		b.WriteString(": " + e.Reason)
	default:
		b.WriteString(" " + http.StatusText(e.Status))
	}
	for _, c := range e.Causes {
		if !strings.Contains(b.String(), c) {
			b.WriteString("; " + c)
		}
	}
	if e.Remedy != "" {
		b.WriteString(": " + e.Remedy)
	}
	return b.String()
}

// Has says whether the error, or one below it, is of the type or says text in
// its reason.
func (e *Error) Has(text string) bool {
	if strings.Contains(e.Type, text) || strings.Contains(e.Reason, text) {
		return true
	}
	for _, c := range e.Causes {
		if strings.Contains(c, text) {
			return true
		}
	}
	return false
}

// AsError gives the [Error] in err, or nil.
func AsError(err error) *Error {
	var e *Error
	errors.As(err, &e)
	return e
}

// cause is an error object of the engine.
type cause struct {
	Type         string  `json:"type"`
	Reason       string  `json:"reason"`
	RootCause    []cause `json:"root_cause"`
	CausedBy     *cause  `json:"caused_by"`
	FailedShards []struct {
		Reason cause `json:"reason"`
	} `json:"failed_shards"`
}

// below appends what lies below c.
func (c *cause) below(list []string) []string {
	for _, r := range c.RootCause {
		list = append(list, r.Type+": "+r.Reason)
	}
	for _, s := range c.FailedShards {
		list = append(s.Reason.below(list), s.Reason.Type+": "+s.Reason.Reason)
	}
	if c.CausedBy != nil {
		list = append(c.CausedBy.below(list), c.CausedBy.Type+": "+c.CausedBy.Reason)
	}
	return list
}

const (
	maxError  = 64 << 10 // of an error's body that is read
	maxReason = 300
)

// newError reads the error out of a reply.
func newError(resp *http.Response) *Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
	e := &Error{Status: resp.StatusCode}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.RetryAfter = time.Duration(s) * time.Second
	} else if at, err := http.ParseTime(resp.Header.Get("Retry-After")); err == nil {
		e.RetryAfter = max(0, time.Until(at))
	}
	var reply struct {
		Error   json.RawMessage
		Message string // so says Amazon
	}
	var c cause
	switch {
	case json.Unmarshal(body, &reply) == nil && json.Unmarshal(reply.Error, &c) == nil:
		e.Type, e.Reason, e.Causes = c.Type, c.Reason, c.below(nil)
	case reply.Message != "":
		e.Type, _, _ = strings.Cut(resp.Header.Get("X-Amzn-Errortype"), ":")
		e.Reason = reply.Message
	case json.Unmarshal(reply.Error, &e.Reason) == nil: // no handler for this path: a string
	case len(body) > 0 && body[0] != '<': // a page of some proxy says nothing
		e.Reason = strings.TrimSpace(string(body[:min(len(body), maxReason)]))
	}
	return e
}

// busy says whether a status is that of a cluster with too much to do.
func busy(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// again is an error after which the same request may be tried again.
type again struct {
	cause string
	error
}

// Unwrap gives the error itself.
func (a again) Unwrap() error { return a.error }

// Again says of err that what failed may be tried again. cause is a constant
// word or two that becomes a label of a metric.
func Again(cause string, err error) error { return again{cause, err} }

// Retryable says whether what failed with err may be tried again, and the
// cause: "429", "502", "503", "504", "timeout", "connection", "cut body", or
// that of [Again]. Whether it has had an effect is not known.
func Retryable(err error) (cause string, ok bool) {
	var a again
	if errors.As(err, &a) {
		return a.cause, true
	}
	if e := AsError(err); e != nil {
		switch e.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return strconv.Itoa(e.Status), true
		}
	}
	return "", false
}

// overload says why an error means that the cluster has too much to do; "": it
// does not.
func overload(err error) string {
	switch cause, _ := Retryable(err); cause {
	case "429", "503", "504", "timeout":
		return cause
	}
	return ""
}
