package translate

import (
	"cmp"
	"strings"
)

// store makes what is said of a bucket wherever it stands.
func (d *dumped) store(m *mapping, bucket, dir string) {
	m.set("bucket", bucket)
	m.set("prefix", dir)
	endpoint := d.text("s3Endpoint")
	plaintext := d.off("s3SSLEnabled")
	d.yes("s3SSLEnabled")
	switch {
	case strings.Contains(endpoint, "://"):
	case endpoint != "" && plaintext:
		endpoint = "http://" + endpoint
	case endpoint != "":
		endpoint = "https://" + endpoint
	case plaintext:
		d.once("--s3SSLEnabled=false: AWS is spoken to by TLS alone")
	}
	m.set("endpoint", endpoint)
	m.set("region", d.text("s3Region"))
	m.set("path_style", d.yes("s3ForcePathStyle"))
	if key, _ := d.both("s3AccessKeyId", "s3SecretAccessKey"); key != "" {
		m.set("access_key", d.plan.secret("S3_ACCESS_KEY_ID", "--s3AccessKeyId"))
		m.set("secret_key", d.plan.secret("S3_SECRET_ACCESS_KEY", "--s3SecretAccessKey"))
		if d.text("s3SessionToken") != "" {
			m.set("session_token", d.plan.secret("S3_SESSION_TOKEN", "--s3SessionToken"))
		}
	}
}

// properties makes what is said of objects that are written.
func (d *dumped) properties(m *mapping) {
	m.set("acl", d.text("s3ACL"))
	if kind := d.text("s3ServerSideEncryption"); kind != "" {
		m.set("encryption", cmp.Or(map[string]string{"AES256": "sse-s3", "aws:kms": "sse-kms"}[kind], kind))
	}
	m.set("kms_key", d.text("s3SSEKMSKeyId"))
	if class := d.text("s3StorageClass"); class != "STANDARD" {
		m.set("storage_class", class)
	}
}
