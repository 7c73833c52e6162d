package translate

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// letIn makes what lets in at a cluster: a user, a key of an API, or a
// signature of Amazon.
func (d *dumped) letIn(m *mapping, p place, t target) error {
	prefix := "ELASTICDUMP_" + strings.ToUpper(p.side)
	user, password, where := t.user, t.password, "the password in "+p.flag()
	if name := d.text("httpAuthFile"); name != "" && (user == "" || password == "") {
		text, err := d.file("httpAuthFile", name)
		if err != nil {
			return err
		}
		if user, password = ini(text, "user"), ini(text, "password"); user == "" || password == "" {
			return fmt.Errorf("--httpAuthFile: there is no user and password in the file")
		}
		where = "the password in the file of --httpAuthFile"
	}
	if user == "" || password == "" {
		if user != "" {
			d.plan.note("%s: the user in it has no password, and was left out", p.flag())
		}
		user, password = d.both(prefix+"_USERNAME", prefix+"_PASSWORD")
		where = "the password of " + user
	}
	if user != "" && password != "" {
		d.plan.login(m, user, d.plan.secret(prefix+"_PASSWORD", where))
	}
	for _, option := range []string{"headers", p.side + "-headers"} {
		if err := d.headers(m, option, prefix); err != nil {
			return err
		}
	}
	return d.signed(m, p, t)
}

// ini is a value in an INI file.
func ini(text []byte, name string) string {
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(key) == name {
			return strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return ""
}

// headers takes what lets in out of headers of requests; others are noted.
func (d *dumped) headers(m *mapping, option, prefix string) error {
	text := d.text(option)
	if text == "" {
		return nil
	}
	var headers map[string]string
	if err := json.Unmarshal([]byte(text), &headers); err != nil {
		return fmt.Errorf("--%s is no JSON object of texts", option)
	}
	for _, name := range slices.Sorted(keysOf(headers)) {
		scheme, value, _ := strings.Cut(headers[name], " ")
		switch {
		case !strings.EqualFold(name, "Authorization"):
			d.once("--%s: the header %s cannot be sent", option, name)
		case strings.EqualFold(scheme, "ApiKey"):
			m.set("api_key", d.plan.secret(prefix+"_API_KEY", "the key in --"+option+", behind ApiKey"))
		case strings.EqualFold(scheme, "Bearer"):
			m.set("bearer", d.plan.secret(prefix+"_TOKEN", "the token in --"+option+", behind Bearer"))
		default:
			both, _ := base64.StdEncoding.DecodeString(value)
			user, _, ok := strings.Cut(string(both), ":")
			if !ok {
				return fmt.Errorf("--%s: Authorization is neither Basic, nor Bearer, nor ApiKey", option)
			}
			d.plan.login(m, user, d.plan.secret(prefix+"_PASSWORD", "the password in --"+option+" (base64, behind the colon)"))
		}
	}
	return nil
}

// once notes what may be said of both sides.
func (d *dumped) once(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(d.plan.byHand, text) {
		d.plan.note("%s", text)
	}
}

// signed makes the signature of Amazon.
func (d *dumped) signed(m *mapping, p place, t target) error {
	serverless := d.yes("openSearchServerless")
	matches, err := regexp.MatchString(cmp.Or(last(d.values["awsUrlRegex"]), `^https?://.*\.amazonaws\.com.*$`), p.at)
	if err != nil {
		return fmt.Errorf("--awsUrlRegex: %w", err)
	}
	keys := d.given("awsAccessKeyId") && d.given("awsSecretAccessKey")
	if !matches || !keys && !d.given("awsIniFileProfile") && !d.given("awsChain") {
		return nil
	}
	d.text("awsUrlRegex")
	found := append(amazon.FindStringSubmatch(t.url), "", "", "")
	service, region := d.text("awsService"), d.text("awsRegion")
	aws := mapping{}
	aws.set("service", cmp.Or(service, map[bool]string{true: "aoss"}[serverless], found[2], "es"))
	aws.set("region", cmp.Or(region, found[1]))
	switch {
	case d.yes("awsChain"):
	case keys:
		d.both("awsAccessKeyId", "awsSecretAccessKey")
		aws.set("access_key", d.plan.secret("AWS_ACCESS_KEY_ID", "--awsAccessKeyId"))
		aws.set("secret_key", d.plan.secret("AWS_SECRET_ACCESS_KEY", "--awsSecretAccessKey"))
		if d.text("sessionToken") != "" {
			aws.set("session_token", d.plan.secret("AWS_SESSION_TOKEN", "--sessionToken"))
		}
	default:
		aws.set("profile", d.text("awsIniFileProfile"))
	}
	m.set("aws", aws)
	return nil
}
