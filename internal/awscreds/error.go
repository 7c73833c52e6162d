package awscreds

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go"
)

// Error says that there are no credentials to ask with. It wraps nothing: what
// the SDK says may hold what a command printed.
type Error struct{ way, reason, remedy string }

// Error says what was tried, how that failed, and what to do. It has no secret
// in it.
func (e *Error) Error() string {
	return fmt.Sprintf("no credentials: %s: %s (%s)", e.way, e.reason, e.remedy)
}

// reason is the text of an error without what the SDK wraps around it, and
// without what may be secret: queries of addresses, and the output of commands.
func reason(err error) string {
	var (
		api     smithy.APIError
		process *processcreds.ProviderError
		send    *url.Error
	)
	switch {
	case errors.As(err, &process):
		return processReason(process.Err)
	case errors.As(err, &api):
		return strings.TrimSuffix(api.ErrorCode()+": "+api.ErrorMessage(), ": ")
	case errors.As(err, &send):
		return send.Err.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	return err.Error()
}

// processReason repeats none of the output.
func processReason(err error) string {
	var (
		exit    *exec.ExitError
		start   *exec.Error
		path    *fs.PathError
		printed = err.Error()
	)
	switch {
	case errors.As(err, &exit):
		return exit.Error()
	case errors.As(err, &start):
		return start.Error()
	case errors.As(err, &path):
		return path.Error()
	case errors.Is(err, exec.ErrWaitDelay):
		return "the command ended, but its children go on"
	case strings.HasPrefix(printed, "missing ") || strings.HasPrefix(printed, "wrong version "):
		return printed
	}
	return "what it printed is not the JSON that AWS tools take"
}

// failed is the error of a way that gave no credentials.
func (c Config) failed(cfg aws.Config, err error) *Error {
	way, remedy := c.way(cfg)
	return &Error{way, reason(err), remedy}
}

// notAssumed is the error of a role.
func (c Config) notAssumed(err error) *Error {
	return &Error{"role " + c.Role, reason(err),
		"let the trust policy of the role name who asks for it, and check role, external_id and role_duration"}
}

// way says where credentials were looked for, in the order in which the SDK
// does, and what to do if there are none.
func (c Config) way(cfg aws.Config) (way, remedy string) {
	var (
		env    config.EnvConfig
		shared config.SharedConfig
	)
	for _, source := range cfg.ConfigSources {
		switch s := source.(type) {
		case config.EnvConfig:
			env = s
		case config.SharedConfig:
			shared = s
		}
	}
	profile := fmt.Sprintf("profile %q", cmp.Or(shared.Profile, c.Profile, os.Getenv("AWS_PROFILE"), "default"))
	switch {
	case c.Process != "":
		return "credential_process", "run the command by hand and see what it says"
	case c.Profile == "" && env.WebIdentityTokenFilePath != "":
		return "token of AWS_WEB_IDENTITY_TOKEN_FILE for role " + env.RoleARN, "let the trust policy of the role name the provider of the token and its subject"
	case shared.Credentials.HasKeys():
		return profile, "check the profile"
	case shared.Source != nil || shared.WebIdentityTokenFile != "" || shared.CredentialSource != "":
		return profile + " with role " + shared.RoleARN, "let the trust policy of the role name who asks for it, and check the profile"
	case shared.SSOSession != nil || shared.SSOAccountID != "":
		return "single sign-on of " + profile, "sign in: aws sso login --profile " + shared.Profile
	case shared.CredentialProcess != "":
		return "credential_process of " + profile, "run the command by hand and see what it says"
	case env.ContainerCredentialsEndpoint != "" || env.ContainerCredentialsRelativePath != "":
		return "AWS_CONTAINER_CREDENTIALS of the environment", "check that the task or the pod has a role"
	}
	return "AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE and AWS_CONTAINER_CREDENTIALS_FULL_URI are not set, " + profile + " has none, and neither has the machine",
		"give access_key and secret_key, credential_process, a profile, or what AWS tools take from the environment"
}
