package notify

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Error is what a queue answered instead of doing what it was asked.
type Error struct {
	Status        int
	Code, Message string // as the service said

	remedy string
	date   time.Time // of the service; zero: it did not say
}

// Error gives status, code, message and what to do about it.
func (e *Error) Error() string {
	text := strings.TrimSpace(fmt.Sprint(e.Status, " ", e.Code))
	if e.Message != "" && e.Message != e.Code {
		text += ": " + strings.TrimRight(e.Message, ".")
	}
	if e.remedy != "" {
		text += " (" + e.remedy + ")"
	}
	return text
}

// refusal is the error in a reply.
func (s *service) refusal(action string, reply *http.Response, text []byte) *Error {
	e := &Error{Status: reply.StatusCode}
	var said struct {
		Type    string `json:"__type"`
		Message string `json:"message"` // some write Message
	}
	if json.Unmarshal(text, &said) == nil {
		e.Code, e.Message = said.Type[strings.LastIndexByte(said.Type, '#')+1:], said.Message
	}
	if e.Code == "" {
		e.Code = http.StatusText(e.Status)
	}
	if at, err := http.ParseTime(reply.Header.Get("Date")); err == nil {
		e.date = at
	}
	e.remedy = s.remedy(action, e)
	return e
}

// permission is what policies call an action.
var permission = map[string]string{
	"ReceiveMessage": "sqs:ReceiveMessage", "DeleteMessageBatch": "sqs:DeleteMessage", "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}

// remedy says what the user can do about it, if we know.
func (s *service) remedy(action string, e *Error) string {
	switch {
	case strings.HasPrefix(e.Code, "KmsAccessDenied") || strings.HasPrefix(e.Code, "KMS.AccessDenied"):
		return "allow kms:Decrypt on the key of the queue"
	case strings.HasPrefix(e.Code, "AccessDenied"):
		return "allow " + permission[action] + " on " + s.config.arn()
	case strings.HasSuffix(e.Code, "QueueDoesNotExist") || strings.HasSuffix(e.Code, "NonExistentQueue"):
		return "create it, or check url and region"
	case e.skewed():
		return "set the clock of this machine"
	case strings.HasPrefix(e.Code, "InvalidSignature") || e.Code == "SignatureDoesNotMatch":
		return "check secret_key and region; if they are right, a proxy on the way changes requests"
	case e.Code == "InvalidClientTokenId" || e.Code == "UnrecognizedClientException" || e.Code == "InvalidAccessKeyId":
		return "check access_key"
	case strings.HasPrefix(e.Code, "ExpiredToken"):
		return "renew session_token"
	case e.Status == http.StatusForbidden:
		return "check the credentials, and allow " + permission[action] + " on " + s.config.arn()
	}
	return ""
}

// skewed reports whether a clock is wrong.
func (e *Error) skewed() bool {
	return e.Code == "RequestExpired" || e.Code == "RequestTimeTooSkewed" || strings.Contains(e.Message, "Signature expired") || strings.Contains(e.Message, "Signature not yet current")
}

// cause says why it may be tried again as it is; "" if it may not.
func (e *Error) cause() string {
	switch {
	case strings.Contains(e.Code, "Throttl") || e.Code == "RequestLimitExceeded" || e.Code == "OverLimit" || e.Code == "TooManyRequestsException" || e.Status == 429:
		return "throttled"
	case e.Status >= 500 && e.Status != http.StatusNotImplemented:
		return fmt.Sprint(e.Status)
	case e.Status == http.StatusRequestTimeout:
		return "timeout"
	case e.Status < 300: // it did what we asked, or not; its reply was cut
		return "reply"
	}
	return ""
}
