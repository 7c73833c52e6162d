package objects

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"sluice/internal/awscreds"
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
	Region        string        // of the bucket, if the store said so
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
		return e.Status == http.StatusPreconditionFailed
	case ErrNoUpload:
		return e.Code == "NoSuchUpload"
	}
	return false
}

var remedies = map[string]string{
	"NoSuchBucket":          "create it, or check bucket and endpoint",
	"AccessDenied":          "the credentials do not allow this",
	"Forbidden":             "the credentials are wrong or do not allow this",
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
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "MovedPermanently", "IllegalLocationConstraintException":
		if e.Region != "" {
			return "the bucket is in another region: set region to " + e.Region
		}
		return "the bucket is in another region: set region"
	}
	return ""
}

// sendError says that the store could not be asked, or that its answer was lost.
type sendError struct{ err error }

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

// plain turns an error of the SDK into one that a person can read. It has no
// URL in it: there may be secrets in its query.
func plain(err error) error {
	if err == nil {
		return nil
	}
	var creds *awscreds.Error
	if errors.As(err, &creds) {
		return creds
	}
	var reply *smithyhttp.ResponseError
	if errors.As(err, &reply) && reply.HTTPStatusCode() != 0 { // 0: there was none
		return answered(err, reply.Response.Response)
	}
	var u *url.Error
	if errors.As(err, &u) {
		return &sendError{u.Err}
	}
	var op *smithy.OperationError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// answered is the error in a reply.
func answered(err error, reply *http.Response) error {
	e := &Error{Status: reply.StatusCode, Region: reply.Header.Get("X-Amz-Bucket-Region")}
	var api smithy.APIError
	if errors.As(err, &api) {
		e.Code, e.Message = api.ErrorCode(), api.ErrorMessage()
	} else {
		e.Message = "the reply cannot be read"
	}
	if e.Code == "UnknownError" { // the SDK's word for a reply that is not of S3
		e.Code = http.StatusText(e.Status)
	}
	if s, err := strconv.Atoi(reply.Header.Get("Retry-After")); err == nil && s > 0 {
		e.After = time.Duration(s) * time.Second
	} else if at, err := http.ParseTime(reply.Header.Get("Retry-After")); err == nil {
		e.After = max(0, time.Until(at))
	}
	return e
}
