package awscreds_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/awscreds"
)

// creds gives the access key of what the options find.
func creds(t *testing.T, c awscreds.Config) (string, error) {
	t.Helper()
	cfg, err := c.Load(t.Context(), "eu-west-1")
	if err != nil {
		return "", err
	}
	found, err := c.Provider(cfg).Retrieve(t.Context())
	return found.AccessKeyID + "/" + found.SessionToken, err
}

func TestCredentialsAreLookedForInOrder(t *testing.T) {
	shared := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(shared, []byte("[archive]\naws_access_key_id = ofprofile\naws_secret_access_key = s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_SHARED_CREDENTIALS_FILE": shared, "AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_ACCESS_KEY_ID": "ofenvironment", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
	} {
		t.Setenv(name, value)
	}
	for want, c := range map[string]awscreds.Config{
		"ofoptions/token": {AccessKey: "ofoptions", SecretKey: "s", SessionToken: "token"},
		"ofenvironment/":  {},
		"ofprofile/":      {Profile: "archive"},
	} {
		if got, err := creds(t, c); got != want || err != nil {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	if _, err := creds(t, awscreds.Config{Profile: "unknown"}); err == nil || !strings.Contains(err.Error(), "unknown") {
		t.Errorf("got %v, want an error that names the profile", err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	_, err := creds(t, awscreds.Config{})
	if missing := new(awscreds.Error); !errors.As(err, &missing) || !strings.Contains(err.Error(), "give access_key") {
		t.Errorf("got %v, want to be told how to give credentials", err)
	}
}
