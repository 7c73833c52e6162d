package translate

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// dumper is es-to-s3-dumper (github.com/Battleroid/es-to-s3-dumper, f8b5be9).
func dumper() *Tool {
	const alone = "one of the two alone has no effect"
	return &Tool{
		Name:      "es-to-s3-dumper",
		About:     "es-to-s3-dumper",
		Examples:  []string{"sluice init es-to-s3-dumper -- -es-url=https://search:9200 -index-name=logs -s3-bucket=archive -s3-path=logs/"},
		Variables: []string{"ES_USERNAME", "ES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY"},
		Prefixes:  []string{"ES_", "S3_"},
		style:     style{dash: true},
		translate: dump,
		flags: []flag{
			{name: "es-url"}, {name: "es-username", why: alone}, {name: "es-password", why: alone}, {name: "index-name"},
			{name: "scroll-size", why: "pages have a size in bytes (page)", idle: true},
			{name: "scroll-timeout"},
			{name: "max-timeout", why: "requests that hang are given up and tried again for as long as retry says", idle: true},
			{name: "s3-region"}, {name: "s3-bucket"}, {name: "s3-path"}, {name: "s3-access-key", why: alone}, {name: "s3-secret-key", why: alone},
			{name: "max-file-size"}, {name: "max-docs"},
			{name: "debug", bare: true, why: "run with --log-level debug", idle: true},
			{name: "max-uploads", why: "uploads go on beside each other in each lane (lanes)", idle: true},
		},
	}
}

func dump(c *command) error {
	p := c.plan
	a, err := parseAddress(cmp.Or(c.text("es-url"), "https://localhost:9200"))
	if err != nil {
		return fmt.Errorf("-es-url: %w", err)
	}
	name := c.text("index-name")
	names, without, err := indices(cmp.Or(name, "*"))
	if err != nil {
		return fmt.Errorf("-index-name: %w", err)
	}
	if len(names) != 1 || strings.Contains(names[0], "*") || len(without) > 0 {
		p.note("-index-name: objects get the names of the indices, each its own numbers, where es-to-s3-dumper puts the pattern into the keys")
	}
	p.source = stage{"elasticsearch", mapping{{key: "url", value: a.under(len(a.segments))}, {key: "index", value: names}}}
	source := &p.source.options
	source.set("exclude", without)
	if user, _ := c.either("es-username", "ES_USERNAME", "es-password", "ES_PASSWORD"); user != "" {
		p.login(source, user, p.secret("ES_PASSWORD", "the password of "+user))
	}
	if a.user != "" {
		p.note("-es-url: user and password in it are left out; give -es-username and -es-password")
	}
	source.set("keep_alive", c.text("scroll-timeout"))
	p.transforms = []stage{{kind: "gzip"}}

	bucket := c.text("s3-bucket")
	if bucket == "" {
		return errors.New("-s3-bucket is missing")
	}
	p.sink.kind = "s3"
	sink := &p.sink.options
	sink.set("bucket", bucket)
	sink.set("prefix", c.text("s3-path"))
	sink.set("region", cmp.Or(c.text("s3-region"), "us-west-2"))
	if key, _ := c.either("s3-access-key", "S3_ACCESS_KEY", "s3-secret-key", "S3_SECRET_KEY"); key != "" {
		sink.set("access_key", p.secret("S3_ACCESS_KEY", "the access key of S3"))
		sink.set("secret_key", p.secret("S3_SECRET_KEY", "its secret"))
	}
	sink.set("key", "{index}_s_{sequence}.json.gz")
	size, err := c.count("max-file-size", 32<<20)
	if err != nil {
		return err
	}
	documents, err := c.count("max-docs", 1_000_000)
	if err != nil {
		return err
	}
	*sink = append(*sink, entry{key: "roll", value: mapping{
		{key: "bytes", value: size, about: "Bytes that are stored; es-to-s3-dumper counts them before they are compressed."},
		{key: "records", value: documents},
	}})
	return nil
}

// either takes two values that have an effect together alone, each from a flag
// or else from a variable.
func (c *command) either(flag1, variable1, flag2, variable2 string) (a, b string) {
	if c.given(flag1) {
		variable1 = flag1
	}
	if c.given(flag2) {
		variable2 = flag2
	}
	return c.both(variable1, variable2)
}
