// Package awscreds is how stages get AWS credentials: the options that say
// where from, and the chain in which they are looked for. S3 buckets and search
// domains of Amazon share it.
package awscreds

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"sluice/internal/kind"
	"sluice/internal/unit"
)

// Config is the options. All of them empty: credentials are what AWS tools
// find in the environment, the shared files, or the machine's role.
type Config struct {
	AccessKey    unit.Secret `yaml:"access_key" doc:"Access key; without it, credentials come from the environment, the profile or the machine's role."`
	SecretKey    unit.Secret `yaml:"secret_key" doc:"Secret that belongs to access_key."`
	SessionToken unit.Secret `yaml:"session_token" doc:"Token of temporary credentials."`
	Profile      string      `yaml:"profile" doc:"Profile of the shared AWS configuration files."`
	Role         string      `yaml:"role" doc:"ARN of a role to assume."`
}

// Problems checks the options. It reads no files.
func (c Config) Problems() (list []kind.Problem) {
	add := func(option, message string) { list = append(list, kind.Problem{Option: option, Message: message}) }
	switch given := c.AccessKey != ""; {
	case given != (c.SecretKey != ""):
		add("secret_key", "access_key and secret_key must be given together")
	case !given && c.SessionToken != "":
		add("session_token", "session_token needs access_key and secret_key")
	case given && c.Profile != "":
		add("profile", "give either profile or access_key")
	}
	if c.Role != "" && !strings.HasPrefix(c.Role, "arn:") {
		add("role", fmt.Sprintf("%q is not the ARN of a role; write one as arn:aws:iam::123456789012:role/name", c.Role))
	}
	return list
}

// Load makes the configuration of an AWS client in a region, with credentials
// but without the role. It reads the shared AWS configuration files, and sends
// nothing. What the client sends is sent once: who calls it tries again.
func (c Config) Load(ctx context.Context, region string, options ...func(*config.LoadOptions) error) (aws.Config, error) {
	options = append(options,
		config.WithRegion(region),
		config.WithLogger(logging.Nop{}), // what matters is in errors
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
	)
	if c.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(c.Profile))
	}
	if c.AccessKey != "" {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(
			c.AccessKey.Reveal(), c.SecretKey.Reveal(), c.SessionToken.Reveal())))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return cfg, fmt.Errorf("credentials: %w", err)
	}
	return cfg, nil
}

// Provider gives the credentials of a configuration that [Config.Load] made, or
// those of the role that is assumed with them.
func (c Config) Provider(cfg aws.Config) *Provider {
	if c.Role != "" {
		cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), c.Role))
	}
	return &Provider{cfg.Credentials}
}

// Provider gives credentials, which it keeps while they are valid. Its methods
// may be called from several goroutines.
type Provider struct{ from aws.CredentialsProvider }

// Retrieve implements [aws.CredentialsProvider]. Its error is an [*Error].
func (p *Provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	creds, err := p.from.Retrieve(ctx)
	if err != nil {
		return creds, &Error{err}
	}
	return creds, nil
}

// Invalidate says that the credentials were refused: they are fetched anew
// when they are needed next.
func (p *Provider) Invalidate() {
	if cache, ok := p.from.(*aws.CredentialsCache); ok {
		cache.Invalidate()
	}
}

// Error says that there are no credentials to ask with.
type Error struct{ err error }

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("no credentials: %v (give access_key and secret_key, a profile, or what AWS tools take from the environment)", e.err)
}

// Unwrap gives what the chain said.
func (e *Error) Unwrap() error { return e.err }
