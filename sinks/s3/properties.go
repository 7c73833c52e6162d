package s3

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/internal/kind"
	"sluice/internal/objects"
)

// Properties is the options of what a store is to keep of each object beside its
// bytes. What is not given is what the store makes of it.
type Properties struct {
	ContentType        string   `yaml:"content_type" doc:"Content type of the objects; if it is not given, that of the item, or what the store makes of it."`
	CacheControl       string   `yaml:"cache_control" doc:"Cache-Control of the objects."`
	ContentEncoding    string   `yaml:"content_encoding" doc:"Content-Encoding of the objects, such as gzip: browsers and some clients then decompress what they get, whatever the key ends with. If it is not given, none."`
	ContentDisposition string   `yaml:"content_disposition" doc:"Content-Disposition of the objects."`
	StorageClass       string   `yaml:"storage_class" doc:"Storage class, such as STANDARD_IA; if it is not given, the bucket's."`
	Encryption         string   `yaml:"encryption" enum:"sse-s3|sse-kms" doc:"Encryption by the store, with its own keys or with one of KMS; if it is not given, the bucket's."`
	KMSKey             string   `yaml:"kms_key" doc:"Key of KMS, by id or ARN; if it is not given, the account's key for S3."`
	ACL                string   `yaml:"acl" enum:"private|public-read|public-read-write|authenticated-read|aws-exec-read|bucket-owner-read|bucket-owner-full-control" doc:"Canned access control list; buckets of today mostly take none."`
	Tags               []string `yaml:"tags" doc:"Tags of the objects, at most 10, each as name=value."`
	ObjectLock         Lock     `yaml:"object_lock" doc:"How long objects cannot be removed or replaced, in a bucket that locks."`
	LegalHold          bool     `yaml:"legal_hold" doc:"Objects cannot be removed or replaced until somebody lifts the hold, in a bucket that locks."`
}

// Lock is the options of retention.
type Lock struct {
	Mode  string `yaml:"mode" enum:"governance|compliance" doc:"Who may remove an object sooner: those with a special permission, or nobody."`
	Days  int    `yaml:"days" min:"0" max:"36500" doc:"Days for which an object is locked, from when it is written."`
	Until string `yaml:"until" doc:"Date until which objects are locked, as 2030-01-31 or 2030-01-31T12:00:00Z."`
}

// headerText is what a header can hold.
var headerText = regexp.MustCompile(`^[\x20-\x7e]*$`)

// tagText is what S3 takes in names and values of tags.
var tagText = regexp.MustCompile(`^[\pL\pN\p{Zs}_.:/=+\-@]*$`)

// problems checks the options.
func (m *Properties) problems(now time.Time) (list []kind.Problem) {
	add := func(option, format string, args ...any) {
		list = append(list, kind.Problem{Option: option, Message: fmt.Sprintf(format, args...)})
	}
	for option, value := range map[string]string{
		"content_type": m.ContentType, "cache_control": m.CacheControl, "content_encoding": m.ContentEncoding,
		"content_disposition": m.ContentDisposition, "storage_class": m.StorageClass, "kms_key": m.KMSKey,
	} {
		if !headerText.MatchString(value) || strings.TrimSpace(value) != value {
			add(option, "a header holds printable ASCII, and no blanks at its ends")
		}
	}
	if m.KMSKey != "" && m.Encryption != "sse-kms" {
		add("kms_key", "it is for encryption: sse-kms")
	}
	if _, p := m.tags(); p != "" {
		add("tags", "%s", p)
	}
	return append(list, m.ObjectLock.problems(now)...)
}

// tags reads the tags, and says what is wrong with them.
func (m *Properties) tags() (tags map[string]string, problem string) {
	if len(m.Tags) == 0 {
		return nil, ""
	}
	if len(m.Tags) > 10 {
		return nil, fmt.Sprintf("an object has at most 10 tags, these are %d", len(m.Tags))
	}
	tags = map[string]string{}
	for _, tag := range m.Tags {
		name, value, ok := strings.Cut(tag, "=")
		_, twice := tags[name]
		switch {
		case !ok || name == "":
			return nil, fmt.Sprintf("%q: write name=value", tag)
		case twice:
			return nil, fmt.Sprintf("%q is given twice", name)
		case utf8.RuneCountInString(name) > 128 || utf8.RuneCountInString(value) > 256:
			return nil, fmt.Sprintf("%q: a name has at most 128 characters, a value 256", tag)
		case strings.HasPrefix(strings.ToLower(name), "aws:"):
			return nil, fmt.Sprintf("%q: names that begin with aws: are the store's", tag)
		case !tagText.MatchString(tag):
			return nil, fmt.Sprintf("%q: a tag has letters, digits, blanks and any of _ . : / = + - @", tag)
		}
		tags[name] = value
	}
	return tags, ""
}

func (l *Lock) problems(now time.Time) (list []kind.Problem) {
	add := func(option, message string) {
		list = append(list, kind.Problem{Option: "object_lock." + option, Message: message})
	}
	until, err := l.until(now)
	switch {
	case l.Mode == "" && (l.Days > 0 || l.Until != ""):
		add("mode", "say governance or compliance")
	case l.Days > 0 && l.Until != "":
		add("until", "say either days or until")
	case l.Mode != "" && l.Days == 0 && l.Until == "":
		add("days", "say for how many days, or until when")
	case err != nil:
		add("until", "write a date as 2030-01-31 or 2030-01-31T12:00:00Z")
	case l.Mode != "" && !until.After(now):
		add("until", "it is in the past")
	}
	return list
}

// until is when the lock of an object ends that is written now.
func (l *Lock) until(now time.Time) (time.Time, error) {
	if l.Until == "" {
		return now.AddDate(0, 0, l.Days), nil
	}
	if t, err := time.Parse(time.DateOnly, l.Until); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, l.Until)
}

var encryptions = map[string]string{"sse-s3": "AES256", "sse-kms": "aws:kms"}

// describe gives n what the options say. What lies beside the data is a document,
// whatever data is.
func (m *Properties) describe(n *objects.New, beside bool) error {
	n.Encryption, n.KMSKey, n.ACL, n.LegalHold = encryptions[m.Encryption], m.KMSKey, m.ACL, m.LegalHold
	n.Tags, _ = m.tags()
	if m.ObjectLock.Mode != "" {
		until, err := m.ObjectLock.until(time.Now())
		if err != nil {
			return fmt.Errorf("object_lock.until: %w", err)
		}
		n.LockMode, n.LockUntil = strings.ToUpper(m.ObjectLock.Mode), until
	}
	if !beside {
		n.ContentType, n.CacheControl, n.ContentEncoding = m.ContentType, m.CacheControl, m.ContentEncoding
		n.ContentDisposition, n.StorageClass = m.ContentDisposition, m.StorageClass
	}
	return nil
}
