package translate

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// dumped is the translation of a command line of elasticdump.
type dumped struct {
	*command
	from, to place
	take     []string // what of an index
}

// place is one side of a copy.
type place struct {
	side string // input or output
	kind string // search, s3 or file
	at   string // what was given
}

// what calls the flag of the place.
func (p place) flag() string { return "--" + p.side }

// elasticdumped translates elasticdump.
func elasticdumped(c *command) error {
	d := &dumped{command: c}
	if err := d.places(); err != nil {
		return err
	}
	if err := d.kinds(c.text("type")); err != nil {
		return err
	}
	if err := d.input(); err != nil {
		return err
	}
	return d.output()
}

// places finds out what is copied from where to where.
func (d *dumped) places() (err error) {
	from, to := d.text("input"), d.text("output")
	if to == "" && d.given("s3RecordKey") && d.given("s3Bucket") {
		to = "s3://" + d.text("s3Bucket") + "/" + d.text("s3RecordKey")
	}
	if d.from, err = placeOf("input", from); err != nil {
		return err
	}
	if d.to, err = placeOf("output", to); err != nil {
		return err
	}
	for _, f := range []string{"inputTransport", "outputTransport"} {
		if d.given(f) {
			return fmt.Errorf("--%s: %s", f, customCode)
		}
	}
	if d.from.kind != "search" && d.to.kind != "search" {
		return errors.New("neither --input nor --output is a cluster: sluice copy copies files and objects")
	}
	return nil
}

func placeOf(side, at string) (place, error) {
	switch {
	case at == "":
		return place{}, fmt.Errorf("--%s is missing", side)
	case at == "$":
		return place{}, fmt.Errorf("--%s=$: a configuration knows no standard input and output; sluice copy does: sluice copy elasticsearch+http://HOST:9200/INDEX - | gzip > FILE", side)
	case strings.HasPrefix(at, "http://") || strings.HasPrefix(at, "https://"):
		return place{side, "search", at}, nil
	case strings.HasPrefix(at, "s3://"):
		return place{side, "s3", at}, nil
	case strings.HasPrefix(at, "csv://"):
		return place{}, fmt.Errorf("--%s is CSV, and Sluice reads and writes JSON alone", side)
	}
	return place{side, "file", at}, nil
}

// kinds says what is taken of indices, for a --type.
func (d *dumped) kinds(kind string) error {
	switch kind {
	case "", "data":
		return nil
	case "index", "settings", "analyzer", "mapping", "alias":
	default:
		return fmt.Errorf("--type=%s: of what is about indices Sluice moves settings, mappings and aliases (--type=index); templates only into files or buckets (take: templates)", kind)
	}
	if d.from.kind != "search" {
		return fmt.Errorf("--type=%s: files that elasticdump made of it cannot be read; make the index before, or write a file with settings and mappings and name it in the sink (create: {file: …})", kind)
	}
	d.take = []string{"indices"}
	d.plan.note("--type=%s: settings, mappings and aliases go together; documents with them by take: [data, indices]", kind)
	return nil
}

// input makes the source, and what stands between it and a cluster.
func (d *dumped) input() error {
	p := d.plan
	switch d.from.kind {
	case "search":
		return d.searchSource()
	case "s3":
		bucket, key, err := object(d.from)
		if err != nil {
			return err
		}
		dir, name := path.Split(key)
		p.source.kind = "s3"
		d.store(&p.source.options, bucket, dir)
		p.source.options.set("include", exactly(name))
	default:
		p.source = stage{"file", mapping{{key: "path", value: d.from.at}}}
	}
	d.yes("fsCompress") // decompress finds out
	d.yes("s3Compress")
	p.transforms = unpacked()
	return nil
}

// output makes the sink.
func (d *dumped) output() error {
	p := d.plan
	var dir, name string
	switch d.to.kind {
	case "search":
		return d.searchSink()
	case "s3":
		bucket, key, err := object(d.to)
		if err != nil {
			return err
		}
		p.sink.kind = "s3"
		dir, name = path.Split(key)
		d.store(&p.sink.options, bucket, dir)
		d.properties(&p.sink.options)
	default:
		dir, name = path.Split(d.to.at)
		if dir == "" {
			dir = "."
		}
		p.sink = stage{"file", mapping{{key: "path", value: path.Clean(dir)}}}
	}
	p.note("%s: what elasticdump writes into one file are several here, each of whole records; cat puts them together, compressed or not", d.to.flag())
	return d.rolled(d.keyOf(name))
}

// object takes s3://bucket/key apart.
func object(p place) (bucket, key string, err error) {
	bucket, key, _ = strings.Cut(strings.TrimPrefix(p.at, "s3://"), "/")
	if bucket == "" || key == "" {
		return "", "", fmt.Errorf("%s: write s3://bucket/key", p.flag())
	}
	return bucket, key, nil
}

// keyOf makes the template of names out of the name of the one file.
func (d *dumped) keyOf(name string) string {
	name, packed := strings.CutSuffix(name, ".gz")
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	if packed || d.compresses() {
		ext += ".gz"
	}
	if index, _ := d.plan.source.options.get("index").([]string); len(index) == 1 && index[0] == stem {
		return "{index}-{sequence}" + ext
	}
	return stem + "-{index}-{sequence}" + ext
}

func (d *dumped) compresses() bool {
	if d.to.kind == "s3" {
		return d.yes("s3Compress")
	}
	return d.yes("fsCompress")
}

// rolled makes what goes into files and objects: records, their size, and how
// they are packed.
func (d *dumped) rolled(key string) error {
	p := d.plan
	if d.yes("sourceOnly") {
		p.transforms = append(p.transforms, stage{"jq", mapping{{key: "expr", value: "._source", about: "Documents are written anew by it: keys sorted, numbers as jq has them."}}})
	}
	if d.compresses() {
		level, err := d.count("compressionLevel", 0)
		if err != nil {
			return err
		}
		gzip := stage{kind: "gzip"}
		gzip.options.set("level", max(level, 0))
		p.transforms = append(p.transforms, gzip)
	}
	p.sink.options.set("key", key)
	size, err := sizeOf(d.text("fileSize"))
	if err != nil {
		return err
	}
	rows, err := d.count("maxRows", 0)
	if err != nil {
		return err
	}
	roll := mapping{}
	roll.set("bytes", size)
	roll.set("records", max(rows, 0))
	p.sink.options.set("roll", roll)
	if d.yes("overwrite") {
		p.sink.options.set("overwrite", "always")
	}
	return nil
}

// sizeOf reads a size as elasticdump takes it: 10mb is 10 MiB.
func sizeOf(text string) (string, error) {
	if text == "" || text == "-1" {
		return "", nil
	}
	digits := strings.TrimRight(strings.ToLower(text), "kmgtb ")
	unit, known := map[string]string{"": "B", "b": "B", "kb": "KiB", "mb": "MiB", "gb": "GiB", "tb": "TiB"}[strings.TrimSpace(strings.ToLower(text[len(digits):]))]
	if !known || strings.Trim(digits, "0123456789") != "" || digits == "" {
		return "", fmt.Errorf("--fileSize: %q is no size such as 10mb", text)
	}
	return digits + unit, nil
}
