package translate

import (
	"cmp"
	"fmt"
	"strings"
)

// target is the cluster and the index of a place.
type target struct {
	address
	url   string
	index string
	kind  string // the type, of old
}

// target takes the URL of a place apart, as elasticdump does: the last part is
// the index, or the last two an index and a type, unless --input-index says so.
func (d *dumped) target(p place) (t target, err error) {
	t.address, err = parseAddress(p.at)
	if err != nil {
		return t, fmt.Errorf("%s: %w", p.flag(), err)
	}
	n := len(t.segments)
	if option := p.side + "-index"; d.given(option) {
		t.index, t.kind, _ = strings.Cut(strings.Trim(d.text(option), "/"), "/")
		t.url = t.under(n)
		return t, nil
	}
	switch {
	case n == 0:
		t.url = t.under(0)
	case n == 1:
		t.url, t.index = t.under(0), t.segments[0]
	default:
		t.url, t.index, t.kind = t.under(n-2), t.segments[n-2], t.segments[n-1]
	}
	return t, nil
}

// cluster makes what is said of a cluster wherever it stands.
func (d *dumped) cluster(p place) (m mapping, t target, err error) {
	if t, err = d.target(p); err != nil {
		return nil, t, err
	}
	if t.kind != "" && t.kind != "_doc" && t.kind != "doc" {
		d.plan.note("%s: %s is a type, or a filter of aliases; there is no such thing here, and all of the index is meant", p.flag(), t.kind)
	}
	m.set("url", t.url)
	if err := d.letIn(&m, p, t); err != nil {
		return nil, t, err
	}
	tls := mapping{}
	if d.yes("tlsAuth") {
		for _, name := range []string{"ca", "cert", "key"} {
			both := d.text(name)
			tls.set(name, cmp.Or(d.text(p.side+"-"+name), both))
		}
	}
	if d.env("NODE_TLS_REJECT_UNAUTHORIZED") == "0" && strings.HasPrefix(t.url, "https:") {
		tls.set("insecure", true)
	}
	m.set("tls", tls)
	if host := d.text(p.side + "SocksProxy"); host != "" {
		m.set("proxy", "socks5://"+host+":"+cmp.Or(d.text(p.side+"SocksPort"), "1080"))
	}
	return m, t, nil
}

// searchSource makes the source that is a cluster.
func (d *dumped) searchSource() error {
	m, t, err := d.cluster(d.from)
	if err != nil {
		return err
	}
	names, without, err := indices(cmp.Or(t.index, "*"))
	if err != nil {
		return fmt.Errorf("%s: %w", d.from.flag(), err)
	}
	m.set("index", names)
	m.set("exclude", without)
	if err := d.searchBody(&m); err != nil {
		return err
	}
	m.set("take", d.take)
	if d.yes("searchAfter"); d.yes("pit") {
		m.set("read", "pit")
	}
	scroll := d.text("scrollTime")
	m.set("keep_alive", cmp.Or(d.text("pitKeepAlive"), scroll))
	if d.yes("handleVersion") {
		m.set("with", "version")
	}
	d.plan.source = stage{"elasticsearch", m}
	return nil
}

// searchSink makes the sink that is a cluster.
func (d *dumped) searchSink() error {
	m, t, err := d.cluster(d.to)
	if err != nil {
		return err
	}
	if t.index != "" {
		m.set("index", d.text("prefix")+t.index+d.text("suffix"))
	}
	if action := d.text("bulkAction"); action != "index" {
		m.set("action", action)
	}
	d.yes("handleVersion") // versions are looked at wherever a record has one
	if v := d.values["versionType"]; len(v) > 0 && strings.HasPrefix(v[len(v)-1], "external") {
		d.text("versionType")
	}
	d.made(&m)
	d.plan.sink = stage{"elasticsearch", m}
	if d.yes("ignore-es-write-errors"); !d.off("ignore-es-write-errors") {
		d.yes("ignore-errors")
		d.plan.deadLetters()
	}
	return nil
}

// made says what indices are made from.
func (d *dumped) made(m *mapping) {
	switch {
	case d.from.kind != "search":
	case len(d.take) > 0:
		m.set("create", mapping{{key: "metadata", value: true}})
	default:
		d.plan.source.options.hint("take", []string{"data", "indices"}, "What --type=mapping, settings and the like did, together with create below:")
		m.hint("create", mapping{{key: "metadata", value: true}}, "With take: [data, indices] above:")
	}
}
