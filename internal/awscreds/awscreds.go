// Package awscreds is how stages get AWS credentials: the options that say
// where from, and the chain in which they are looked for. S3 buckets, queues
// and search domains of Amazon share it.
package awscreds

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

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
	AccessKey    unit.Secret   `yaml:"access_key" doc:"Access key; without it, credentials come from credential_process, the profile, or what AWS tools find in the environment and on the machine."`
	SecretKey    unit.Secret   `yaml:"secret_key" doc:"Secret that belongs to access_key."`
	SessionToken unit.Secret   `yaml:"session_token" doc:"Token of temporary credentials."`
	Process      string        `yaml:"credential_process" doc:"Command that prints credentials as AWS tools take them, such as the helper of IAM Roles Anywhere; it is run without a shell."`
	Profile      string        `yaml:"profile" doc:"Profile of the shared AWS configuration files."`
	Role         string        `yaml:"role" doc:"ARN of a role to assume with these credentials."`
	ExternalID   string        `yaml:"external_id" doc:"External ID that the trust policy of the role asks for."`
	SessionName  string        `yaml:"role_session_name" doc:"Name of the session of the role, as it is found in the logs of AWS; sluice if it is not given."`
	RoleDuration unit.Duration `yaml:"role_duration" min:"15m" max:"12h" doc:"Time after which the role is assumed anew; 1h if it is not given."`

	files files
}

// files are the paths of the files in which options are.
type files struct{ accessKey, secretKey, sessionToken string }

// FromFile says that an option was taken from a file, which is read again when
// the credentials are renewed. It makes Config a [kind.Filed].
func (c *Config) FromFile(option, path string) {
	switch option {
	case "access_key":
		c.files.accessKey = path
	case "secret_key":
		c.files.secretKey = path
	case "session_token":
		c.files.sessionToken = path
	}
}

// sessionName is what STS takes for the name of a session.
var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

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
	case c.Process != "" && (given || c.Profile != ""):
		add("credential_process", "give one of credential_process, profile and access_key")
	}
	if _, err := words(c.Process); err != nil {
		add("credential_process", err.Error())
	}
	if c.Role == "" && (c.ExternalID != "" || c.SessionName != "" || c.RoleDuration != 0) {
		add("role", "it is missing; external_id, role_session_name and role_duration are of the role to assume")
	}
	if c.Role != "" && !strings.HasPrefix(c.Role, "arn:") {
		add("role", fmt.Sprintf("%q is not the ARN of a role; write one as arn:aws:iam::123456789012:role/name", c.Role))
	}
	if c.SessionName != "" && !sessionName.MatchString(c.SessionName) {
		add("role_session_name", fmt.Sprintf("%q is no name of a session; take 2 to 64 of letters, digits and _+=,.@-", c.SessionName))
	}
	return list
}

// Load makes the configuration of an AWS client in a region, without
// credentials that are fit for use: those are of [Config.Provider]. It reads
// the shared AWS configuration files, and sends nothing. What the client sends
// is sent once: who calls it tries again.
func (c Config) Load(ctx context.Context, region string, options ...func(*config.LoadOptions) error) (aws.Config, error) {
	cfg, err := c.load(ctx, region, append(options, config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }))...)
	if err != nil {
		return cfg, fmt.Errorf("credentials: %s", reason(err))
	}
	return cfg, nil
}

// load walks the chain anew, without the role.
func (c Config) load(ctx context.Context, region string, options ...func(*config.LoadOptions) error) (aws.Config, error) {
	options = append(options, config.WithRegion(region), config.WithLogger(logging.Nop{})) // what matters is in errors
	if c.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(c.Profile))
	}
	switch {
	case c.AccessKey != "":
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(
			c.AccessKey.Reveal(), c.SecretKey.Reveal(), c.SessionToken.Reveal())))
	case c.Process != "":
		options = append(options, config.WithCredentialsProvider(process(c.Process)))
	}
	return config.LoadDefaultConfig(ctx, options...)
}

// assume gives the credentials of the role.
func (c Config) assume(ctx context.Context, cfg aws.Config) (aws.Credentials, error) {
	return stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), c.Role, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = cmp.Or(c.SessionName, "sluice")
		o.Duration = cmp.Or(time.Duration(c.RoleDuration), time.Hour)
		if c.ExternalID != "" {
			o.ExternalID = aws.String(c.ExternalID)
		}
	}).Retrieve(ctx)
}
