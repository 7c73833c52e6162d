package objects

import (
	"cmp"
	"strings"
)

// permissions are what operations need, where that is not called as they are.
var permissions = map[string]string{
	"ListObjectsV2": "s3:ListBucket", "HeadBucket": "s3:ListBucket", "ListObjectVersions": "s3:ListBucketVersions",
	"ListMultipartUploads": "s3:ListBucketMultipartUploads", "ListParts": "s3:ListMultipartUploadParts", "HeadObject": "s3:GetObject", "CopyObject": "s3:PutObject",
	"CreateMultipartUpload": "s3:PutObject", "UploadPart": "s3:PutObject", "UploadPartCopy": "s3:PutObject", "CompleteMultipartUpload": "s3:PutObject",
}

// ofVersions are permissions that are others when a version is named.
var ofVersions = map[string]string{
	"s3:GetObject": "s3:GetObjectVersion", "s3:GetObjectTagging": "s3:GetObjectVersionTagging", "s3:PutObjectTagging": "s3:PutObjectVersionTagging",
}

// alsoNeeded are permissions that headers of a request need.
var alsoNeeded = []struct{ header, permission string }{
	{"X-Amz-Tagging", "s3:PutObjectTagging"}, {"X-Amz-Acl", "s3:PutObjectAcl"},
	{"X-Amz-Object-Lock-Mode", "s3:PutObjectRetention"}, {"X-Amz-Object-Lock-Legal-Hold", "s3:PutObjectLegalHold"},
}

// needs says which permissions a request that was refused with a message needs,
// and on what.
func needs(r *request, p *place, message string) string {
	permission := cmp.Or(permissions[r.op], "s3:"+r.op)
	if v := ofVersions[permission]; v != "" && strings.Contains(r.query, "versionId=") {
		permission = v
	}
	for _, also := range alsoNeeded {
		if r.header[also.header] != nil {
			permission += ", " + also.permission
		}
	}
	says := permission + " on " + p.arn(r.key)
	if from := r.header.Get("X-Amz-Copy-Source"); from != "" {
		says += ", and s3:GetObject and s3:GetObjectTagging on what is copied"
	}
	if r.class() == reading && r.key != "" {
		says += "; without s3:ListBucket on the bucket, an object that does not exist is refused too"
	}
	if kms := strings.ToLower(message); strings.Contains(kms, "kms") || r.header.Get("X-Amz-Server-Side-Encryption") == "aws:kms" {
		says += "; kms:Decrypt on the key"
		if r.class() == writing {
			says += ", and kms:GenerateDataKey"
		}
	}
	return says
}

// arn names a key, or the bucket for "".
func (p *place) arn(key string) string {
	name := p.bucket
	if strings.HasPrefix(name, "arn:") { // an access point
		if key != "" {
			name += "/object/" + key
		}
		return name
	}
	partition := "aws"
	for _, other := range []string{"aws-cn", "aws-us-gov"} {
		if strings.HasPrefix(p.region, strings.TrimPrefix(other, "aws-")+"-") {
			partition = other
		}
	}
	if key != "" {
		name += "/" + key
	}
	return "arn:" + partition + ":s3:::" + name
}
