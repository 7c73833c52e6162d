package awscreds

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"golang.org/x/sync/semaphore"

	"sluice/pipeline"
)

const (
	ahead = 5 * time.Minute  // of their end, credentials are renewed; a fifth of their life if that is less
	pace  = 5 * time.Second  // between two looks at files, and two renewals because of refusals
	pause = 30 * time.Second // after a renewal that failed, while the old ones are valid
	limit = time.Minute      // for finding credentials
)

// Provider gives credentials, which it keeps while they are valid. It renews
// them ahead of their end, when they were refused, and when a file that they
// are in has changed; each time the whole chain is walked anew, so that
// nothing old is left of it. Its methods may be called from several goroutines.
type Provider struct {
	config Config
	region string
	paths  []string            // of the files to look at
	turn   *semaphore.Weighted // who has it looks for credentials
	now    func() time.Time

	mu      sync.Mutex
	creds   aws.Credentials // zero: none were found
	renew   time.Time       // when these should be; zero: they do not expire
	refused bool            // they are not valid, whatever they say
	trust   time.Time       // until then, refusals are of what was there before
	after   time.Time       // no renewal ahead of the end before it
	tries   int             // searches for credentials that ended
	err     error           // of the last one
	looked  time.Time       // when the files were looked at
	held    print           // of the files that the credentials are of
	found   print           // of the files when they were looked at
	changed bool            // the files hold others
}

// Provider gives the credentials that are found in the region of a
// configuration that [Config.Load] made, or those of the role that is assumed
// with them.
func (c Config) Provider(cfg aws.Config) *Provider {
	return &Provider{config: c, region: cfg.Region, paths: c.watched(), turn: semaphore.NewWeighted(1), now: time.Now}
}

// Retrieve implements [aws.CredentialsProvider]. Its error is an [*Error], or
// that of ctx.
func (p *Provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, valid, due, tries := p.state()
	if valid && (!due || !p.turn.TryAcquire(1)) { // the others go on while one renews
		return creds, nil
	}
	if !valid {
		if err := p.turn.Acquire(ctx, 1); err != nil {
			return aws.Credentials{}, context.Cause(ctx)
		}
	}
	defer p.turn.Release(1)
	if creds, valid, due, now := p.state(); valid && !due {
		return creds, nil
	} else if now != tries && !valid { // one failure is that of all who waited for it
		return aws.Credentials{}, p.failure()
	}
	return p.search(ctx)
}

// state gives the credentials there are, whether they can be used, whether they
// should be renewed, and how many searches have ended.
func (p *Provider) state() (creds aws.Credentials, valid, due bool, tries int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.look(now)
	valid = p.creds.HasKeys() && !p.refused && (!p.creds.CanExpire || now.Before(p.creds.Expires))
	due = p.changed || !p.renew.IsZero() && !now.Before(p.renew)
	return p.creds, valid, due && !now.Before(p.after), p.tries
}

func (p *Provider) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// look looks at the files, if it is time. They have changed once they have been
// found twice with the same content: who writes keys writes one after the other.
func (p *Provider) look(now time.Time) {
	if len(p.paths) == 0 || now.Before(p.looked.Add(pace)) {
		return
	}
	found := look(p.paths)
	p.changed = found != p.held && found == p.found
	p.looked, p.found = now, found
}

// search looks for credentials. If there are none, those at hand are used as
// long as they are valid.
func (p *Provider) search(ctx context.Context) (aws.Credentials, error) {
	files := look(p.paths)
	fresh, err := p.config.find(ctx, p.region)
	if ctx.Err() != nil {
		return aws.Credentials{}, context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	p.tries++
	p.err = err
	if err == nil {
		p.keep(fresh, now)
		p.held, p.found, p.looked, p.changed = files, files, now, false
		return fresh, nil
	}
	if !p.creds.HasKeys() || p.refused || p.creds.CanExpire && !now.Before(p.creds.Expires) {
		return aws.Credentials{}, err
	}
	p.after = now.Add(pause)
	pipeline.Logger(ctx).Warn("credentials cannot be renewed; those at hand are used while they are valid", "error", err)
	return p.creds, nil
}

// keep keeps credentials that were found now.
func (p *Provider) keep(creds aws.Credentials, now time.Time) {
	if p.refused {
		p.trust = now.Add(pace)
	}
	p.creds, p.refused, p.after, p.renew = creds, false, time.Time{}, time.Time{}
	if creds.CanExpire {
		p.renew = creds.Expires.Add(-min(ahead, creds.Expires.Sub(now)/5))
	}
}

// Invalidate says that the credentials were refused: they are looked for anew
// when they are needed next. It is heard at most every few seconds, because the
// requests that were on their way are refused one after the other.
func (p *Provider) Invalidate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.now().Before(p.trust) {
		p.refused = true
	}
}

// Refused says that a request was refused, with an error code of AWS or none: it
// is for 400, 401 and 403 alone. It reports whether other credentials may help,
// because these are no longer valid or files hold others; they are looked for
// anew then, as by [Provider.Invalidate], and the request is worth being sent
// once more.
func (p *Provider) Refused(code string) bool {
	if !slices.Contains(refusals, code) && !p.stale() {
		return false
	}
	p.Invalidate()
	return true
}

// refusals are the codes of credentials that are no longer valid, or not yet
// known everywhere.
var refusals = []string{
	"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "InvalidAccessKeyId",
	"InvalidClientTokenId", "UnrecognizedClientException", "InvalidSecurity",
}

// stale reports whether the files hold other credentials.
func (p *Provider) stale() bool {
	found := look(p.paths)
	p.mu.Lock()
	defer p.mu.Unlock()
	return found != p.held
}

// find walks the chain.
func (c Config) find(ctx context.Context, region string) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	now, err := c.reread()
	if err != nil {
		return aws.Credentials{}, &Error{"files of access_key and secret_key", reason(err), "put them where they were"}
	}
	// the SDK's own client, which knows how long services of a machine may take;
	// connections that are used once an hour are not kept
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.DisableKeepAlives = true })
	whole := func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 0 } // for the SDK, those of a container end 5 minutes early
	cfg, err := now.load(ctx, region, config.WithHTTPClient(client), config.WithCredentialsCacheOptions(whole))
	if err != nil {
		return aws.Credentials{}, now.failed(cfg, err)
	}
	creds, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, now.failed(cfg, err)
	}
	if c.Role == "" {
		return creds, nil
	}
	cfg.Credentials = credentials.StaticCredentialsProvider{Value: creds}
	if creds, err = now.assume(ctx, cfg); err != nil {
		return aws.Credentials{}, now.notAssumed(err)
	}
	return creds, nil
}
