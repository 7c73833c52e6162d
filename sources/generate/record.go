package generate

import (
	"strconv"
	"time"
)

// Records says what records look like: each follows from Seed and its number
// alone, and all are of the same length.
type Records struct {
	Index string // valid as the name of an index
	Seed  int64
	Bytes int // of the _source; at least MinBytes
}

// MinBytes is the smallest _source.
const MinBytes = 400

const (
	idDigits = 12
	head     = `{"_index":"`
	id       = `","_id":"`
	source   = `","_source":`
)

// Len is the length of a record in bytes, with its envelope and newline.
func (r Records) Len() int {
	return len(head) + len(r.Index) + len(id) + idDigits + len(source) + r.Bytes + len("}\n")
}

// Append appends record number n, from 0, and returns the longer slice.
func (r Records) Append(dst []byte, n int64) []byte {
	dst = append(append(append(dst, head...), r.Index...), id...)
	dst = padded(dst, n, idDigits)
	dst = append(dst, source...)
	dst = r.document(dst, n)
	return append(dst, "}\n"...)
}

var (
	levels   = [...]string{"INFO", "INFO", "INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR"}
	services = [...]string{"checkout", "search", "billing", "inventory", "gateway", "identity", "mail", "café"}
	actions  = [...]string{`GET \"/api/v1/orders\"`, `POST \"/api/v1/payments\"`, `login\tfailed`, `cache miss → disk`,
		`C:\\data\\spool full`, `retry \u2028 after`, `slow query`, `connection reset`}
	words = [...]string{"request ", "response ", "timeout ", "while ", "reading ", "from ", "upstream ", "server ",
		"connection ", "closed ", "by ", "peer ", "after ", "retry ", "user ", "session ", "expired ", "token ", "cache ", "miss ",
		"for ", "key ", "queue ", "depth ", "exceeded ", "limit ", "worker ", "started ", "finished ", "job ", "in ", "batch "}
)

// longestWord is by how much text may be too long before it is cut.
const longestWord = 16

// start is the time of record 0; each record is 137 ms later than the one before.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// document appends a log line of exactly r.Bytes bytes. It has what a copy must
// not change: integers beyond 2⁵³, numbers as 0.10 and 1.0, escapes, and text
// that is not ASCII.
func (r Records) document(dst []byte, n int64) []byte {
	end := len(dst) + r.Bytes
	x := random(uint64(r.Seed)*0x9e3779b97f4a7c15 ^ uint64(n))
	a, b := x.next(), x.next()
	dst = append(dst, `{"@timestamp":"`...)
	dst = start.Add(time.Duration(n)*137*time.Millisecond).AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = append(append(dst, `","level":"`...), levels[a%8]...)
	dst = append(append(dst, `","service":"`...), services[a>>3%8]...)
	dst = padded(append(dst, `","host":"node-`...), int64(a>>6%64), 2)
	dst = hex(append(dst, `","trace":"`...), a)
	dst = hex(dst, b)
	dst = strconv.AppendInt(append(dst, `","user":`...), 1<<53+int64(b%(1<<40)), 10)
	dst = strconv.AppendInt(append(dst, `,"status":`...), int64(200+100*(a>>12%4)), 10)
	dst = strconv.AppendInt(append(dst, `,"sent":`...), int64(a>>14%(1<<20)), 10)
	dst = strconv.AppendInt(append(dst, `,"seconds":`...), int64(a>>34%100), 10)
	dst = padded(append(dst, '.'), int64(b>>40%1000), 3)
	dst = padded(append(dst, `,"load":0.`...), int64(b>>50%100), 2)
	dst = append(append(dst, `,"weight":1.0,"retried":false,"parent":null,"message":"`...), actions[a>>41%8]...)
	return append(text(append(dst, ": "...), end-2, x), `"}`...)
}

// text appends words until dst is end bytes long.
func text(dst []byte, end int, x random) []byte {
	for len(dst) < end {
		for v, i := x.next(), 0; i < 12 && len(dst) < end; v, i = v>>5, i+1 {
			dst = append(dst, words[v%32]...)
		}
	}
	return dst[:end]
}

// padded appends n with leading zeros.
func padded(dst []byte, n int64, digits int) []byte {
	at := len(dst) + digits
	dst = append(dst, "000000000000"[:digits]...)
	for i := at - 1; n > 0 && i >= at-digits; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

func hex(dst []byte, v uint64) []byte {
	for i := 60; i >= 0; i -= 4 {
		dst = append(dst, "0123456789abcdef"[v>>i&15])
	}
	return dst
}

// random is SplitMix64.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
