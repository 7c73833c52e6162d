package search

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"sluice/internal/awscreds"
	"sluice/internal/kind"
)

// AWS is the options of clusters of Amazon, which want signed requests.
type AWS struct {
	Service string `yaml:"service" enum:"es|aoss" doc:"Service of Amazon that requests are signed for: es is OpenSearch Service, aoss OpenSearch Serverless."`
	Region  string `yaml:"region" doc:"Region of the domain or collection."`
	awscreds.Config
}

// problems checks the options of a cluster at addresses.
func (a AWS) problems(addresses []string) (list []kind.Problem) {
	add := func(option, message string) { list = append(list, kind.Problem{Option: option, Message: message}) }
	if a.Service == "" {
		add("aws.service", "it is missing; write es for OpenSearch Service, aoss for OpenSearch Serverless")
	}
	if a.Region == "" {
		add("aws.region", "it is missing; write that of the domain or collection, as eu-west-1")
	}
	for _, p := range a.Problems() {
		add("aws."+p.Option, p.Message)
	}
	for _, text := range addresses {
		if strings.HasPrefix(text, "http:") {
			add("aws", "signed requests go by https alone; write url as https://…")
			break
		}
	}
	return list
}

// signer signs requests. Its methods may be called from several goroutines.
type signer struct {
	AWS
	v4 *v4.Signer

	mu    sync.Mutex
	creds *awscreds.Provider // nil: not needed yet
}

func newSigner(a AWS) *signer { return &signer{AWS: a, v4: v4.NewSigner()} }

// provider gives where credentials come from. The files of the shared AWS
// configuration are read when it is called for the first time.
func (s *signer) provider(ctx context.Context) (*awscreds.Provider, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.creds != nil {
		return s.creds, nil
	}
	cfg, err := s.Load(ctx, s.Region)
	if err != nil {
		return nil, err
	}
	s.creds = s.Provider(cfg)
	return s.creds, nil
}

// sign signs a request that carries payload, with credentials that are valid
// now. What is set afterwards is not signed, as it must be with Content-Length
// and what proxies change.
func (s *signer) sign(ctx context.Context, req *http.Request, payload []byte) error {
	p, err := s.provider(ctx)
	if err != nil {
		return err
	}
	creds, err := p.Retrieve(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	sum := sha256.Sum256(payload)
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash) // aoss wants it
	return s.seal(ctx, req, creds, hash, time.Now())
}

// seal signs a request with all the headers it has. The path is escaped once
// more for the signature than it is sent, which is right for all services but
// S3.
func (s *signer) seal(ctx context.Context, req *http.Request, creds aws.Credentials, hash string, now time.Time) error {
	return s.v4.SignHTTP(ctx, creds, req, hash, s.Service, s.Region, now)
}

// renewed reports whether other credentials may help against a refusal: these
// have expired, or the files that they are in hold others. They are looked for
// anew then.
func (s *signer) renewed(err error) bool {
	e := AsError(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e == nil || s.creds == nil || !refused(e.Status) {
		return false
	}
	if e.Has("ExpiredToken") || e.Has("token included in the request is expired") {
		s.creds.Invalidate()
		return true
	}
	return s.creds.Refused("")
}

// awsRemedies say what to do about what Amazon says. It says so in a reason or
// a type.
var awsRemedies = []struct{ says, remedy string }{
	{"ExpiredToken", "renew aws.session_token"},
	{"request is expired", "renew aws.session_token"},
	{"Signature expired", "set the clock of this machine"},
	{"Signature not yet current", "set the clock of this machine"},
	{"does not match", "check aws.secret_key, aws.region and aws.service"},
	{"InvalidSignature", "check aws.secret_key, aws.region and aws.service"},
	{"request is invalid", "check aws.access_key, and aws.session_token if it is a temporary one"},
	{"UnrecognizedClient", "check aws.access_key, and aws.session_token if it is a temporary one"},
	{"not authorized to perform", "allow it in the policy of the domain, or in that of the user or role"},
}

// remedy says what to do about a refusal by Amazon, or "" if it is none.
func (s *signer) remedy(e *Error) string {
	for _, r := range awsRemedies {
		if e.Has(r.says) {
			return r.remedy
		}
	}
	return ""
}
