package config_test

import (
	"strings"
	"testing"

	"sluice/internal/config"
)

// TestAPipelineIsShownWithoutSecrets: what is in effect, defaults included.
func TestAPipelineIsShownWithoutSecrets(t *testing.T) {
	text := `
pipelines:
  a:
    source: {opensearch: {url: "https://me:hidden@search:9200", index: logs, username: me, password: hidden}}
    transforms: [{gzip: {}}]
    sink: {s3: {bucket: archive, region: eu-west-1, access_key: hidden, secret_key: hidden, key: "{index}/{lane}-{pass}-{sequence}"}}
    hooks:
      - {command: [notify, --token, hidden]}
      - {webhook: {url: "https://chat/hidden", token: hidden}}
    stall: 0s
    every: 5m
`
	f, err := config.Parse("x.yaml", []byte(text), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := f.Pipelines[0].Text()
	for _, want := range []string{
		"source:\n  opensearch:\n    url:", "index:\n    - logs\n", "password: '***'\n", "bucket: archive\n", "lanes: 4\n", "every: 5m\n", "stall: 0s\n", "transforms:\n- gzip:\n    level: 1\n", "notify", "secret_key: '***'\n",
	} {
		if !strings.Contains(strings.ReplaceAll(got, `"***"`, `'***'`), want) {
			t.Errorf("got no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "hidden") {
		t.Errorf("got a secret in\n%s", got)
	}
}
