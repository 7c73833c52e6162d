package objects

import (
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
	ask       = "probe"
)

// profile is what a kind of store can do, and how it wants to be asked.
type profile struct {
	pathStyle         bool   // bucket in the path
	checksum          string // of payloads, in a header
	unsigned          bool   // payloads need no signature though there is no TLS
	conditionalWrites string // whether If-None-Match is honoured: yes, no, probe
	conditionalDelete bool   // If-Match is honoured by a DELETE
	encodeKeys        bool   // it can encode the keys of listings
	listVersion       int    // of the listing's protocol
	minPart           unit.Bytes
	maxParts          int
}

// profiles are the kinds of stores.
var profiles = map[string]profile{
	"aws":       {checksum: sumCRC32C, conditionalWrites: yes, conditionalDelete: true, encodeKeys: true, listVersion: 2, minPart: MinPart, maxParts: MaxParts},
	"minio":     {pathStyle: true, checksum: sumCRC32C, unsigned: true, conditionalWrites: ask, encodeKeys: true, listVersion: 2, minPart: MinPart, maxParts: MaxParts},
	"versitygw": {pathStyle: true, checksum: sumCRC32C, unsigned: true, conditionalWrites: ask, encodeKeys: true, listVersion: 2, minPart: MinPart, maxParts: MaxParts},
	"garage":    {pathStyle: true, checksum: sumCRC32C, unsigned: true, conditionalWrites: no, encodeKeys: true, listVersion: 2, minPart: MinPart, maxParts: MaxParts},
	"ceph":      {pathStyle: true, checksum: sumMD5, conditionalWrites: ask, encodeKeys: true, listVersion: 2, minPart: MinPart, maxParts: MaxParts},
	"r2":        {pathStyle: true, checksum: sumMD5, conditionalWrites: ask, encodeKeys: true, listVersion: 2, minPart: MinPart, maxParts: MaxParts},
	"gcs":       {pathStyle: true, checksum: sumMD5, conditionalWrites: no, encodeKeys: true, listVersion: 2, minPart: MinPart, maxParts: MaxParts},
	"b2":        {pathStyle: true, checksum: sumMD5, conditionalWrites: no, encodeKeys: true, listVersion: 2, minPart: MinPart, maxParts: MaxParts},
	"wasabi":    {pathStyle: true, checksum: sumMD5, conditionalWrites: ask, encodeKeys: true, listVersion: 2, minPart: MinPart, maxParts: MaxParts},
	"other":     {pathStyle: true, checksum: sumMD5, conditionalWrites: ask, encodeKeys: true, listVersion: 2, minPart: MinPart, maxParts: MaxParts},
}

// provider is the kind of store at an endpoint.
func provider(endpoint string) string {
	if endpoint == "" {
		return "aws"
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return "other"
	}
	host := "." + u.Hostname()
	for _, known := range []struct{ suffix, provider string }{
		{".amazonaws.com", "aws"}, {".amazonaws.com.cn", "aws"}, {".r2.cloudflarestorage.com", "r2"},
		{".storage.googleapis.com", "gcs"}, {".backblazeb2.com", "b2"}, {".wasabisys.com", "wasabi"},
	} {
		if strings.HasSuffix(host, known.suffix) {
			return known.provider
		}
	}
	return "other"
}

// pathStyle says whether the bucket goes into the path.
func (c *Config) pathStyle() bool {
	if c.PathStyle != nil {
		return *c.PathStyle
	}
	return c.Endpoint != ""
}
