package config_test

import (
	"strings"
	"testing"
	"time"

	"sluice/internal/config"
)

// generated reads a configuration of one pipeline, p, with more lines.
func generated(t *testing.T, head string, lines ...string) (*config.File, error) {
	t.Helper()
	text := head + "\npipelines:\n  p:\n    source: {generate: {records: 5}}\n    sink: {file: {path: out, key: \"{pass}-{lane}-{sequence}\"}}\n"
	for _, l := range lines {
		text += "    " + l + "\n"
	}
	return config.Parse("c.yaml", []byte(text), sluice(true))
}

func mustFile(t *testing.T, head string, lines ...string) *config.File {
	t.Helper()
	f, err := generated(t, head, lines...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSchedulesOfAPipeline(t *testing.T) {
	last := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		lines []string
		want  time.Duration // the next pass; 0: none
	}{
		{nil, 0},
		{[]string{"every: 90s"}, 90 * time.Second},
		{[]string{`cron: "30 15 * * *"`}, 3*time.Hour + 30*time.Minute},
		{[]string{`cron: "30 15 * * *"`, "time_zone: Europe/Berlin", "missed: skip"}, time.Hour + 30*time.Minute},
	} {
		p := mustFile(t, "", test.lines...).Pipelines[0]
		got := time.Duration(0)
		if p.Schedule != nil {
			got = p.Schedule.Next(last, last).Sub(last)
		}
		if got != test.want {
			t.Errorf("%q: got %v, want %v", test.lines, got, test.want)
		}
	}
}

func TestWhatIsWrongInSchedulesAndHooksIsSaidWhereItStands(t *testing.T) {
	for want, lines := range map[string][]string{
		"c.yaml:6:11: cron: both every and cron are given":          {`cron: "0 3 * * *"`, "every: 1h"},
		`c.yaml:6:11: cron: "0 25 * * *" cannot be read`:            {`cron: "0 25 * * *"`},
		`c.yaml:7:16: time_zone: "Berlin" is no time zone`:          {`cron: "0 3 * * *"`, "time_zone: Berlin"},
		`c.yaml:7:16: time_zone: "../etc/passwd" is no time zone`:   {`cron: "0 3 * * *"`, "time_zone: ../etc/passwd"},
		"c.yaml:6:16: time_zone: it is that of cron":                {"time_zone: UTC"},
		"c.yaml:6:13: missed: without every or cron":                {"missed: skip"},
		`c.yaml:6:21: hooks.0.after: "success" is not one of`:       {"hooks: [{after: success, command: [a]}]"},
		"c.yaml:6:5: hooks.0: a hook needs a command or a webhook":  {"hooks: [{after: failed}]"},
		"c.yaml:6:29: hooks.0.webhook.url: this is no address such": {"hooks: [{webhook: {url: ftp://host}}]"},
	} {
		_, err := generated(t, "", lines...)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", lines, err, want)
		}
	}
}

func TestAFingerprintChangesWithEveryOptionAndSecret(t *testing.T) {
	print := func(env string, lines ...string) string {
		t.Helper()
		options := sluice(true)
		options.Env = func(string) (string, bool) { return env, true }
		text := "pipelines:\n  p:\n    source: {opensearch: {url: http://a, index: i, password: \"${X}\", username: u}}\n    sink: {file: {path: out, key: \"{pass}-{lane}-{sequence}\"}}\n"
		f, err := config.Parse("c.yaml", []byte(text+strings.Join(lines, "\n")), options)
		if err != nil {
			t.Fatal(err)
		}
		return f.Pipelines[0].Fingerprint()
	}
	const plain = "    transforms: [{gzip: {level: 1}}]"
	seen := map[string]string{}
	for name, got := range map[string]string{
		"as it is":           print("secret", plain),
		"another secret":     print("secres", plain),
		"another level":      print("secret", "    transforms: [{gzip: {level: 2}}]"),
		"no transform":       print("secret"),
		"two":                print("secret", "    transforms: [{gzip: {level: 1}}, {gzip: {level: 1}}]"),
		"another stall":      print("secret", plain, "    stall: 3m"),
		"a hook":             print("secret", plain, "    hooks: [{command: [a, b]}]"),
		"another argument":   print("secret", plain, "    hooks: [{command: [a b]}]"),
		"a webhook":          print("secret", plain, "    hooks: [{webhook: {url: http://h/secret}}]"),
		"another address":    print("secret", plain, "    hooks: [{webhook: {url: http://h/secres}}]"),
		"where letters go":   print("secret", plain, "    dead_letters: {file: {path: a}}"),
		"another such place": print("secret", plain, "    dead_letters: {file: {path: b}}"),
	} {
		if other, twice := seen[got]; twice {
			t.Errorf("%s: got the fingerprint of %s", name, other)
		}
		seen[got] = name
		if strings.Contains(got, "secre") {
			t.Errorf("%s: got %s, want no secret in it", name, got)
		}
	}
	if a, b := print("secret", plain), print("secret", "    transforms: [gzip]", "    stall: 15m", "    lanes: 4 # as before"); a != b {
		t.Errorf("got %s and %s, want the same for what is the same with its defaults", a, b)
	}
}

// TestAFingerprintIsTheSameWhenAFileIsReadAgain, whatever the options: else each
// reload would begin all pipelines anew.
func TestAFingerprintIsTheSameWhenAFileIsReadAgain(t *testing.T) {
	_, full := reference(t)
	var files [2]*config.File
	for i := range files {
		var err error
		if files[i], err = config.Parse("config.yaml", []byte(full), sluice(true)); err != nil {
			t.Fatal(err)
		}
	}
	for i, p := range files[0].Pipelines {
		if a, b := p.Fingerprint(), files[1].Pipelines[i].Fingerprint(); a != b {
			t.Errorf("%s: got %s and %s", p.Name, a, b)
		}
	}
}

func TestOptionsOfTheProcessStayWhatTheyWere(t *testing.T) {
	running := mustFile(t, "state: ./a\nmemory: 100MiB")
	f := mustFile(t, "state: ./b\nhttp: 127.0.0.1:9600\nmemory: 200MiB")
	if got := strings.Join(f.Keep(running), " "); got != "state memory http" || f.State != "./a" || f.HTTP != "" || f.Memory != 100<<20 {
		t.Errorf("got %q, %+v, want state, memory and http as they were", got, f)
	}
	if got := mustFile(t, "state: ./a\nmemory: 100MiB").Keep(running); got != nil {
		t.Errorf("got %q, want nothing changed", got)
	}
	moved := mustParse(t, strings.Replace(severalSinks, "pipelines:", "state: ./b\npipelines:", 1))
	moved.Keep(mustParse(t, severalSinks))
	fitted, err := config.Fit(moved.Memory, moved.Pipelines[0])
	if err != nil {
		t.Fatal(err)
	}
	if env := fitted[0].Pipeline(config.Links{}).Source.(noSource).env; env.Scratch != "state/one.scratch" {
		t.Errorf("got files in %s, want them beside the state", env.Scratch)
	}
	growing := mustFile(t, "")
	growing.Memory = 500 << 20 // as large as its pipelines needed it
	f = mustFile(t, "")
	if got := f.Keep(growing); got != nil || f.Memory != 80<<20 {
		t.Errorf("got %q, %v, want memory as large as it is needed now", got, f.Memory)
	}
}
