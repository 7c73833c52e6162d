package s3

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"sluice/internal/roll"
)

// metaPrefix begins the names of the metadata that are Sluice's.
const metaPrefix = "sluice-"

// Names of the metadata in which an object carries its owner.
const (
	metaPipeline = "sluice-pipeline"
	metaPass     = "sluice-pass"
	metaLane     = "sluice-lane"
	metaStart    = "sluice-start"
	metaFrom     = "sluice-from"
	metaKey      = "sluice-key"
	metaVersion  = "sluice-version"
)

// hashed is the owner with each field in the form in which metadata can hold it.
func hashed(o roll.Owner) roll.Owner {
	o.Pipeline, o.Lane, o.From = value(o.Pipeline), value(o.Lane), value(o.From)
	o.Source, o.Version = value(o.Source), value(o.Version)
	return o
}

// longest value that is kept as it is: all of them must fit into 2 KB.
const longest = 200

// value is s, or a hash of it if it is long or might not come back as it was:
// stores trim blanks, and signatures fold them.
func value(s string) string {
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	if len(s) <= longest && !strings.ContainsFunc(s, odd) && strings.TrimSpace(s) == s &&
		!strings.Contains(s, "  ") && !strings.HasPrefix(s, hashPrefix) {
		return s
	}
	return hash(s)
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hashPrefix + hex.EncodeToString(sum[:16])
}

const (
	hashPrefix = "sha256:"
	hashLen    = len(hashPrefix) + 32
)

// tight is a hashed owner in the shortest form: all is hashed that is longer
// than a hash.
func tight(o roll.Owner) roll.Owner {
	for _, v := range []*string{&o.Pipeline, &o.Lane, &o.From, &o.Source, &o.Version} {
		*v = shortest(*v)
	}
	return o
}

func shortest(v string) string {
	if len(v) <= hashLen {
		return v
	}
	return hash(v)
}

// compared gives a hashed owner in the form in which the one in metadata is, and
// that one; nil: it has none.
func compared(mine roll.Owner, meta map[string]string) (roll.Owner, *roll.Owner) {
	theirs := ownerOf(meta)
	if theirs == nil {
		return mine, nil
	}
	as := func(v *string, other string) {
		if strings.HasPrefix(other, hashPrefix) {
			*v = shortest(*v)
		}
	}
	as(&mine.Pipeline, theirs.Pipeline)
	as(&mine.Lane, theirs.Lane)
	as(&mine.From, theirs.From)
	as(&mine.Source, theirs.Source)
	as(&mine.Version, theirs.Version)
	return mine, theirs
}

// metadata gives the fields of a hashed owner that are set.
func metadata(o roll.Owner) map[string]string {
	m := map[string]string{metaPipeline: o.Pipeline, metaPass: strconv.FormatInt(o.Pass, 10), metaLane: o.Lane, metaStart: strconv.Itoa(o.Start)}
	for name, v := range map[string]string{metaFrom: o.From, metaKey: o.Source, metaVersion: o.Version} {
		if v != "" { // stores drop empty values
			m[name] = v
		}
	}
	return m
}

// ownerOf reads what metadata wrote; nil: the object is not of Sluice.
func ownerOf(m map[string]string) *roll.Owner {
	pass, err := strconv.ParseInt(m[metaPass], 10, 64)
	if err != nil || m[metaPipeline] == "" {
		return nil
	}
	start, err := strconv.Atoi(m[metaStart])
	if err != nil {
		return nil
	}
	return &roll.Owner{
		Pipeline: m[metaPipeline], Pass: pass, Lane: m[metaLane], Start: start,
		From: m[metaFrom], Source: m[metaKey], Version: m[metaVersion],
	}
}
