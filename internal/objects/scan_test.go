package objects_test

import (
	"fmt"
	"strings"
	"testing"

	"sluice/internal/objects"
)

// pages are documents as stores write them, and others.
var pages = []string{
	page("url", "t&amp;1", "a%2Fb", "c+d"),
	`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix/><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated><Contents><Key>a&amp;&lt;b</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&#34;e&#34;</ETag><Size>7</Size><Owner><ID>1</ID><DisplayName>x</DisplayName></Owner></Contents><CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>`,
	"<ListBucketResult>\n  <Contents>\n    <Key>  a b </Key>\n    <Size> 7 </Size>\n  </Contents>\n</ListBucketResult>\n",
	`<ListVersionsResult><NextKeyMarker>k</NextKeyMarker><NextVersionIdMarker>v</NextVersionIdMarker><Version><Key>k</Key><VersionId>1</VersionId><IsLatest>true</IsLatest><Size>0</Size></Version><DeleteMarker><Key>k</Key><VersionId>2</VersionId></DeleteMarker></ListVersionsResult>`,
	`<s3:ListBucketResult xmlns:s3="x"><s3:Contents><s3:Key>k</s3:Key></s3:Contents></s3:ListBucketResult>`,
	`<ListBucketResult><Contents><Key><![CDATA[a<b]]></Key><!-- c --></Contents></ListBucketResult>`,
	`<ListBucketResult><Contents><Key>&#x41;&#66;é🎉&quot;&apos;</Key></Contents></ListBucketResult>`,
	`<ListBucketResult><Contents><Key>a` + "\x01" + `b</Key></Contents></ListBucketResult>`,
	`<ListBucketResult><Contents><Key>a` + "\xff" + `b</Key></Contents></ListBucketResult>`,
	`<ListBucketResult><Contents><Key>a]]>b` + "\r\n" + `</Key></Contents></ListBucketResult>`,
	`<ListBucketResult><Contents></ListBucketResult></Contents>`,
	`<ListBucketResult></ListBucketResult><ListBucketResult></ListBucketResult>`,
	`<ListBucketResult></ListBucketResult>0`, "\ufeff<ListBucketResult></ListBucketResult>\n",
	`<Error><Code>SlowDown</Code></Error>`, `<html><body>busy</body></html>`, `<a b='c' d="e>f" g="h"/>`, ``, `x`, "<a", "<a></b>",
}

// Where the scanner and encoding/xml both read a document, they say the same;
// what the scanner reads is XML; and what it refuses is none, or no listing.
func FuzzScan(f *testing.F) {
	for _, p := range pages {
		f.Add([]byte(p))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, unusual, err := objects.Scan(body)
		if unusual {
			return
		}
		want, wantErr := objects.Decode(body)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: got %v, want %v", body, err, wantErr)
		}
		if err == nil && got != want {
			t.Errorf("%q: got %s, want %s", body, got, want)
		}
	})
}

func TestTheScannerReadsWhatStoresWrite(t *testing.T) {
	for i, p := range pages[:4] {
		if _, unusual, err := objects.Scan([]byte(p)); unusual || err != nil {
			t.Errorf("page %d: got %v, want that the scanner reads it", i, err)
		}
	}
}

func TestAPageThatEndsEarlyIsAnErrorWhereverItEnds(t *testing.T) {
	for _, p := range pages[:5] {
		p = strings.TrimRight(p, "\n")
		for n := range len(p) {
			if got, _, err := objects.Scan([]byte(p[:n])); err == nil {
				t.Errorf("%q: got %s, want an error", p[:n], got)
			}
			if got, err := objects.Decode([]byte(p[:n])); err == nil {
				t.Errorf("%q: got %s from encoding/xml, want an error", p[:n], got)
			}
		}
	}
}

// thousand is a page as AWS writes it, with a thousand keys.
func thousand() []byte {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name><Prefix></Prefix><KeyCount>1000</KeyCount><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>`)
	for i := range 1000 {
		fmt.Fprintf(&b, `<Contents><Key>logs/2026/01/02/host-%02d/%06d.json.gz</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;9b2cf535f27731c974343645a3985328&quot;</ETag><Size>12345</Size><StorageClass>STANDARD</StorageClass></Contents>`, i/100, i)
	}
	b.WriteString(`</ListBucketResult>`)
	return []byte(b.String())
}
