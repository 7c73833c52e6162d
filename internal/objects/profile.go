package objects

import (
	"cmp"
	"net/url"
	"strings"

	"sluice/internal/unit"
)

// Ways of a checksum, and answers to what a store can do.
const (
	sumCRC32C = "crc32c"
	sumMD5    = "md5"
	sumNone   = "none"
	yes       = "yes"
	no        = "no"
	try       = "probe"
)

// profile is what a kind of store can do, and how it wants to be asked.
type profile struct {
	pathStyle   bool   // bucket in the path
	checksum    string // of payloads, in a header
	unsigned    bool   // payloads need no signature though there is no TLS: the checksum guards them
	conditional string // whether If-None-Match is honoured: yes, no, probe
	deleteIf    bool   // If-Match is honoured by a DELETE
	encodeKeys  bool   // it can encode the keys of listings
	listVersion int    // of the listing's protocol
	minPart     int64  // bytes of a part that is not the last
	maxParts    int    // of one object
}

// profiles are the kinds of stores. What is not known of one is what harms
// least: MD5, and a probe.
var profiles = map[string]profile{
	"aws":       {false, sumCRC32C, false, yes, true, true, 2, MinPart, MaxParts},
	"minio":     {true, sumCRC32C, true, try, false, true, 2, MinPart, MaxParts},
	"versitygw": {true, sumCRC32C, true, try, false, true, 2, MinPart, MaxParts},
	"garage":    {true, sumCRC32C, true, no, false, true, 2, MinPart, MaxParts},
	"ceph":      {true, sumMD5, false, try, false, true, 2, MinPart, MaxParts},
	"r2":        {true, sumMD5, false, try, false, true, 2, MinPart, MaxParts},
	"gcs":       {true, sumMD5, false, no, false, true, 2, MinPart, MaxParts}, // it has generations instead
	"b2":        {true, sumMD5, false, no, false, true, 2, MinPart, MaxParts},
	"wasabi":    {true, sumMD5, false, try, false, true, 2, MinPart, MaxParts},
	"other":     {true, sumMD5, false, try, false, true, 2, MinPart, MaxParts},
}

// hosts are the ends of host names that tell the kind of a store.
var hosts = []struct{ suffix, provider string }{
	{".amazonaws.com", "aws"}, {".amazonaws.com.cn", "aws"}, {".r2.cloudflarestorage.com", "r2"},
	{".storage.googleapis.com", "gcs"}, {".backblazeb2.com", "b2"}, {".wasabisys.com", "wasabi"},
}

// Quirks is the options that say what is different at a store. What is not
// given is as the kind of the store has it.
type Quirks struct {
	Checksum           string     `yaml:"checksum" enum:"crc32c|md5|none" doc:"Checksum that goes with what is written, in a header."`
	UnsignedPayload    *bool      `yaml:"unsigned_payload" doc:"Without TLS, too, what is written is not part of the signature, which saves most of the CPU."`
	ConditionalWrites  string     `yaml:"conditional_writes" enum:"yes|no|probe" doc:"Whether If-None-Match is honoured; probe: that is tried when it matters."`
	ConditionalDeletes *bool      `yaml:"conditional_deletes" doc:"Whether If-Match is honoured by a DELETE."`
	EncodedKeys        *bool      `yaml:"encoded_keys" doc:"Whether listings are asked for with encoding-type=url."`
	ListVersion        int        `yaml:"list_version" min:"1" max:"2" doc:"Version of the protocol of listings: 1 where ListObjectsV2 is not known."`
	MinPart            unit.Bytes `yaml:"min_part" min:"1KiB" doc:"Smallest part of an upload but its last."`
	MaxParts           int        `yaml:"max_parts" min:"1" max:"10000" doc:"Parts of one object, at most."`
}

// provider is the kind of the store.
func (c *Config) provider() string {
	if c.Provider != "" {
		return c.Provider
	}
	if c.Endpoint == "" {
		return "aws"
	}
	if u, err := url.Parse(c.Endpoint); err == nil {
		for _, h := range hosts {
			if strings.HasSuffix("."+u.Hostname(), h.suffix) {
				return h.provider
			}
		}
	}
	return "other"
}

// profile is that of the store, with its quirks.
func (c *Config) profile() profile {
	p, q := profiles[c.provider()], &c.Quirks
	p.checksum = cmp.Or(q.Checksum, p.checksum)
	p.conditional = cmp.Or(q.ConditionalWrites, p.conditional)
	p.listVersion = cmp.Or(q.ListVersion, p.listVersion)
	p.minPart = cmp.Or(int64(q.MinPart), p.minPart)
	p.maxParts = cmp.Or(q.MaxParts, p.maxParts)
	for _, o := range []struct {
		given *bool
		to    *bool
	}{
		{c.PathStyle, &p.pathStyle}, {q.UnsignedPayload, &p.unsigned}, {q.ConditionalDeletes, &p.deleteIf}, {q.EncodedKeys, &p.encodeKeys},
	} {
		if o.given != nil {
			*o.to = *o.given
		}
	}
	return p
}

// PartBounds says which parts the store takes: the bytes of one that is not the
// last, and how many there may be.
func (c *Config) PartBounds() (least, most int64, parts int) {
	p := c.profile()
	return p.minPart, MaxPart, p.maxParts
}
