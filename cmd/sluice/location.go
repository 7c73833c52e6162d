package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"sluice/internal/config"
)

// location is a SOURCE or SINK of copy.
type location struct {
	side     string // source or sink
	kind     string // as the configuration calls it
	records  bool   // as a source, it gives records; as a sink, it takes nothing else
	settings []config.Setting
}

// stdout is a kind of sink that copy alone has.
const stdout = "stdout"

const locations = `  opensearch+https://USER:PASSWORD@HOST:PORT/INDEX   also opensearch+http, elasticsearch+https, elasticsearch+http
  s3://BUCKET/PREFIX
  file:DIR
  generate:RECORDS                                   made-up records, as a source
  -                                                  standard input or output`

// locate reads a SOURCE or SINK. Its errors never show more of it than the
// scheme: there may be a password in the rest.
func locate(side, text string) (*location, error) {
	l := &location{side: side}
	scheme, rest, _ := strings.Cut(text, ":")
	engine, transport, _ := strings.Cut(scheme, "+")
	switch {
	case text == "-" && side == "sink":
		l.kind = stdout
		l.set("", "")
		return l, nil
	case text == "-":
		l.kind = "file"
		l.set("path", "-")
		return l, nil
	case scheme == "file" && rest != "":
		l.kind = "file"
		l.set("path", rest)
		return l, nil
	case scheme == "generate" && side == "source":
		l.kind, l.records = "generate", true
		l.set("records", rest)
		return l, nil
	case scheme == "s3":
		return l, l.bucket(text)
	case (engine == "opensearch" || engine == "elasticsearch") && (transport == "http" || transport == "https"):
		l.kind, l.records = engine, true
		return l, l.index(transport + ":" + rest)
	}
	return nil, l.unknown(text, scheme)
}

// set gives an option of the kind its value.
func (l *location) set(option, value string) {
	path := l.side + "." + l.kind
	if option != "" {
		path += "." + option
	}
	l.settings = append(l.settings, config.Setting{Path: path, Value: value, Flag: strings.ToUpper(l.side)})
}

func (l *location) bucket(text string) error {
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(text, "s3://"), "/")
	if !strings.HasPrefix(text, "s3://") || bucket == "" {
		return errors.New("write s3://BUCKET/PREFIX")
	}
	l.kind = "s3"
	l.set("bucket", bucket)
	if l.side == "sink" && prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	if prefix != "" {
		l.set("prefix", prefix)
	}
	return nil
}

// index takes a URL apart whose last part is the index.
func (l *location) index(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" { // err shows the password
		return fmt.Errorf("that is no URL; write %s+https://USER:PASSWORD@HOST:PORT/INDEX, and in the password %%40 for @, %%2F for /, %%3A for :, %%25 for %%", l.kind)
	}
	user := u.User
	dir, index := "", u.Path
	if i := strings.LastIndex(u.Path, "/"); i >= 0 {
		dir, index = u.Path[:i], u.Path[i+1:]
	}
	if index == "" && l.side == "source" {
		return fmt.Errorf("name the index: %s+%s://HOST/INDEX; a list or pattern such as logs-* will do", l.kind, u.Scheme)
	}
	plain := url.URL{Scheme: u.Scheme, Host: u.Host, Path: dir}
	l.set("url", plain.String())
	if index != "" {
		for name := range strings.SplitSeq(index, ",") {
			l.set("index", name)
		}
	}
	if user != nil {
		l.set("username", user.Username())
		if password, ok := user.Password(); ok {
			l.set("password", password)
		}
	}
	return nil
}

// unknown says how to write what was probably meant.
func (l *location) unknown(text, scheme string) error {
	switch {
	case scheme == "http" || scheme == "https":
		return fmt.Errorf("%s:// says not which engine it is: write opensearch+%s:// or elasticsearch+%s://", scheme, scheme, scheme)
	case scheme == "opensearch" || scheme == "elasticsearch":
		return fmt.Errorf("write %s+https:// or %s+http://", scheme, scheme)
	case scheme == "generate":
		return errors.New("generate is a source")
	case scheme == text || scheme == "file": // no colon: a path
		return errors.New("for files, write file:DIR; for others:\n" + locations)
	}
	return fmt.Errorf("%q is unknown; write one of\n%s", scheme+":", locations)
}
