package objects

import (
	"cmp"
	"crypto/tls"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What an [Error] may be, for errors.Is.
var (
	ErrNotFound     = errors.New("no such object")
	ErrPrecondition = errors.New("precondition failed") // If-Match, If-None-Match
	ErrNoUpload     = errors.New("no such upload")
)

// Error is what a store answered instead of doing what it was asked.
type Error struct {
	Status        int
	Code, Message string        // as the store said; a reply to HEAD has no message
	After         time.Duration // before it is worth trying again, if the store said so
	Region        string        // of the bucket, if the store said so and it is not ours
	Missing       string        // the permissions that the request needs, if it was not allowed
}

// Error gives status, code, message and what to do about it.
func (e *Error) Error() string {
	s := strings.TrimSpace(strconv.Itoa(e.Status) + " " + e.Code)
	if e.Message != "" && e.Message != e.Code {
		s += ": " + strings.TrimRight(e.Message, ".")
	}
	if r := e.remedy(); r != "" {
		s += " (" + r + ")"
	}
	return s
}

// Is implements errors.Is for the errors above.
func (e *Error) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.Status == http.StatusNotFound && e.Code != "NoSuchBucket" && e.Code != "NoSuchUpload"
	case ErrPrecondition:
		return e.Status == http.StatusPreconditionFailed || e.Code == "PreconditionFailed"
	case ErrNoUpload:
		return e.Code == "NoSuchUpload"
	}
	return false
}

var remedies = map[string]string{
	"NoSuchBucket":          "create it, or check bucket and endpoint",
	"InvalidAccessKeyId":    "check access_key",
	"SignatureDoesNotMatch": "check secret_key; if it is right, a proxy on the way changes requests",
	"ExpiredToken":          "the temporary credentials have expired: renew session_token",
	"InvalidToken":          "check session_token",
	"RequestTimeTooSkewed":  "set the clock of this machine",
	"InvalidObjectState":    "it is archived: restore it first",
	"InvalidBucketName":     "check bucket",
	"KeyTooLongError":       "make the key shorter",
	"KeyTooLong":            "make the key shorter",
}

// remedy says what the user can do about it, if we know.
func (e *Error) remedy() string {
	if r := remedies[e.Code]; r != "" {
		return r
	}
	switch e.Code {
	case codeDenied:
		return strings.TrimSuffix("the credentials do not allow this: "+e.Missing, ": ")
	case codeForbidden:
		return strings.TrimSuffix("the credentials are wrong or do not allow this: "+e.Missing, ": ")
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "MovedPermanently", "IllegalLocationConstraintException":
		if e.Region == "" {
			return "the bucket is in another region: set region"
		}
	}
	if e.Region != "" && (e.Status == http.StatusBadRequest || e.Status == http.StatusMovedPermanently) {
		return "the bucket is in another region: set region to " + e.Region
	}
	return ""
}

// sendError says that the store could not be asked, or that its answer was lost.
type sendError struct{ err error }

// unsent is why there was no answer.
func unsent(err error) error {
	var tls tls.RecordHeaderError
	if errors.As(err, &tls) && string(tls.RecordHeader[:]) == "HTTP/" {
		err = http.ErrSchemeMismatch
	}
	return &sendError{err}
}

func (e *sendError) Error() string {
	var dns *net.DNSError
	switch {
	case errors.As(e.err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("%v (check endpoint and region)", e.err)
	case errors.Is(e.err, http.ErrSchemeMismatch):
		return fmt.Sprintf("%v (check endpoint: http:// or https://)", e.err)
	}
	return e.err.Error()
}

func (e *sendError) Unwrap() error { return e.err }

// refused is the error in a reply whose status does not say success.
func (c *Client) refused(r *request, p *place, resp *http.Response) *Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, mostError)) // what cannot be read says nothing
	e := answer(resp, body)
	if e == nil { // a reply to HEAD, or the page of some proxy
		e = newError(resp)
		e.Code = strings.ReplaceAll(http.StatusText(e.Status), " ", "")
	}
	c.learn(e, resp)
	if e.Status == http.StatusForbidden {
		e.Missing = needs(r, p, e.Message)
	}
	if e.Region == p.region {
		e.Region = ""
	}
	return e
}

// mostError is how many bytes of a reply are looked at for an error.
const mostError = 64 << 10

// errorIn is the error in a reply whose status says success, or nil.
func errorIn(resp *http.Response, body []byte) error {
	if e := answer(resp, body); e != nil {
		return e
	}
	return nil
}

// answer reads the document of an error; nil: it is none.
func answer(resp *http.Response, body []byte) *Error {
	var doc struct {
		XMLName               xml.Name
		Code, Message, Region string
	}
	if xml.Unmarshal(body, &doc) != nil || doc.XMLName.Local != "Error" {
		return nil
	}
	e := newError(resp)
	e.Code, e.Message, e.Region = doc.Code, doc.Message, cmp.Or(e.Region, doc.Region)
	if e.Code == "" {
		e.Code = "Error"
	}
	return e
}

// unreadable is a reply that says success, but that did not come as it was sent.
func unreadable(resp *http.Response, err error) error {
	e := newError(resp)
	e.Message = fmt.Sprintf("the reply cannot be read: %v", err)
	return e
}

// newError takes what the head of a reply says.
func newError(resp *http.Response) *Error {
	e := &Error{Status: resp.StatusCode, Region: resp.Header.Get("X-Amz-Bucket-Region")}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		e.After = time.Duration(s) * time.Second
	} else if at, err := http.ParseTime(resp.Header.Get("Retry-After")); err == nil {
		e.After = max(0, time.Until(at))
	}
	return e
}

// Now is the time by the store's clock, as far as it is known: a store takes no
// signature of a time that is more than a quarter of an hour off ([Tolerance]).
func (c *Client) Now() time.Time { return time.Now().Add(time.Duration(c.skew.Load())) }

// learn takes the store's time from its answer that ours is wrong. A reply to
// HEAD does not say so; it says only the time.
func (c *Client) learn(e *Error, resp *http.Response) {
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil || e.Status != http.StatusForbidden {
		return
	}
	ahead := time.Until(date)
	off := (ahead - time.Duration(c.skew.Load())).Abs()
	if e.Code == codeForbidden && off > Tolerance {
		e.Code = codeSkewed
	}
	if e.Code == codeSkewed {
		c.skew.Store(int64(ahead))
	}
}

// Tolerance is that of stores for the time of a signature.
const Tolerance = 15 * time.Minute

const (
	codeSkewed    = "RequestTimeTooSkewed"
	codeDenied    = "AccessDenied"
	codeForbidden = "Forbidden" // a 403 without a document
)
