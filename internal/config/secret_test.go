package config_test

import (
	"fmt"
	"strings"
	"testing"

	"sluice/internal/config"
)

// Whatever way a secret is written, and whatever else is wrong around it, no
// error shows it.
func TestNoErrorShowsASecret(t *testing.T) {
	ways := []string{
		`hunter2`, `"hunter2"`, `'hunter2'`, `"\x68unter2 hunter2"`, `hunter2 hunter2`, `'hunter2''s'`,
		"|\n          hunter2\n          hunter2", ">-\n          hunter2\n\n          hunter2",
		"hunter2\n          hunter2", "\"hunter2\n          hunter2\"", "'hunter2\n          hunter2'",
		`&s hunter2`, `!hunter2`, `*hunter2`, `&hunter2`, `@hunter2`, `%hunter2`, "`hunter2", `{hunter2}`, `{hunter2: hunter2}`,
		`[hunter2, hunter2]`, `"hunter2`, `'hunter2`, `hunter2: hunter2`, `"hunter2" hunter2`, `"\hunter2"`,
		`"${NOBODY:-hunter2}${NOBODY}"`, `hunter2$`, `hunter2${`, `"hunter2${PASSWORD} ${}"`, `"${PASSWORD}${NOBODY}"`,
		"\n          hunter2: hunter2", "\n          - hunter2", "\n        hunter2", "|\n          x\n         hunter2",
		"\t hunter2", "hunter2\t# x", "\x01hunter2", "hunter2 \xff", "2\n        index: 7 # not it", "hunter2\r",
	}
	for _, way := range ways {
		for _, key := range []string{"password", "passwd", "pasword", "\"password\"", "secret_key", "api_key"} {
			for _, broken := range []string{
				"",                          // nothing else
				"index: 7",                  // a wrong type
				"index: logs\n        x: [", // a syntax error later
			} {
				block := fmt.Sprintf("pipelines:\n  a:\n    source:\n      opensearch:\n        url: https://u:hunter2@x\n        %s: %s\n        %s\n    sink: {s4: {}}\n", key, way, broken)
				flow := fmt.Sprintf("pipelines: {a: {source: {opensearch: {é: 1, url: 5, %s: %s, %s}}, sink: {s4: {}}}}\n", key, way, strings.ReplaceAll(broken, "\n        ", ", "))
				for _, text := range []string{block, flow} {
					_, err := config.Parse("x.yaml", []byte(text), options())
					if err == nil {
						t.Errorf("got no error of\n%s", text)
					} else if strings.Contains(err.Error(), "unter2") {
						t.Errorf("the error shows the secret:\n%s\nof\n%s", err, text)
					}
				}
			}
		}
	}
}
