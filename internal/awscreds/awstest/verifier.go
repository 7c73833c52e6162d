// Package awstest is what tests of signed requests share: a verifier of
// signatures.
package awstest

//lint:file-ignore ST1005 These are the messages of AWS.

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Verifier checks signatures. It is written from the specification (AWS
// Signature Version 4, "Create a signed AWS API request") and shares no code
// with what signs.
type Verifier struct {
	Service, Region    string
	Key, Secret, Token string
	Now                func() time.Time
	Suite              bool // a request of the test suite, or of the SDK: the payload's hash need not be in a header
}

// Skew is how old a signature may be.
const Skew = 5 * time.Minute

// Refusal is what Amazon says, in its own words.
type Refusal string

// Error implements error.
func (r Refusal) Error() string { return string(r) }

func refuse(format string, args ...any) error { return Refusal(fmt.Sprintf(format, args...)) }

// Check says what is wrong with a request as a server gets it.
func (v Verifier) Check(r *http.Request, body []byte) error {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return errors.New("MissingAuthenticationToken: no signature")
	}
	field := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		field[name] = value
	}
	stamp := r.Header.Get("X-Amz-Date")
	at, err := time.Parse("20060102T150405Z", stamp)
	if err != nil {
		return err
	}
	if age := v.Now().Sub(at); age.Abs() > Skew {
		return refuse("Signature expired: %s is %s off", stamp, age)
	}
	scope := at.Format("20060102") + "/" + v.Region + "/" + v.Service + "/aws4_request"
	if field["Credential"] != v.Key+"/"+scope {
		return refuse("Credential should be scoped to %s, not %s", scope, field["Credential"])
	}
	if r.Header.Get("X-Amz-Security-Token") != v.Token {
		return refuse("The security token included in the request is expired")
	}
	hash := SHA(string(body))
	if sent := r.Header.Get("X-Amz-Content-Sha256"); sent != hash && (!v.Suite || sent != "") {
		return fmt.Errorf("x-amz-content-sha256 is %q, the payload's is %s", sent, hash)
	}
	signed := strings.Split(field["SignedHeaders"], ";")
	if err := v.covered(r, signed); err != nil {
		return err
	}
	text := "AWS4-HMAC-SHA256\n" + stamp + "\n" + scope + "\n" + SHA(v.canonical(r, signed, hash))
	k := mac([]byte("AWS4"+v.Secret), at.Format("20060102"))
	for _, part := range []string{v.Region, v.Service, "aws4_request"} {
		k = mac(k, part)
	}
	if want := hex.EncodeToString(mac(k, text)); field["Signature"] != want {
		return refuse("The request signature we calculated does not match the signature you provided")
	}
	return nil
}

// covered checks which headers are signed: Amazon's and the host must be, those
// that proxies change must not.
func (v Verifier) covered(r *http.Request, signed []string) error {
	if !slices.IsSorted(signed) || !slices.Contains(signed, "host") {
		return fmt.Errorf("signed headers %q: not in order, or without host", signed)
	}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !slices.Contains(signed, name) {
			return fmt.Errorf("%s is not signed", name)
		}
	}
	for _, name := range []string{"content-length", "connection", "accept-encoding", "user-agent", "transfer-encoding"} {
		if slices.Contains(signed, name) && !v.Suite {
			return fmt.Errorf("%s is signed", name)
		}
	}
	return nil
}

// canonical is the canonical request.
func (v Verifier) canonical(r *http.Request, signed []string, hash string) string {
	path, query, _ := strings.Cut(r.RequestURI, "?")
	if v.Service != "s3" {
		path = escape(path, true)
	}
	var pairs []string
	for part := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(part, "="); part != "" {
			pairs = append(pairs, escape(unescape(name), false)+"="+escape(unescape(value), false))
		}
	}
	slices.Sort(pairs)
	text := r.Method + "\n" + path + "\n" + strings.Join(pairs, "&") + "\n"
	for _, name := range signed {
		values := r.Header.Values(name)
		if name == "host" {
			values = []string{r.Host}
		}
		for i := range values {
			values[i] = strings.Join(strings.Fields(values[i]), " ")
		}
		text += name + ":" + strings.Join(values, ",") + "\n"
	}
	return text + "\n" + strings.Join(signed, ";") + "\n" + hash
}

// escape is UriEncode of the specification.
func escape(s string, path bool) string {
	out := ""
	for _, c := range []byte(s) {
		if strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", rune(c)) || path && c == '/' {
			out += string(rune(c))
		} else {
			out += fmt.Sprintf("%%%02X", c)
		}
	}
	return out
}

func unescape(s string) string {
	out, err := url.QueryUnescape(s)
	if err != nil {
		return err.Error()
	}
	return out
}

// SHA is the SHA-256 of a text, in hexadecimal digits.
func SHA(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
