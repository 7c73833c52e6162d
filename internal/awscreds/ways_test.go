package awscreds_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/awscreds"
	"sluice/internal/awscreds/awstest"
	"sluice/internal/unit"
)

const region = "eu-west-1"

// provider makes one of the options.
func provider(t *testing.T, c awscreds.Config) *awscreds.Provider {
	t.Helper()
	cfg, err := c.Load(t.Context(), region)
	if err != nil {
		t.Fatal(err)
	}
	return c.Provider(cfg)
}

// key is what a provider gives now, or its error.
func key(t *testing.T, p *awscreds.Provider) string {
	t.Helper()
	creds, err := p.Retrieve(t.Context())
	if err != nil {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("got %q, want no secret in it", err)
		}
		return err.Error()
	}
	return creds.AccessKeyID
}

// way is how credentials are come by: it makes the environment for it, and
// gives the options.
type way func(t *testing.T, a *amazon, home string) awscreds.Config

var ways = map[string]way{
	"machine": func(t *testing.T, a *amazon, _ string) awscreds.Config {
		a.imdsWay(t)
		return awscreds.Config{}
	},
	"container": func(t *testing.T, a *amazon, home string) awscreds.Config {
		a.containerWay(t, home)
		return awscreds.Config{}
	},
	"web identity": func(t *testing.T, a *amazon, home string) awscreds.Config {
		a.webIdentityWay(t, home)
		return awscreds.Config{}
	},
	"web identity of a profile": func(t *testing.T, a *amazon, home string) awscreds.Config {
		a.webIdentityWay(t, home)
		set(t, map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_ROLE_ARN": ""})
		write(t, filepath.Join(home, "config"), "[profile people]\nrole_arn = "+a.role+"\nweb_identity_token_file = "+filepath.Join(home, "token")+"\n")
		return awscreds.Config{Profile: "people"}
	},
	"single sign-on": func(t *testing.T, a *amazon, home string) awscreds.Config {
		a.ssoWay(t, home)
		return awscreds.Config{Profile: "people"}
	},
	"command of a profile": func(t *testing.T, _ *amazon, home string) awscreds.Config {
		write(t, filepath.Join(home, "config"), "[profile people]\ncredential_process = "+command(t, home, printed)+" \"two words\"\n")
		return awscreds.Config{Profile: "people"}
	},
	"command": func(t *testing.T, _ *amazon, home string) awscreds.Config {
		return awscreds.Config{Process: command(t, home, printed) + ` "two words"`}
	},
	"role": func(t *testing.T, a *amazon, _ string) awscreds.Config {
		t.Setenv("AWS_ENDPOINT_URL_STS", a.url)
		a.base = awstest.Verifier{Service: "sts", Region: region, Key: "base", Secret: "hidden", Now: time.Now, Suite: true}
		a.form = map[string][]string{"ExternalId": {"customer:7"}, "RoleSessionName": {"nightly"}, "DurationSeconds": {"1800"}}
		return awscreds.Config{AccessKey: "base", SecretKey: "hidden", Role: a.role, ExternalID: "customer:7", SessionName: "nightly", RoleDuration: unit.Duration(30 * time.Minute)}
	},
	"role of a profile": func(t *testing.T, a *amazon, home string) awscreds.Config {
		t.Setenv("AWS_ENDPOINT_URL_STS", a.url)
		a.base = awstest.Verifier{Service: "sts", Region: region, Key: "base", Secret: "hidden", Now: time.Now, Suite: true}
		a.form = map[string][]string{"ExternalId": {"customer:7"}}
		write(t, filepath.Join(home, "credentials"), "[default]\naws_access_key_id = base\naws_secret_access_key = hidden\n")
		write(t, filepath.Join(home, "config"), "[profile people]\nsource_profile = default\nexternal_id = customer:7\nrole_arn = "+a.role+"\n")
		return awscreds.Config{Profile: "people"}
	},
	"role of what the machine is": func(t *testing.T, a *amazon, _ string) awscreds.Config {
		a.imdsWay(t)
		t.Setenv("AWS_ENDPOINT_URL_STS", a.url)
		a.given = -1 // the machine's are key0
		a.base = awstest.Verifier{Service: "sts", Region: region, Key: "key0", Secret: secret, Token: secret, Now: time.Now, Suite: true}
		a.form = map[string][]string{"RoleSessionName": {"sluice"}, "DurationSeconds": {"3600"}}
		return awscreds.Config{Role: a.role}
	},
}

func TestEveryWayLeadsToCredentials(t *testing.T) {
	for name, w := range ways {
		t.Run(name, func(t *testing.T) {
			home, a := alone(t), newAmazon(t)
			c := w(t, a, home)
			if problems := c.Problems(); problems != nil {
				t.Errorf("got %v, want no problems", problems)
			}
			p := provider(t, c)
			for range 3 {
				if got := key(t, p); got != "key1" {
					t.Errorf("got %s, want key1, kept", got)
				}
			}
			creds, err := p.Retrieve(t.Context())
			if creds.SecretAccessKey != secret || creds.SessionToken != secret || !creds.CanExpire {
				t.Errorf("got %v, %v, want them whole", creds, err)
			}
		})
	}
}

// Each of them is refused by who verifies; the error says what was tried and
// what to do.
func TestAWayThatFailsIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		change func(a *amazon)
		wants  []string
	}{
		"machine":                     {func(a *amazon) { a.denied = "Forbidden" }, []string{"neither has the machine", "give access_key"}},
		"container":                   {func(a *amazon) { a.token = "another" }, []string{"AWS_CONTAINER_CREDENTIALS", "Unauthorized", "the pod has a role"}},
		"web identity":                {func(a *amazon) { a.token = "another" }, []string{"AWS_WEB_IDENTITY_TOKEN_FILE for role arn:aws:iam::", "AccessDenied", "trust policy"}},
		"web identity of a profile":   {func(a *amazon) { a.token = "another" }, []string{`profile "people" with role arn:aws:iam::`, "AccessDenied", "trust policy"}},
		"single sign-on":              {func(a *amazon) { a.token = "another" }, []string{`single sign-on of profile "people"`, "aws sso login --profile people"}},
		"role":                        {func(a *amazon) { a.form.Set("ExternalId", "customer:8") }, []string{"role arn:aws:iam::123456789012:role/r", "AccessDenied", "external_id"}},
		"role of what the machine is": {func(a *amazon) { a.base.Secret = "other" }, []string{"role arn:", "does not match", "trust policy"}},
	} {
		t.Run(name, func(t *testing.T) {
			home, a := alone(t), newAmazon(t)
			p := provider(t, ways[name](t, a, home))
			test.change(a)
			got := key(t, p)
			for _, want := range append(test.wants, "no credentials: ") {
				if !strings.Contains(got, want) {
					t.Errorf("got %q, want %q in it", got, want)
				}
			}
		})
	}
}

func TestAnAddressThatIsNotUnderstoodIsNotShown(t *testing.T) {
	home, a := alone(t), newAmazon(t)
	a.url = strings.Replace(a.url, "http:", "https:", 1)
	a.containerWay(t, home)
	if got := key(t, provider(t, awscreds.Config{})); !strings.Contains(got, "AWS_CONTAINER_CREDENTIALS of the environment: http: server gave HTTP") {
		t.Errorf("got %q, want to be told why, without the address and its secret", got)
	}
}

func TestWhatCannotBeReadIsNotShown(t *testing.T) {
	home := alone(t)
	for _, text := range []string{"[default]\naws_secret_access_key " + secret, "[default\naws_secret_access_key = " + secret, "[default]\n= " + secret, secret} {
		write(t, filepath.Join(home, "credentials"), text)
		cfg, err := awscreds.Config{}.Load(t.Context(), region)
		if err == nil {
			_, err = awscreds.Config{}.Provider(cfg).Retrieve(t.Context())
		}
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: got %v, want an error without what is in the file", text, err)
		}
	}
	write(t, filepath.Join(home, "credentials"), "")
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/?x="+secret+"\x7f")
	if _, err := (awscreds.Config{}).Load(t.Context(), region); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v, want an error without the address", err)
	}
}

func TestNothingThatACommandPrintsIsRepeated(t *testing.T) {
	for output, want := range map[string]string{
		secret:                        "not the JSON",
		`{"Version":1,"AccessKeyId":`: "not the JSON",
		`{"Version":1,"AccessKeyId":"k","SecretAccessKey":"` + secret + `","Expiration":"` + secret + `"}`: "not the JSON",
		`{"Version":2}`:                   "wrong version",
		`{"Version":1,"AccessKeyId":"x"}`: "missing SecretAccessKey",
	} {
		home := alone(t)
		p := provider(t, awscreds.Config{Process: command(t, home, output) + " 'two words'"})
		if got := key(t, p); !strings.Contains(got, want) || !strings.Contains(got, "credential_process") || !strings.Contains(got, "by hand") {
			t.Errorf("got %q, want %q and the remedy", got, want)
		}
		write(t, filepath.Join(home, "config"), "[profile people]\ncredential_process = "+command(t, home, output)+" 'two words'\n")
		if got := key(t, provider(t, awscreds.Config{Profile: "people"})); !strings.Contains(got, want) || !strings.Contains(got, `credential_process of profile "people"`) {
			t.Errorf("got %q, want %q and the profile", got, want)
		}
	}
	for command, want := range map[string]string{"/no/such/command": "no such file", command(t, alone(t), printed) + " wrong": "exit status 7"} {
		if got := key(t, provider(t, awscreds.Config{Process: command})); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
	}
}

func TestOptionsThatCannotBeMeant(t *testing.T) {
	for name, c := range map[string]awscreds.Config{
		"secret_key":         {AccessKey: "a"},
		"session_token":      {SessionToken: "t"},
		"profile":            {AccessKey: "a", SecretKey: "s", Profile: "p"},
		"credential_process": {Process: "x", Profile: "p"},
		"role":               {Role: "admin"},
		"role_session_name":  {Role: "arn:x", SessionName: "two words"},
	} {
		if got := c.Problems(); len(got) != 1 || got[0].Option != name {
			t.Errorf("%s: got %v, want one of %s", name, got, name)
		}
	}
	for _, c := range []awscreds.Config{{ExternalID: "x"}, {SessionName: "xx"}, {RoleDuration: 1}} {
		if got := c.Problems(); len(got) != 1 || got[0].Option != "role" {
			t.Errorf("got %v, want the missing role", got)
		}
	}
	if got := (awscreds.Config{Process: "helper 'open"}).Problems(); len(got) != 1 || got[0].Option != "credential_process" {
		t.Errorf("got %v, want the open quote", got)
	}
}
