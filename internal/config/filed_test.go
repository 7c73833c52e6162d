package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"sluice/internal/config"
	"sluice/sources/s3"
)

// Keys that are mounted are read again while a pipeline runs.
func TestAStageKnowsTheFilesOfItsKeys(t *testing.T) {
	dir := t.TempDir()
	write := func(text string) {
		for _, name := range []string{"access", "secret"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text+name), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write("old ")
	text := "pipelines: {a: {source: {s3: {bucket: b, access_key_file: '${DIR}/access', secret_key_file: '${DIR}/secret'}}, sink: {file: {path: out}}}}"
	f, err := config.Parse("x.yaml", []byte(text), config.Options{Env: func(string) (string, bool) { return dir, true }})
	if err != nil {
		t.Fatal(err)
	}
	c := f.Pipelines[0].Source.Options.(*s3.Config)
	if got := c.AccessKey.Reveal() + ", " + c.SecretKey.Reveal(); got != "old access, old secret" {
		t.Errorf("got %s, want what the files hold", got)
	}
	cfg, err := c.Load(t.Context(), c.Region)
	if err != nil {
		t.Fatal(err)
	}
	p := c.Config.Config.Provider(cfg)
	for _, want := range []string{"old ", "new "} {
		creds, err := p.Retrieve(t.Context())
		if creds.AccessKeyID != want+"access" || creds.SecretAccessKey != want+"secret" || err != nil {
			t.Errorf("got %s, %v, want the %saccess", creds.AccessKeyID, err, want)
		}
		write("new ")
		p.Invalidate()
	}
}
